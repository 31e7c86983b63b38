"""One replica: what a call that comes, ends, succeeds or fails there changes, and what is remembered of a fault."""

from __future__ import annotations

import time
from typing import Any

import pytest

from hayate.fleet.replica import MAX_LAST_ERROR_CHARS, Replica
from hayate.fleet.spec import KEY_SHOWN, NO_PROBE
from hayate.language import Text
from hayate.reasons import Reason
from hayate.upstream_errors import (
    AnswerTooLarge,
    ConnectFailed,
    ConnectTimedOut,
    EngineError,
    StaleConnection,
    UpstreamBroke,
    UpstreamError,
    UpstreamRefused,
    UpstreamTimeout,
)
from tests.unit.fleet.made import QUICK, spec

pytestmark = pytest.mark.anyio


SECRET = "sk-engine-0123456789abcdef"


def replica(**more: Any) -> Replica:
    return Replica(spec(**more), "http://a:1", 1, QUICK)


async def test_it_is_called_by_its_deployments_name_and_its_number() -> None:
    assert replica(name="qwen").label == "qwen/1"


@pytest.mark.parametrize(("probe", "probed"), [(None, True), ("/alive", True), (NO_PROBE, False)])
async def test_one_that_nothing_probes_is_ready_unseen(probe: str | None, probed: bool) -> None:
    made = replica(probe=probe)
    assert made.health.probing is probed
    assert made.health.ready(0.0) is not probed


async def test_calls_that_come_and_end_are_counted() -> None:
    made = replica()
    for _ in range(3):
        made.enter(0.0)
    made.leave()
    assert (made.in_flight, made.ended) == (2, 1)


async def test_silence_counts_from_the_first_call_and_no_later_one_begins_it_anew() -> None:
    made = replica()
    made.enter(1000.0)
    made.enter(1000.0 + QUICK.quiet_s)
    assert not made.progress.odd(1000.0 + QUICK.quiet_s)
    assert made.progress.odd(1000.1 + QUICK.quiet_s)
    made.leave()
    made.leave()
    made.enter(2000.0)
    assert not made.progress.odd(2000.0 + QUICK.quiet_s)


async def test_an_answer_ends_the_silence_and_the_row_of_failures() -> None:
    made = replica()
    made.enter(0.0)
    assert [made.failed(ConnectFailed("refused"), 1.0, alone=False) for _ in range(2)] == [False, False]
    made.succeeded(40.0, began=2.0)
    assert made.progress.last == 40.0
    assert [made.failed(ConnectFailed("refused"), 41.0, alone=False) for _ in range(3)] == [False, False, True]


@pytest.mark.parametrize(
    "error",
    [
        UpstreamRefused("busy"),
        EngineError("no such field", status=400),
        AnswerTooLarge("82 MB"),
        StaleConnection("gone"),
    ],
)
async def test_what_an_engine_says_of_being_busy_or_of_the_request_counts_against_nobody(error: UpstreamError) -> None:
    made = replica()
    assert not any(made.failed(error, 0.0, alone=False) for _ in range(10))
    assert made.available(0.0)
    assert not made.doubt.is_set()


@pytest.mark.parametrize("error", [UpstreamBroke("cut"), UpstreamTimeout("late"), ConnectFailed("refused")])
async def test_its_own_faults_in_a_row_throw_it_out_and_have_it_probed_at_once(error: UpstreamError) -> None:
    made = replica()
    assert not made.failed(error, 0.0, alone=False)
    assert made.doubt.is_set()
    assert [made.failed(error, 0.0, alone=False) for _ in range(2)] == [False, True]
    assert not made.available(0.0)


async def test_the_only_one_there_is_goes_for_connections_that_fail_and_not_for_answers() -> None:
    answers, connections = replica(), replica()
    assert not any(answers.failed(UpstreamBroke("cut"), 0.0, alone=True) for _ in range(20))
    assert any(connections.failed(ConnectFailed("refused"), 0.0, alone=True) for _ in range(20))
    assert (answers.available(0.0), connections.available(0.0)) == (True, False)


async def test_nobody_taking_a_connection_is_a_fault_where_nothing_is_worked_on() -> None:
    """`test_health_checks` has the other half: an engine that works on a call."""
    made = replica()
    assert [made.failed(ConnectTimedOut("late"), 0.0, alone=True) for _ in range(3)] == [False, False, True]


async def test_a_fault_is_remembered_with_its_time_and_no_more_than_a_line_of_it() -> None:
    made, before = replica(), time.time()
    made.failed(UpstreamBroke("x" * 10_000), 5.0, alone=True)
    assert made.last_error is not None
    assert made.last_error.text == "x" * MAX_LAST_ERROR_CHARS
    assert before <= made.last_error.at <= time.time()
    made.failed(EngineError("no such field", status=400), 6.0, alone=True)
    assert made.last_error.text[0] == "x", "what is wrong with a request is no fault of the replica's"
    made.failed(UpstreamRefused("loading"), 7.0, alone=True)
    assert made.last_error.text == "loading"


async def test_what_is_the_matter_is_known_while_it_can_not_be_used() -> None:
    made = replica()
    assert made.trouble(0.0) is None  # nobody knows yet
    made.note(Text("probe: refused", "稼働確認: 拒否"), Reason.NOTHING_LISTENS)
    assert made.trouble(0.0) is Reason.NOTHING_LISTENS
    made.health.probe_succeeded(1.0)
    assert made.trouble(1.0) is None
    assert made.last_error is not None
    assert made.last_error.reason is Reason.NOTHING_LISTENS


async def test_what_is_remembered_is_short_and_on_one_line() -> None:
    made = replica()
    made.note(Text("\x1b[31mred\n" * 1000, "赤\n" * 1000))
    assert made.last_error is not None
    for text in (made.last_error.texts.en, made.last_error.texts.ja):
        assert len(text) <= MAX_LAST_ERROR_CHARS
        assert text.isprintable()


@pytest.mark.parametrize("before", ["", "x" * (MAX_LAST_ERROR_CHARS - 10)])
@pytest.mark.parametrize("shown", [len(SECRET), len(SECRET) - 5, 8])
async def test_a_key_that_the_engine_repeats_is_remembered_nowhere(before: str, shown: int) -> None:
    made = replica(credentials=((b"authorization", b"Bearer " + SECRET.encode()),))
    made.note(Text(before + SECRET[:shown], f"{before}キー{SECRET}。"))
    assert made.last_error is not None
    for text in (made.last_error.texts.en, made.last_error.texts.ja):
        assert SECRET[:4] not in text
    assert made.without_key(f"no {SECRET} twice {SECRET}.") == f"no {KEY_SHOWN} twice {KEY_SHOWN}."
    assert made.without_key("sk is no key") == "sk is no key"


@pytest.mark.parametrize(("reason", "lowered"), [(Reason.REFUSED, True), (Reason.LOADING, False)])
async def test_an_engine_that_refuses_calls_beside_others_gets_fewer(reason: Reason, lowered: bool) -> None:
    made = replica()
    before = made.ceiling.places
    made.in_flight = 9
    refused = UpstreamRefused("queue full", "queue full")
    refused.reason = reason
    made.failed(refused, 5.0, alone=True)
    assert (made.ceiling.places < before) is lowered
