"""Of an answer too dense to be read, usage and endings are found as reading it would find them."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hayate.backends.openai_compat import OpenAICompatible
from hayate.upstream_errors import UpstreamBroke
from hayate.wire.engine_json import TooDense, read
from hayate.wire.glance import reasons_in, usage_in

USAGE = {"prompt_tokens": 5, "completion_tokens": 300, "prompt_tokens_details": {"cached_tokens": 2}}
TOP = [{"token": f"t{n}", "logprob": -n / 3, "bytes": [97, 98]} for n in range(20)]


def answer(tokens: int, reason: str | None = "stop", text: str = "x") -> bytes:
    """A chat answer with twenty log probabilities beside each token."""
    content = [{"token": "a", "logprob": -0.1, "bytes": [97], "top_logprobs": TOP}] * tokens
    choice = {"index": 0, "message": {"role": "assistant", "content": text}, "logprobs": {"content": content}}
    return json.dumps({"id": "c", "choices": [{**choice, "finish_reason": reason}], "usage": USAGE}).encode()


@pytest.mark.parametrize("tokens", [1, 10, 300, 3000])
def test_log_probabilities_pass_whatever_there_is_of_them(tokens: int) -> None:
    raw = answer(tokens, "length", 'say "usage": {"prompt_tokens": 7} and "finish_reason": "abort"')
    whole = OpenAICompatible().whole_answer(raw)
    assert whole.body is raw
    assert (whole.usage.prompt_tokens, whole.usage.completion_tokens, whole.usage.cached_tokens) == (5, 300, 2)
    assert (whole.usage.exact, whole.finish_reason) == (True, "length")


def test_the_last_of_these_is_too_dense_to_be_read() -> None:
    with pytest.raises(TooDense):
        read(answer(300))


@pytest.mark.parametrize(
    "raw", [answer(300, "abort"), b'{"data":[%b0]}' % (b"0.5," * 200_000), b"[%b0]" % (b'{"choices":1},' * 50_000)]
)
def test_what_is_no_answer_is_none_however_dense(raw: bytes) -> None:
    with pytest.raises(UpstreamBroke):
        OpenAICompatible().whole_answer(raw)


NUMBERS = st.integers(-(2**53), 2**53)
counts = st.dictionaries(st.sampled_from([*USAGE, "x"]), NUMBERS | st.none() | st.dictionaries(st.text(), NUMBERS))


@given(st.text(), counts, st.sampled_from(["stop", "length", "tool_calls", None]), st.booleans())
def test_a_glance_sees_what_reading_sees(text: str, usage: dict[str, Any], reason: str | None, spaced: bool) -> None:
    whole = {"choices": [{"text": text, "finish_reason": reason}], "usage": usage, "more": {"text": text}}
    raw = json.dumps(whole, separators=None if spaced else (",", ":")).encode()
    seen = usage_in(raw)
    assert seen == usage or (seen is None and any(isinstance(each, dict) for each in usage.values()))
    assert reasons_in(raw) == ([reason] if reason else [])


@given(st.binary(max_size=200))
def test_any_bytes_are_glanced_at(raw: bytes) -> None:
    usage_in(raw)
    usage_in(raw + b'"usage":{' + raw)
    reasons_in(b'{"choices"' + raw)
