"""Who collects an engine's answer: all of it, as much as may be held, or its first bytes; and how long that may wait."""

from __future__ import annotations

import asyncio

import pytest

from hayate.upstream.bodies import BLANKS, Collected, FirstBytes, stopped, too_large, took_too_long
from hayate.upstream_errors import AnswerTooLarge, UpstreamBroke, UpstreamTimeout
from tests.support.waiting import LAST_RESORT_S

pytestmark = pytest.mark.anyio


async def test_an_answer_is_collected_until_its_end_and_then_forgotten() -> None:
    collected = Collected(None)
    for piece in (b"a", b"", b"bc"):
        collected.body_received(piece)
        assert not collected.future.done()
    collected.body_ended()
    await collected.future
    assert collected.ended
    assert (collected.take(), collected.take()) == (b"abc", b"")


async def test_no_more_is_waited_for_than_may_be_held() -> None:
    collected = Collected(None, hold_bytes=3)
    collected.body_received(b"abc")
    assert not collected.future.done()
    collected.body_received(b"d")
    await collected.future
    assert not collected.ended, "there may be more to come"
    assert collected.take() == b"abcd"


async def test_what_comes_after_it_was_enough_is_kept_too() -> None:
    collected = Collected(None, hold_bytes=0)
    collected.body_received(b"a")
    collected.body_received(b"b")
    assert collected.take() == b"ab"


async def test_more_than_may_be_collected_is_an_error_at_once() -> None:
    collected = Collected(None, limit_bytes=3)
    collected.body_received(b"abc")
    collected.body_received(b"d")
    with pytest.raises(AnswerTooLarge, match="over 3 bytes"):
        await collected.future


async def test_a_body_that_will_not_be_whole_is_told_to_who_waits() -> None:
    collected = Collected(None)
    collected.body_received(b"a")
    collected.body_failed(UpstreamBroke("cut"))
    with pytest.raises(UpstreamBroke, match="cut"):
        await collected.future


async def test_what_fails_after_it_was_enough_fails_nobody() -> None:
    collected = Collected(None, hold_bytes=0)
    collected.body_received(b"a")
    collected.body_failed(UpstreamBroke("cut"))
    await collected.future
    ended = Collected(None)
    ended.body_ended()
    ended.body_failed(UpstreamBroke("cut"))
    await ended.future


@pytest.mark.parametrize("blanks", [b"", BLANKS, b"\n\n", b"\r\n \t"])
async def test_blanks_are_no_first_byte_and_are_kept_all_the_same(blanks: bytes) -> None:
    first = FirstBytes(None)
    first.body_received(blanks)
    assert not first.future.done()
    first.body_received(blanks + b"{")
    await first.future
    assert first.take() == blanks + blanks + b"{"


async def test_silence_that_is_too_long_ends_the_wait() -> None:
    collected = Collected(0.02)
    with pytest.raises(UpstreamTimeout, match=r"0\.02 s \(timeouts\.silence_s\)"):
        await asyncio.wait_for(collected.future, LAST_RESORT_S)


async def test_any_byte_starts_the_silence_anew() -> None:
    loop, every_s = asyncio.get_running_loop(), 0.1
    began, collected = loop.time(), Collected(0.3)
    for number in range(1, 4):
        loop.call_later(number * every_s, collected.body_received, b" ")
    with pytest.raises(UpstreamTimeout):
        await asyncio.wait_for(collected.future, LAST_RESORT_S)
    assert loop.time() - began > 3 * every_s + 0.29


async def test_who_waits_no_more_is_told_nothing() -> None:
    closed, other = Collected(0.01), Collected(0.05)
    closed.close()
    with pytest.raises(UpstreamTimeout):
        await asyncio.wait_for(other.future, LAST_RESORT_S)
    assert not closed.future.done()


def test_each_limit_is_named_by_its_setting_in_both_languages() -> None:
    for error, named in (
        (stopped(1.5), "timeouts.silence_s"),
        (took_too_long("whole_s", 1.5), "timeouts.whole_s"),
    ):
        assert error.status == 504
        assert all(named in text and "1.5" in text for text in (error.english, error.japanese))
    assert all("7" in text and "stream" in text for text in (too_large(7).english, too_large(7).japanese))
