"""A look at a gateway is read from whatever it told, and its speed lies between two of them."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from hayate.tools.top.look import Look, read_look, tokens_per_s
from tests.unit.tools.top.told import BOT, LANE, call, calls, deployment

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from([*LANE, *deployment()]), inner),
    max_leaves=20,
)


def made(tokens: int | None, at: float, name: str = "qwen") -> Look:
    return read_look(at, {"deployments": [deployment(name=name, output_tokens=tokens)]}, None)


def test_all_that_is_told_is_read() -> None:
    look = read_look(5.0, {"deployments": [deployment(LANE, BOT)], "new": 1}, calls(call(2.5), call(10), call(3)))
    [qwen] = look.deployments
    assert (qwen.name, qwen.engine, qwen.gpus, qwen.capacity, qwen.spare) == ("qwen", "vllm", ["gpu0"], 32, 4)
    assert (qwen.in_flight, qwen.queued, qwen.lane_count, qwen.output_tokens) == (35, 466, 2, 1000)
    [ceiling] = qwen.ceilings
    assert (ceiling.replica, ceiling.places, ceiling.spare, ceiling.why) == ("qwen/0", 32, 4, "raised")
    batch, bot = qwen.lanes
    assert (batch.key, batch.project, batch.weight, batch.waiting, batch.wait_p95_s) == (
        "6b01ba977411",
        "batch",
        1,
        466,
        78.25,
    )
    assert (bot.low, bot.oldest_s, bot.wait_p50_s) == (False, 0, 0)
    assert look.calls is not None
    assert [each.running_s for each in look.calls] == [10, 3, 2.5]
    assert look.call_count == 3


def test_what_is_not_told_is_left_open() -> None:
    look = read_look(0.0, {"deployments": [{"lanes": [{}], "ceilings": [{}]}]}, None)
    assert (look.calls, look.call_count) == (None, None)
    [lone] = look.deployments
    assert (lone.name, lone.capacity, lone.lanes[0].key, lone.lanes[0].waiting, lone.ceilings[0].why) == (
        "?",
        None,
        "?",
        None,
        "?",
    )


@given(
    queue=st.dictionaries(st.just("deployments"), JSON), told=st.none() | st.dictionaries(st.just("in_flight"), JSON)
)
def test_anything_may_be_told(queue: dict[str, Any], told: dict[str, Any] | None) -> None:
    read_look(0.0, queue, told)


def test_the_speed_is_what_was_made_between_two_looks() -> None:
    assert tokens_per_s(made(1000, 10.0), made(1500, 12.0)) == {"qwen": 250.0}
    assert tokens_per_s(made(1000, 10.0), made(1000, 12.0)) == {"qwen": 0.0}


def test_a_counter_that_began_anew_is_none_and_of_what_is_not_known_nothing_is_told() -> None:
    first = made(1000, 10.0)
    assert tokens_per_s(first, made(20, 12.0)) == {"qwen": 0.0}
    for later in (made(None, 12.0), made(2000, 12.0, "other"), first):
        assert tokens_per_s(first, later) == {}
