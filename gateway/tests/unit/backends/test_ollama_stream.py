"""Ollama's lines become OpenAI's events, whole and in order, and its ways to fail become ours."""

from __future__ import annotations

import json
from typing import Any

import pytest

from hayate.backends.ollama_stream import OllamaStream
from hayate.wire import sse
from hayate.wire.chunks import ChunkWriter
from tests.support.tables import table

DONE = {"done": True, "done_reason": "stop", "prompt_eval_count": 5, "eval_count": 2}


def stream(*, chat: bool = True) -> OllamaStream:
    writer = ChunkWriter(answer_id="chatcmpl-ab", created=1, model="m", chat=chat, include_usage=True)
    return OllamaStream(writer, chat=chat)


def line(content: dict[str, Any]) -> bytes:
    return json.dumps(content, ensure_ascii=False).encode() + b"\n"


def said(text: str = "", **message: Any) -> bytes:
    return line({"model": "m", "message": {"role": "assistant", "content": text, **message}, "done": False})


def events(raw: bytes) -> list[Any]:
    return [json.loads(data) for frame in sse.frames(raw) if (data := sse.data_of(frame)) and data != b"[DONE]"]


def deltas(raw: bytes) -> list[Any]:
    return [each["choices"][0]["delta"] for each in events(raw) if each["choices"]]


RAW = said(thinking="まず") + said("こん") + said("にちは😀") + line({"message": {"content": ""}, **DONE})


@table("size", range(1, len(RAW) + 1))
def test_events_do_not_depend_on_how_bytes_arrive(size: int) -> None:
    whole, split = stream(), stream()
    expected = whole.feed(RAW) + whole.end()
    got = b"".join([split.feed(RAW[at : at + size]) for at in range(0, len(RAW), size)]) + split.end()
    assert got == expected
    assert split.finished


def test_an_answer_has_role_thinking_text_finish_and_counts() -> None:
    decoder = stream()
    raw = decoder.feed(RAW)
    assert deltas(raw) == [
        {"role": "assistant", "content": ""},
        {"reasoning_content": "まず"},
        {"content": "こん"},
        {"content": "にちは😀"},
        {},
    ]
    assert events(raw)[-1]["usage"] == {"prompt_tokens": 5, "completion_tokens": 2, "total_tokens": 7}
    assert (decoder.finish_reason, decoder.usage.exact, decoder.failure) == ("stop", True, None)
    assert raw.endswith(sse.DONE)


def test_tool_calls_have_ids_indices_and_arguments_as_text() -> None:
    decoder = stream()
    one = {"function": {"name": "f", "arguments": {"city": "東京"}}}
    two = {"id": "theirs", "function": {"name": "g", "arguments": {}}}
    raw = decoder.feed(said(tool_calls=[one]) + said(tool_calls=[two]) + line({"message": {"content": ""}, **DONE}))
    calls = [call for delta in deltas(raw) for call in delta.get("tool_calls", ())]
    assert [(call["index"], call["id"], call["function"]["arguments"]) for call in calls] == [
        (0, "call_ab_0", '{"city":"東京"}'),
        (1, "theirs", "{}"),
    ]
    assert decoder.finish_reason == "tool_calls"


def test_a_cut_off_answer_says_length_even_after_a_call() -> None:
    decoder = stream()
    call = {"function": {"name": "f", "arguments": {}}}
    decoder.feed(said(tool_calls=[call]) + line({"message": {}, **DONE, "done_reason": "length"}))
    assert decoder.finish_reason == "length"


@pytest.mark.parametrize("reason", ["load", "unload", "something new"])
def test_an_end_without_generating_is_a_failure(reason: str) -> None:
    decoder = stream()
    decoder.feed(line({"message": {"content": ""}, **DONE, "done_reason": reason}))
    assert decoder.failure is not None
    assert reason in decoder.failure.english


def test_an_error_line_ends_the_answer() -> None:
    decoder = stream()
    raw = decoder.feed(said("こん") + line({"error": "boom"}) + said("never shown"))
    assert [delta.get("content") for delta in deltas(raw)] == ["", "こん"]
    assert decoder.failure is not None
    assert (decoder.failure.status, "boom" in decoder.failure.english) == (502, True)
    assert decoder.end() == b""


