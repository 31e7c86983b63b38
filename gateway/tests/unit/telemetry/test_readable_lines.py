"""The log for people: columns that stand under each other, and nothing that acts on a terminal."""

from __future__ import annotations

import re
import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hayate.language import Language
from hayate.telemetry.notices import SENTENCES
from hayate.telemetry.readable_lines import ReadableLines, tokens_per_s
from hayate.terminal import Paint, width
from hayate.wire.usage import Usage
from tests.support.tables import table
from tests.unit.telemetry.records import record

ENGLISH, JAPANESE = ReadableLines("en", Paint()), ReadableLines("ja", Paint())
CLOCK = time.strftime("%H:%M:%S", time.localtime(1_790_000_000))
ANY_TEXT = st.text(st.characters(codec=None), max_size=300)
NASTY = ["\x1b[2J", "a\nb", "\r\x9b31m", "\u202ereversed", "\x00", "\u2028", "\ud800", "全" * 300, "\U000e0041"]


def usage(tokens: int, exact: bool = True) -> Usage:
    return Usage(prompt_tokens=5, completion_tokens=tokens, exact=exact)


def test_a_streamed_call_says_how_fast_it_was() -> None:
    call = record(key="main", model="fast", stream=True, ttft_s=0.5, usage=usage(31))
    assert ENGLISH.call(call) == f"{CLOCK} main     fast                200 TTFT   0.50s     31 tokens   20.0/s\n"
    assert JAPANESE.call(call) == f"{CLOCK} main     fast                200 TTFT  0.50秒     31トークン   20.0/秒\n"


def test_a_whole_answer_says_how_long_it_took_and_a_count_of_ours_is_about_right() -> None:
    call = record(key="main", model="fast", usage=usage(30, exact=False))
    assert ENGLISH.call(call).endswith("200 took   2.00s    ~30 tokens   15.0/s\n")
    assert ENGLISH.call(record(usage=usage(0))).endswith("200 took   2.00s\n")


@table(
    ("facts", "english", "japanese"),
    [
        ({"status": 429, "error": "rate_limit_exceeded"}, "429 rate limit", "429 レート制限"),
        ({"status": 401, "error": "invalid_api_key"}, "401 no key, or a wrong one", "401 APIキーがないか不正"),
        ({"status": 499}, "499 client left", "499 クライアントが切断"),
        (
            {"status": 499, "usage": usage(7, False)},
            "499 client left (~7 tokens)",
            "499 クライアントが切断 (~7トークン)",
        ),
        ({"status": 400, "error": "engines_own"}, "400 engines_own", "400 engines_own"),
        ({"status": 500, "error": "a\nb\x1b"}, "500 a\\nb\\x1b", "500 a\\nb\\x1b"),
    ],
)
def test_a_call_without_an_answer_says_why(facts: dict[str, Any], english: str, japanese: str) -> None:
    assert ENGLISH.call(record(**facts)).rstrip("\n").endswith(english)
    assert JAPANESE.call(record(**facts)).rstrip("\n").endswith(japanese)


@table("model", ["", "Qwen/Qwen2.5-72B-Instruct-AWQ", "日本語のとても長い名前", "é" * 99])
@table("lines", [ENGLISH, JAPANESE])
@table("columns", [40, 80, 100, 300])
def test_the_columns_stand_under_each_other(lines: ReadableLines, model: str, columns: int) -> None:
    fast = lines.call(record(key="main", model=model, ttft_s=0.5, usage=usage(31)), columns).rstrip("\n")
    slow = lines.call(record(key="a-team-with-a-name", ttft_s=1.0, usage=usage(12345)), columns).rstrip("\n")
    assert width(fast) == width(slow) <= max(80, columns)
    assert width(fast[: fast.index(" 200 ")]) == width(slow[: slow.index(" 200 ")])


def test_a_wider_terminal_shows_more_of_the_names() -> None:
    call = record(key="a-team-of-ours", model="Qwen/Qwen2.5-72B-Instruct-AWQ")
    assert "Qwen/Qwen2.5-72B-I… " in ENGLISH.call(call, 80)
    assert "a-team-of-ours   Qwen/Qwen2.5-72B-Instruct-AWQ  " in ENGLISH.call(call, 160)


def test_the_whole_id_of_a_key_needs_four_columns_more() -> None:
    assert " 6b01ba9… " in ENGLISH.call(record(key="6b01ba977411"), 80)
    assert " 6b01ba977411 " in ENGLISH.call(record(key="6b01ba977411"), 84)


@given(model=ANY_TEXT, error=ANY_TEXT, key=ANY_TEXT, columns=st.integers(0, 500))
def test_no_name_is_more_than_text_in_its_column(model: str, error: str, key: str, columns: int) -> None:
    for lines in (ENGLISH, JAPANESE):
        said = lines.calls([record(model=model, key=key, status=400, error=error)]).decode()
        assert said.endswith("\n")
        assert said[:-1].isprintable()
        line = lines.call(record(model=model, key=key), columns)
        assert width(line.rstrip("\n")) <= max(80, columns)


@table("event", [*SENTENCES, "something_new"])
@table("text", NASTY)
def test_no_fact_of_an_event_acts_on_the_terminal(event: str, text: str) -> None:
    facts = dict.fromkeys(("replica", "state", "reason", "url", "file", "logger", "message", "lines", "stream"), text)
    said = ENGLISH.event(1_790_000_000, event, facts).decode()
    assert re.fullmatch(rf"{CLOCK} .*\n(?: {{9}}.*\n)*", said)
    assert all(line.isprintable() for line in said.splitlines())


def test_an_event_of_several_lines_goes_on_below() -> None:
    said = ENGLISH.event(1_790_000_000, "reload_refused", {"reason": "a.yaml: line 3: x\na.yaml: line 9: y"}).decode()
    assert said == (
        f"{CLOCK} The new configuration has mistakes, and the old one stays:\n"
        "         a.yaml: line 3: x\n         a.yaml: line 9: y\n"
    )


@pytest.mark.parametrize(("status", "code"), [(200, 32), (404, 33), (499, 2), (503, 31)])
def test_the_status_has_a_colour_that_ends_with_it(status: int, code: int) -> None:
    said = ReadableLines("en", Paint(True)).call(record(status=status, model="\x1b[31m"))
    assert f"\x1b[{code}m{status}\x1b[0m" in said
    assert said.count("\x1b[") == 2 * said.count("\x1b[0m")


def test_speed_is_told_where_there_is_one() -> None:
    assert tokens_per_s(record(ttft_s=1.0, usage=usage(1))) is None
    assert tokens_per_s(record(ttft_s=1.99, usage=usage(9))) is None  # all at once
    assert tokens_per_s(record(ttft_s=1.0, usage=usage(11))) == 10.0
    assert tokens_per_s(record(usage=usage(10))) == 5.0


@pytest.mark.parametrize("language", ["en", "ja"])
def test_a_batch_is_as_many_lines(language: Language) -> None:
    assert ReadableLines(language, Paint()).calls([record(), record()]).count(b"\n") == 2
