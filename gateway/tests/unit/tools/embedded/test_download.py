"""Weights from the Hub: the real client library, in a process of its own, against a stand-in."""

from __future__ import annotations

import json
import os
import pty
import socket
import subprocess
import sys
import termios
from dataclasses import dataclass
from pathlib import Path

import pytest

from hayate.tools.embedded.weights import DEFAULT, tiny
from tests.support.hub_stand_in import HubStandIn, hub_stand_in
from tests.support.quick import slow
from tests.support.waiting import LAST_RESORT_S

MODEL = tiny().path.read_bytes()
OTHER = MODEL + b"\x00"
REPOSITORY = "owner/Model-GGUF"
FILES = {
    "README.md": b"# Model",
    "model-Q8_0.gguf": OTHER,
    "model-Q4_K_M.gguf": MODEL,
    "big-F16-00001-of-00002.gguf": MODEL,
    "big-F16-00002-of-00002.gguf": OTHER,
}
FIND = """
import json, sys
from hayate.tools.embedded.refusals import CannotStart
from hayate.tools.embedded.weights import find_weights
said = []
try:
    weights = find_weights(sys.argv[1] or None, lambda english, japanese: said.append([english, japanese]))
    found = {"parts": [str(part) for part in weights.parts], "served_model": weights.served_model}
except CannotStart as error:
    found = {"refusal": type(error).__name__, "english": error.english, "japanese": error.japanese}
print(json.dumps({**found, "said": said}))
"""


@dataclass
class Found:
    """What `find_weights` gave."""

    parts: list[Path]
    served_model: str
    refusal: str
    english: str
    said: list[str]
    stderr: str


def environment(endpoint: str, home: Path, **env: str) -> dict[str, str]:
    inherited = {name: os.environ[name] for name in ("PATH", "PYTHONPATH", "HOME") if name in os.environ}
    return {**inherited, "HF_ENDPOINT": endpoint, "HF_HOME": str(home), "LANG": "C.UTF-8", **env}


def find(model: str, endpoint: str, home: Path, **env: str) -> Found:
    command = [sys.executable, "-W", "error", "-c", FIND, model]
    process = subprocess.run(
        command,
        env=environment(endpoint, home, **env),
        capture_output=True,
        timeout=LAST_RESORT_S,
        check=False,
        text=True,
    )
    assert process.returncode == 0, process.stderr
    found = json.loads(process.stdout)
    assert "Traceback" not in process.stderr
    return Found(
        parts=[Path(part) for part in found.get("parts", [])],
        served_model=found.get("served_model", ""),
        refusal=found.get("refusal", ""),
        english=found.get("english", ""),
        said=[english for english, _ in found["said"]],
        stderr=process.stderr,
    )


def downloads(hub: HubStandIn) -> list[str]:
    return [line.rpartition("/")[2] for line in hub.requests if line.startswith("GET") and "/resolve/" in line]