@pytest.mark.parametrize("raw", [said("こん"), b"", said("こん") + b'{"mess'], ids=["text", "nothing", "half a line"])
def test_an_end_without_done_is_too_early(raw: bytes) -> None:
    decoder = stream()
    decoder.feed(raw)
    decoder.end()
    assert not decoder.finished
    assert decoder.failure is not None


def test_a_last_line_without_its_line_break_counts() -> None:
    decoder = stream()
    decoder.feed(said("a") + line({"message": {}, **DONE}).rstrip())
    assert decoder.end().endswith(sse.DONE)
    assert decoder.failure is None


def test_what_is_not_json_is_a_failure() -> None:
    for junk in (b"<html>\n", b"{\n"):
        decoder = stream()
        decoder.feed(junk)
        assert decoder.failure is not None


def test_text_completions_and_their_log_probabilities() -> None:
    decoder = stream(chat=False)
    top = [{"token": "a", "logprob": -0.5}, {"token": "b", "logprob": -1}]
    lines = [
        {"response": token, "done": False, "logprobs": [{"token": token, "logprob": -0.5, "top_logprobs": top}]}
        for token in ("ab", "c")
    ]
    raw = decoder.feed(b"".join(map(line, lines)) + line({"response": "", **DONE}))
    told = [each["choices"][0] for each in events(raw) if each["choices"]]
    assert [each["text"] for each in told] == ["ab", "c", ""]
    assert [each["logprobs"]["text_offset"] for each in told[:2]] == [[0], [2]]
    assert told[0]["logprobs"]["top_logprobs"] == [{"a": -0.5, "b": -1}]
    assert told[0]["logprobs"]["tokens"] == ["ab"]


def test_chat_log_probabilities_have_bytes() -> None:
    decoder = stream()
    given = {"model": "m", "message": {"content": "あ"}, "logprobs": [{"token": "あ", "logprob": -0.1}], "done": False}
    told = events(decoder.feed(line(given)))[-1]["choices"][0]["logprobs"]["content"]
    assert told == [{"token": "あ", "logprob": -0.1, "bytes": list("あ".encode()), "top_logprobs": []}]


@table("nothing", [b"null\n", b"[]\n", b'"x"\n', b"7\n", b"{}\n", b"\n", b" \r\n"])
def test_lines_that_carry_nothing_change_nothing(nothing: bytes) -> None:
    plain, between = stream(), stream()
    expected = plain.feed(RAW) + plain.end()
    lines = RAW.splitlines(keepends=True)
    assert between.feed(nothing.join([*lines[:-1], lines[-1]])) + between.end() == expected
    assert between.failure is None


@pytest.mark.parametrize("lacks", [1, 2])
def test_the_bodys_end_ends_the_last_line(lacks: int) -> None:
    raw = RAW.replace(b"\n", b"\r\n") if lacks == 2 else RAW
    decoder = stream()
    assert (decoder.feed(raw[:-lacks]) + decoder.end()).endswith(sse.DONE)
    assert (decoder.finished, decoder.failure) == (True, None)


@table("counts", [-5, 1e30, "7", None, 2.0])
def test_counts_that_are_none_break_nothing(counts: Any) -> None:
    decoder = stream()
    decoder.feed(said("a") + line({**DONE, "eval_count": counts, "prompt_eval_count": counts}))
    assert decoder.usage.completion_tokens == (2 if counts == 2.0 else 1)


def test_half_a_character_reaches_the_client_as_json() -> None:
    decoder = stream()
    raw = decoder.feed(b'{"message":{"content":"\\ud83e"}}\n{"message":{"content":"\\udd8a"}}\n' + line(DONE))
    assert [each["content"] for each in deltas(raw) if each.get("content")] == ["\ud83e", "\udd8a"]


def test_what_came_before_an_odd_line_is_sent() -> None:
    decoder = stream()
    raw = decoder.feed(said("a") + line({"message": {"tool_calls": 7}}) + said("b"))
    assert deltas(raw)[-1] == {"content": "a"}
    assert decoder.failure is not None
