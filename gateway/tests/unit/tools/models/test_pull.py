"""`hayate pull` as it is typed: what a reference means, what is told, and the status."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from hayate.tools.embedded.reference import HubModel
from hayate.tools.environment import Environment
from hayate.tools.models.options import PullOptions
from hayate.tools.models.pull import Tag, what_is_meant
from hayate.tools.models.refusals import Mistyped
from tests.support.hub_stand_in import hub_stand_in
from tests.support.nursery import run
from tests.support.ollama_store import ollama_store
from tests.unit.tools.models.pulling import REPOSITORIES, WEIGHTS, environment, typed, visible

FILE = """
deployments:
  small: {backend: ollama, model: "qwen2.5:0.5b", replicas: "URL"}
  fast: {backend: vllm, model: o/Safe-7B, replicas: "http://d:8000"}
  local: {backend: vllm, model: /models/x, replicas: "http://d:8000"}
"""


def meant(ref: str, tmp_path: Path, **env: str) -> HubModel | Tag:
    path = tmp_path / "config.yaml"
    path.write_text(FILE.replace("URL", "http://a:11434"), encoding="utf-8")
    return what_is_meant(PullOptions(ref, config=path), Environment({}, {}, env))


@pytest.mark.parametrize(
    ("ref", "model"),
    [
        ("o/r", HubModel("o/r")),
        (" o/r:Q4_K_M ", HubModel("o/r", quantisation="Q4_K_M")),
        ("hf.co/o/r/x.gguf", HubModel("o/r", file="x.gguf")),
        ("https://huggingface.co/o/r/blob/main/a/x.gguf", HubModel("o/r", file="a/x.gguf")),
        ("ollama:llama3.2:1b", Tag("llama3.2:1b", {"http://a:11434": None})),
        ("small", Tag("qwen2.5:0.5b", {"http://a:11434": None})),
        ("fast", HubModel("o/Safe-7B")),
    ],
)
def test_what_a_reference_means(tmp_path: Path, ref: str, model: HubModel | Tag) -> None:
    assert meant(ref, tmp_path) == model


def test_without_a_configured_ollama_its_own_variable_says_where_it_is() -> None:
    found = what_is_meant(PullOptions("ollama:x"), Environment({}, {}, {"OLLAMA_HOST": "box"}))
    assert found == Tag("x", {"http://box:11434": None})


@pytest.mark.parametrize("ref", ["", "x", "local", "/etc/passwd", "../x", "o/r/config.json", "ollama:", "a b/c"])
def test_what_means_nothing_is_told(tmp_path: Path, ref: str) -> None:
    with pytest.raises(Mistyped):
        meant(ref, tmp_path)


def test_the_path_is_what_standard_output_has(tmp_path: Path) -> None:
    with hub_stand_in(REPOSITORIES) as hub:
        done = typed(["pull", "o/m-GGUF"], environment(hub.url, tmp_path), tmp_path)
        assert (done.returncode, done.stdout) == (0, "models/m-Q4_K_M.gguf\n")
        assert done.stderr.splitlines() == [
            "Downloading m-Q4_K_M.gguf (600 kB) from o/m-GGUF",
            "models/m-Q4_K_M.gguf is there, whole (600 kB).",
        ]
        again = typed(["pull", "o/m-GGUF", "--json"], environment(hub.url, tmp_path, "ja"), tmp_path)
        assert (again.returncode, again.stderr) == (
            0,
            "models/m-Q4_K_M.ggufは取得済みで、内容に問題はありません（600 kB）。\n",
        )
        assert json.loads(again.stdout) == {
            "ref": "o/m-GGUF",
            "path": "models/m-Q4_K_M.gguf",
            "files": ["models/m-Q4_K_M.gguf"],
            "bytes": len(WEIGHTS),
            "came": 0,
            "error": None,
        }


@pytest.mark.parametrize(
    ("words", "status", "en", "ja"),
    [
        (["x"], 2, "is neither on the Hub", "でもありません"),
        (["o/none"], 1, "is not on", "にないか、非公開です"),
        (["o/m-GGUF", "--models", "file/below"], 1, "a part of this path is a file", "ファイルです"),
    ],
)
def test_what_goes_wrong_is_a_line_in_the_terminals_language_and_a_status(
    tmp_path: Path, words: list[str], status: int, en: str, ja: str
) -> None:
    (tmp_path / "file").write_bytes(b"")
    with hub_stand_in(REPOSITORIES) as hub:
        for language, says in (("en", en), ("ja", ja)):
            done = typed(["pull", *words, "--json"], environment(hub.url, tmp_path, language), tmp_path)
            assert (done.returncode, done.stderr.count("\n")) == (status, 1)
            assert says in done.stderr
            assert en in json.loads(done.stdout)["error"]


def test_a_folder_that_is_read_only_is_told_before_anybody_is_asked(tmp_path: Path) -> None:
    (tmp_path / "models").mkdir(mode=0o500)
    with hub_stand_in(REPOSITORIES) as hub:
        done = run(["pull", "o/m-GGUF"], environment(hub.url, tmp_path), tmp_path, plain=True)
        assert (done.returncode, done.stdout, hub.requests) == (1, "", [])
    assert "In a container models are read-only: pull on the host" in done.stderr


def test_a_deployment_of_ollamas_is_pulled_where_it_is(tmp_path: Path) -> None:
    with ollama_store({"qwen2.5:0.5b": 5_000_000}) as store:
        (tmp_path / "config.yaml").write_text(FILE.replace("URL", store.url), encoding="utf-8")
        done = typed(["pull", "small", "-c", "config.yaml"], environment("", tmp_path), tmp_path)
        assert (done.returncode, done.stdout) == (0, "")
        assert done.stderr.splitlines()[-1] == f"qwen2.5:0.5b is there, at {store.url} (5 MB)."
        store.cut_after = 3
        cut = typed(["pull", "ollama:qwen2.5:0.5b", "-c", "config.yaml"], environment("", tmp_path, "ja"), tmp_path)
        assert cut.returncode == 1
        assert "中断した位置から再開します" in cut.stderr
    assert visible(tmp_path) == {}