def nobody() -> str:
    """An endpoint where nobody listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{probe.getsockname()[1]}"


def test_a_repository_gives_its_q4_k_m_and_says_what_is_downloaded(tmp_path: Path) -> None:
    with hub_stand_in({REPOSITORY: FILES}) as hub:
        found = find(REPOSITORY, hub.url, tmp_path)
    assert found.parts[0].read_bytes() == MODEL
    assert found.parts[0].is_relative_to(tmp_path / "hub")
    assert found.served_model == "model-q4_k_m"
    assert found.said == [f"Downloading model-Q4_K_M.gguf (3 MB) from {REPOSITORY}"]
    assert downloads(hub) == ["model-Q4_K_M.gguf"]


@pytest.mark.parametrize("named", [f"hf://{REPOSITORY}/model-Q8_0.gguf", *slow(f"{REPOSITORY}:q8_0")])
def test_a_named_quantisation_or_file_is_fetched(tmp_path: Path, named: str) -> None:
    with hub_stand_in({REPOSITORY: FILES}) as hub:
        assert find(named, hub.url, tmp_path).parts[0].read_bytes() == OTHER


def test_every_part_of_a_split_model_is_fetched(tmp_path: Path) -> None:
    with hub_stand_in({REPOSITORY: FILES}) as hub:
        found = find(f"{REPOSITORY}:F16", hub.url, tmp_path)
    assert [part.name for part in found.parts] == ["big-F16-00001-of-00002.gguf", "big-F16-00002-of-00002.gguf"]
    assert len({part.parent for part in found.parts}) == 1
    assert found.served_model == "big-f16"


def test_what_is_in_the_cache_is_used_without_asking(tmp_path: Path) -> None:
    with hub_stand_in({REPOSITORY: FILES}) as hub:
        first = find(REPOSITORY, hub.url, tmp_path)
        asked = len(hub.requests)
        again = find(REPOSITORY, hub.url, tmp_path)
        offline = find(REPOSITORY, hub.url, tmp_path, HF_HUB_OFFLINE="1")
        assert len(hub.requests) == asked
    assert first.parts == again.parts == offline.parts
    assert again.said == []


def test_a_cached_second_choice_is_used_only_when_the_hub_is_away(tmp_path: Path) -> None:
    with hub_stand_in({REPOSITORY: FILES}) as hub:
        find(f"{REPOSITORY}:Q8_0", hub.url, tmp_path)
        away = find(REPOSITORY, nobody(), tmp_path)
        there = find(REPOSITORY, hub.url, tmp_path)
    assert away.served_model == "model-q8_0"
    assert there.served_model == "model-q4_k_m"


def test_the_token_is_sent_and_a_private_repository_opens(tmp_path: Path) -> None:
    with hub_stand_in({REPOSITORY: FILES}, token="hf_secret") as hub:
        closed = find(REPOSITORY, hub.url, tmp_path)
        opened = find(REPOSITORY, hub.url, tmp_path, HF_TOKEN="hf_secret")
        assert hub.authorizations == {"Bearer hf_secret"}
    assert closed.refusal == "HubFailed"
    assert "HF_TOKEN" in closed.english
    assert opened.parts
    assert "hf_secret" not in opened.stderr + "".join(opened.said) + closed.english


def test_a_gated_repository_says_where_to_accept_its_terms(tmp_path: Path) -> None:
    with hub_stand_in({REPOSITORY: FILES}, gated=frozenset({REPOSITORY})) as hub:
        found = find(REPOSITORY, hub.url, tmp_path)
        assert f"{hub.url}/{REPOSITORY}" in found.english


@pytest.mark.parametrize(
    ("named", "refusal", "said"),
    [
        ("owner/absent", "HubFailed", "owner/absent is not on"),
        (f"{REPOSITORY}/none.gguf", "ModelRefused", "model-Q4_K_M.gguf"),
        *slow(
            (f"{REPOSITORY}:Q5_K_M", "ModelRefused", "model-Q4_K_M.gguf"),
            ("owner/safetensors", "ModelRefused", "ends in -GGUF"),
        ),
    ],
)
def test_a_named_model_that_is_not_there_is_one_clear_sentence(
    tmp_path: Path, named: str, refusal: str, said: str
) -> None:
    with hub_stand_in({REPOSITORY: FILES, "owner/safetensors": {"model.safetensors": b""}}) as hub:
        found = find(named, hub.url, tmp_path)
    assert found.refusal == refusal
    assert said in found.english
    assert "\n" not in found.english


@pytest.mark.parametrize("behaviour", [{"status": 429}, *slow({"status": 500}, {"status": 403})])
def test_a_hub_that_fails_is_asked_once(tmp_path: Path, behaviour: dict[str, object]) -> None:
    with hub_stand_in({REPOSITORY: FILES}, **behaviour) as hub:
        found = find(REPOSITORY, hub.url, tmp_path)
        assert len(hub.requests) == 1
    assert found.refusal == "HubFailed"
    assert "\n" not in found.english


def test_a_hub_that_keeps_silent_is_given_a_few_seconds(tmp_path: Path) -> None:
    with hub_stand_in({REPOSITORY: FILES}, silent=True) as hub:
        found = find(REPOSITORY, hub.url, tmp_path)
        assert len(hub.requests) == 1
    assert found.refusal == "HubFailed"


def test_a_named_model_is_refused_offline(tmp_path: Path) -> None:
    found = find(REPOSITORY, nobody(), tmp_path, HF_HUB_OFFLINE="1")
    assert "HF_HUB_OFFLINE" in found.english
    assert find(REPOSITORY, nobody(), tmp_path).refusal == "HubFailed"


def test_with_no_model_named_the_default_is_fetched(tmp_path: Path) -> None:
    assert DEFAULT.file is not None
    with hub_stand_in({DEFAULT.repository: {DEFAULT.file: OTHER}}) as hub:
        found = find("", hub.url, tmp_path)
    assert found.parts[0].read_bytes() == OTHER
    assert found.served_model == "qwen2.5-0.5b-instruct-q4_k_m"


def test_with_no_model_named_and_no_hub_the_tiny_model_is_used_and_said_to_be_noise(tmp_path: Path) -> None:
    found = find("", nobody(), tmp_path)
    assert found.parts == [tiny().path]
    why, instead = found.said
    assert "MODEL=" in why
    assert "noise" in instead


@pytest.mark.parametrize("files", [{"unusable-q4_k_m.gguf": b"<html>"}, *slow({})])
def test_with_no_model_named_a_hub_without_the_default_is_no_obstacle(tmp_path: Path, files: dict[str, bytes]) -> None:
    with hub_stand_in({DEFAULT.repository: files}) as hub:
        assert find("", hub.url, tmp_path).parts == [tiny().path]


@pytest.mark.parametrize("page", [b"<html>Please sign in</html>", *slow(b"[]", b"{}")])
def test_a_page_that_is_no_hub_is_refused_in_one_sentence(tmp_path: Path, page: bytes) -> None:
    with hub_stand_in({}, page=page) as hub:
        found = find(REPOSITORY, hub.url, tmp_path)
    assert found.refusal == "HubFailed"
    assert "\n" not in found.english


def test_a_download_cut_short_is_taken_up_where_it_ended(tmp_path: Path) -> None:
    with hub_stand_in({REPOSITORY: FILES}, cut_after_bytes=1_000_000) as hub:
        found = find(REPOSITORY, hub.url, tmp_path)
    assert found.parts[0].read_bytes() == MODEL
    assert downloads(hub) == ["model-Q4_K_M.gguf"] * 2


def test_a_terminal_gets_a_progress_bar(tmp_path: Path) -> None:
    ours, theirs = pty.openpty()
    termios.tcsetwinsize(theirs, (24, 100))
    with hub_stand_in({REPOSITORY: FILES}) as hub:
        command = [sys.executable, "-c", FIND, REPOSITORY]
        process = subprocess.run(
            command,
            env=environment(hub.url, tmp_path),
            stdout=subprocess.PIPE,
            stderr=theirs,
            timeout=LAST_RESORT_S,
            check=False,
        )
    os.close(theirs)
    seen = b""
    try:
        while data := os.read(ours, 65536):
            seen += data
    except OSError:  # Linux says EIO at the end of a terminal
        pass
    os.close(ours)
    assert process.returncode == 0
    assert "model-Q4_K_M.gguf" in seen.decode()
    assert "3.3/3.3 MB" in seen.decode()
