"""What a person reads once the gateway listens."""

from __future__ import annotations

import json
import platform
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from hayate.language import Language, Text
from hayate.terminal import width
from hayate.tools.embedded.announcement import KeyNews, Place, announcement
from hayate.tools.embedded.spare_gpu import spare_gpu
from hayate.tools.planner.found import Machine
from tests.support.tables import table
from tests.unit.tools.fake_nvml import FakeGpu, FakeNvml

URL = "http://127.0.0.1:8080"
TINY = Text("tiny", "tiny")
MODEL = Text("qwen2.5-0.5b-instruct-q4_k_m, 4096 tokens × 4", "qwen2.5-0.5b-instruct-q4_k_m（4096トークン × 4）")
LONG_GPU = spare_gpu(Machine(Path("/nowhere"), FakeNvml(FakeGpu("NVIDIA RTX PRO 6000 Blackwell Workstation Edition"))))
KEPT = KeyNews("sk-hayate-secret", newly_made=False, file=Path("/my data/api_key"))
NEW = KeyNews("sk-hayate-secret", newly_made=True, file=Path("/data/api_key"))
GIVEN = KeyNews("sk-hayate-secret", newly_made=False, file=None)


@pytest.mark.parametrize("language", ["en", "ja"])
def test_a_new_key_is_shown_once_with_the_place_where_it_is_kept(language: Language) -> None:
    text = announcement(Place(URL), TINY, NEW, language)
    assert text.count("sk-hayate-secret") == 1
    assert "/data/api_key" in text


@pytest.mark.parametrize("language", ["en", "ja"])
@pytest.mark.parametrize("news", [KEPT, GIVEN])
def test_a_key_that_was_there_before_is_not_shown(language: Language, news: KeyNews) -> None:
    assert "sk-hayate-secret" not in announcement(Place(URL), TINY, news, language)


@table("language", ["en", "ja"])
@table("news", [KEPT, NEW, GIVEN])
def test_the_curl_is_one_that_a_shell_understands_and_names_no_key(language: Language, news: KeyNews) -> None:
    lines = announcement(Place(URL), TINY, news, language).splitlines()
    pasted = "\n".join(lines[lines.index("") + 1 :])
    # A shell that has another curl, and another cat, which say what they were given.
    script = f'curl() {{ printf "%s\\n" "$@"; }}; cat() {{ echo "<$1>"; }}; {pasted}'
    env = {"HAYATE_API_KEY": "<given>"}
    said = subprocess.run(
        ["bash", "-c", script], env=env, capture_output=True, text=True, check=True
    ).stdout.splitlines()
    assert said[:2] == ["-N", f"{URL}/v1/chat/completions"]
    assert said[3] == f"Authorization: Bearer <{news.file or 'given'}>"
    assert json.loads(said[5])["messages"][0]["content"] in ("Hello", "こんにちは")


@table("language", ["en", "ja"])
@table("news", [KEPT, NEW, GIVEN])
@table("place", [Place(URL), Place("http://0.0.0.0:8080", ["http://192.168.100.200:8080"])])
@table("gpu", [(), LONG_GPU])
def test_nothing_is_wider_than_a_terminal_of_80_columns(
    language: Language, news: KeyNews, place: Place, gpu: Sequence[Text]
) -> None:
    lines = announcement(place, MODEL, news, language, gpu).splitlines()
    assert max(map(width, lines)) <= 80
    starts = {width(line) - width(line[2:].partition("  ")[2].lstrip()) for line in lines[: lines.index("")]}
    assert len(starts) == 1, "the texts stand under each other"


def test_a_gpu_that_is_not_used_is_told_with_what_it_would_take() -> None:
    text = announcement(
        Place(URL), TINY, NEW, "en", (Text("it computes on the CPU; so would", ""), Text("a model", ""))
    )
    assert ("it computes on the CPU; so would\n" in text) == (platform.machine() != "arm64" or sys.platform != "darwin")
    assert "docker compose up" not in text


def test_the_page_and_the_api_are_named_and_that_the_cpu_computes() -> None:
    text = announcement(Place(URL), TINY, NEW, "en")
    assert f"{URL}/ " in text
    assert f"{URL}/v1 " in text
    assert ("docker compose up" in text) == (platform.machine() != "arm64" or sys.platform != "darwin")


@pytest.mark.parametrize(
    ("url", "here"),
    [("http://0.0.0.0:8080", "http://127.0.0.1:8080/"), ("http://[::]:8080", "http://[::1]:8080/")],
)
def test_a_wildcard_is_shown_as_addresses_that_work_with_a_warning(url: str, here: str) -> None:
    elsewhere = ["http://192.168.1.5:8080", "http://[2001:db8::1]:8080"]
    text = announcement(Place(url, elsewhere), TINY, NEW, "en")
    assert here in text
    assert "other machines" in text
    assert all(f" {each}/\n" in text for each in elsewhere)


def test_one_address_of_the_network_is_named_as_it_is() -> None:
    assert " http://192.168.1.5:1/\n" in announcement(Place("http://192.168.1.5:1"), TINY, NEW, "ja")


def test_loopback_has_no_warning() -> None:
    assert "other machines" not in announcement(Place(URL), TINY, NEW, "en")
    assert "他の端末" not in announcement(Place("http://[::1]:1"), TINY, NEW, "ja")
