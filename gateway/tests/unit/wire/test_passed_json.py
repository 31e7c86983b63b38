"""A large JSON answer passes as it came; its usage is found near either end, however it arrives."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hayate.wire.passed_json import PassedJson

USAGE = b'"usage":{"prompt_tokens":7,"total_tokens":7,"prompt_tokens_details":{"cached_tokens":2}}'
NUMBERS = b'"data":[' + b"0.125," * 40_000 + b"0]"


@pytest.mark.parametrize(
    "raw", [b"{" + NUMBERS + b"," + USAGE + b"}", b"{" + USAGE + b"," + NUMBERS + b"}"], ids=["end", "start"]
)
@given(cuts=st.lists(st.integers(0, 250_000), max_size=6))
def test_usage_is_found_however_the_bytes_arrive(raw: bytes, cuts: list[int]) -> None:
    edges = sorted({0, len(raw), *(cut % len(raw) for cut in cuts)})
    decoder = PassedJson()
    passed = b"".join(decoder.feed(raw[a:b]) for a, b in itertools.pairwise(edges)) + decoder.end()
    decoder.usage.settle(whole=True)
    assert passed == raw
    assert (decoder.usage.prompt_tokens, decoder.usage.cached_tokens, decoder.usage.exact) == (7, 2, True)


@given(st.lists(st.binary(max_size=40), max_size=20))
def test_whatever_passes_is_untouched(pieces: list[bytes]) -> None:
    decoder = PassedJson()
    assert b"".join(map(decoder.feed, pieces)) + decoder.end() == b"".join(pieces)
