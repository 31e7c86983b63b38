"""Which adapters have a control, and what an answer that is no JSON amounts to."""

from __future__ import annotations

from pathlib import Path

from hayate.backends.control import parsed
from hayate.backends.registry import NAMES, Wanted, make_backend
from tests.support.tables import table

TOKENIZER = str(Path(__file__).parents[4] / "llm/tiny/tiny-qwen2")
HOW = {"vllm": "sleep", "ollama": "keep_alive", "llamacpp": "router"}


@table("name", NAMES)
def test_three_engines_load_and_unload_their_models_and_the_others_have_theirs_as_long_as_they_run(name: str) -> None:
    backend = make_backend(Wanted(name, options={"tokenizer": TOKENIZER} if name == "triton" else {}))
    control = backend.control("m")
    assert (None if control is None else control.how) == HOW.get(name)


@table(("body", "told"), [(b'{"a":1}', {"a": 1}), (b"", None), (b"<html>", None), (b'{"a":', None)])
def test_what_is_no_json_tells_nothing(body: bytes, told: object) -> None:
    assert parsed(body) == told
