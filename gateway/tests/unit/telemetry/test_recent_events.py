"""The last events, as they were said: bounded, plain, in both languages."""

from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st

from hayate.language import Text
from hayate.telemetry.recent_events import MAX_CHARS, MAX_EVENTS, RecentEvents

AT = 1_790_000_000.5


def test_an_event_is_told_as_a_sentence_and_as_a_line() -> None:
    recent = RecentEvents()
    recent.say(AT, "replica_ready", {"replica": "qwen/0"})
    (found,) = recent.last(10)
    assert (found.at, found.event, found.level) == (AT, "replica_ready", "good")
    assert found.text == Text("qwen/0 is up", "qwen/0が応答しています")
    assert json.loads(found.line)["replica"] == "qwen/0"


def test_the_latest_are_last_and_no_more_are_remembered_than_there_is_room_for() -> None:
    recent = RecentEvents()
    for number in range(MAX_EVENTS + 20):
        recent.say(AT + number, "stopped", {})
    assert [each.at - AT for each in recent.last(2)] == [MAX_EVENTS + 18, MAX_EVENTS + 19]
    assert len(recent.last(10 * MAX_EVENTS)) == MAX_EVENTS


def test_what_is_long_is_cut_and_what_acts_on_a_terminal_is_escaped() -> None:
    recent = RecentEvents()
    recent.say(AT, "library", {"logger": "x", "message": "\x1b[31m" + "y" * 100_000, "traceback": "one\ntwo"})
    (found,) = recent.last(1)
    assert len(found.line) <= MAX_CHARS
    assert "\x1b" not in found.text.en + found.text.ja
    assert max(len(found.text.en), len(found.text.ja)) < 5 * MAX_CHARS


@given(event=st.text(max_size=30), facts=st.dictionaries(st.text(max_size=10), st.text(max_size=50), max_size=4))
def test_whatever_is_said_is_remembered(event: str, facts: dict[str, str]) -> None:
    recent = RecentEvents()
    recent.say(AT, event, facts)
    assert [each.event for each in recent.last(1)] == [event]


def test_bytes_that_are_no_text_are_told_all_the_same() -> None:
    recent = RecentEvents()
    recent.say(AT, "key_made", {"file": "/tmp/\udcff"})
    assert recent.last(1)[0].line.startswith("{")
