"""What an engine's stream may do wrong: told in both languages, with what the caller can do."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from hayate.upstream_errors import UpstreamBroke
from hayate.wire.faults import UNREADABLE, given_up, too_early, unreadable

NAMES = st.sampled_from(["choices", "delta", "content", "usage", "completion_tokens"])
ANY = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=2),
    lambda values: st.lists(values, max_size=2) | st.dictionaries(NAMES, values, max_size=3),
)


@pytest.mark.parametrize("error", [unreadable(), too_early(), given_up("abort"), given_up("error")])
def test_each_is_the_engines_fault_and_has_words_in_both_languages(error: UpstreamBroke) -> None:
    assert (error.status, error.code) == (502, "upstream_error")
    assert not error.safe_to_retry, "the engine has seen the call"
    assert error.english.isascii()
    assert not error.japanese.isascii()


def test_an_engine_that_shuts_down_is_told_from_one_that_gave_up_for_a_reason() -> None:
    assert "shutting down" in given_up("abort").english
    for reason in ("error", "timeout", None, 7):
        told = given_up(reason)
        assert "shutting down" not in told.english
        assert all(f"{reason}" in text for text in (told.english, told.japanese))


@given(ANY)
@example(float("inf"))
def test_whatever_shape_an_event_has_reading_it_raises_nothing_else(event: Any) -> None:
    readings: tuple[Callable[[], Any], ...] = (
        lambda: "" + event["choices"][0]["delta"]["content"].strip(),
        lambda: event["usage"].get("completion_tokens"),
        lambda: int(event["completion_tokens"]) + 1,
        lambda: int(event),
    )
    for read in readings:
        with contextlib.suppress(*UNREADABLE):
            read()
