"""Tags through Ollama: what it says is followed to the end, and anything but success is told."""

from __future__ import annotations

import pytest

from hayate.tools.models.ollama_pull import checked_tag, ollama_address, pull_by_ollama
from hayate.tools.models.refusals import Mistyped, NotPulled
from tests.support.ollama_store import OllamaStore, ollama_store
from tests.support.ports import free_port

TAG = "llama3.2:1b"


def pull(store: OllamaStore, tag: str = TAG, key: str | None = None) -> int:
    return pull_by_ollama(store.url, tag, key, lambda *_: None)


def test_a_tag_is_pulled_and_its_layers_are_added_up() -> None:
    with ollama_store({TAG: 1_300_000_000}) as store:
        assert pull(store, key="secret") == 1_300_001_000
        assert store.asked == [{"model": TAG, "stream": True}]
        assert store.authorizations == ["Bearer secret"]


@pytest.mark.parametrize(
    ("behaviour", "tag", "says"),
    [
        ({}, "none:1b", "Ollama's library has no none:1b"),
        ({"error": "write /x: no space left on device"}, TAG, "no space left on device. Make room on the disk"),
        ({"error": "\x1b[2Jmax retries\nexceeded"}, TAG, "could not pull llama3.2:1b: [2Jmax retries exceeded."),
        ({"status": 500, "error": "busy"}, TAG, "could not pull llama3.2:1b: busy."),
        ({"status": 400, "error": ""}, TAG, "could not pull llama3.2:1b: status 400."),
        ({"cut_after": 5}, TAG, "goes on where it was cut"),
        ({"cut_after": 0}, TAG, "goes on where it was cut"),
        ({"lines": [b"<html>\n", b"[1]\n", b'{"digest": 1, "total": "x"}\n']}, TAG, "goes on where it was cut"),
        ({"lines": [b"x" * 5_000_000]}, TAG, "goes on where it was cut"),
    ],
)
def test_anything_but_success_is_told(behaviour: dict[str, object], tag: str, says: str) -> None:
    with ollama_store({TAG: 3_000_000}, **behaviour) as store, pytest.raises(NotPulled) as refused:
        pull(store, tag)
    assert says in refused.value.english
    assert "\n" not in refused.value.english
    assert refused.value.japanese != refused.value.english


def test_where_nobody_listens_it_is_said_how_to_start_one() -> None:
    with pytest.raises(NotPulled, match="No Ollama answers at"):
        pull_by_ollama(f"http://127.0.0.1:{free_port()}", TAG, None, lambda *_: None)


@pytest.mark.parametrize(
    ("said", "address"),
    [
        ("", "http://127.0.0.1:11434"),
        ("0.0.0.0", "http://127.0.0.1:11434"),
        ("box", "http://box:11434"),
        ("box:8000", "http://box:8000"),
        ("http://box", "http://box:11434"),
        ("https://box/ollama/", "https://box:443/ollama"),
        ("[::]:11434", "http://[::1]:11434"),
        (":1234", "http://127.0.0.1:1234"),
    ],
)
def test_ollamas_own_variable_says_where_it_is(said: str, address: str) -> None:
    assert ollama_address({"OLLAMA_HOST": said}) == address


@pytest.mark.parametrize("said", ["box:x", "ftp://box", "a b", "http://u:p@box"])
def test_what_is_no_address_is_told(said: str) -> None:
    with pytest.raises(Mistyped, match="OLLAMA_HOST"):
        ollama_address({"OLLAMA_HOST": said})


@pytest.mark.parametrize("tag", ["llama3.2:1b", "hf.co/o/m-GGUF:Q4_K_M", "qwen2.5"])
def test_names_of_ollamas(tag: str) -> None:
    assert checked_tag(tag) == tag


@pytest.mark.parametrize("tag", ["", "-x", "a b", "../x", "a//b", "x" * 300, "é"])
def test_what_is_no_name_of_ollamas(tag: str) -> None:
    with pytest.raises(Mistyped):
        checked_tag(tag)
