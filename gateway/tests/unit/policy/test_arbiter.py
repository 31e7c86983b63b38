"""Who is in memory, who goes and who is next."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from hayate.policy.arbiter import FIRST_RETRY_S, Arbiter
from hayate.policy.tenant import GpuTerms, State, Steps, Tenant, TenantTerms
from tests.support.tenants import terms

QUANTUM_S, MAX_WAIT_S = 15.0, 60.0


def arbiter(memory: int = 10, *others: TenantTerms, **needs: int) -> Arbiter:
    """One GPU with that much memory, and models by what they need of it."""
    made = Arbiter({"gpu0": GpuTerms(memory, QUANTUM_S, MAX_WAIT_S)})
    made.configure(made.gpus, [*others, *(terms(name, {"gpu0": need}) for name, need in needs.items())], 0.0)
    return made


def ask(tenant: Tenant, now: float, calls: int = 1) -> None:
    tenant.waiting, tenant.oldest_at = calls, now


def enter(tenant: Tenant) -> None:
    """Those that wait are let in."""
    tenant.in_flight, tenant.waiting, tenant.oldest_at = tenant.in_flight + tenant.waiting, 0, None


def names(steps: Steps) -> Mapping[str, list[str]]:
    lists = {each: getattr(steps, each) for each in ("keep", "drain", "unload", "load", "refuse")}
    return {each: [tenant.name for tenant in found] for each, found in lists.items() if found}


def loaded(made: Arbiter, name: str, now: float, load_s: float = 5.0) -> Tenant:
    """It was asked for, its calls are let in and have ended."""
    tenant = made.tenants[name]
    ask(tenant, now - load_s)
    assert tenant in made.step(now - load_s).load
    made.loading_done(tenant, now)
    tenant.waiting, tenant.oldest_at = 0, None
    return tenant


def test_what_fits_together_stays() -> None:
    made = arbiter(10, a=5, b=5)
    a, b = loaded(made, "a", 5.0), loaded(made, "b", 10.0)
    assert not made.step(1e6)
    assert (a.state, b.state) == (State.READY, State.READY)


@pytest.mark.parametrize(("load_s", "stays_s"), [(5.0, 5.0), (0.25, 0.25), (30.0, QUANTUM_S)])
def test_an_idle_one_stays_for_what_loading_it_takes_and_a_quantum_at_most(load_s: float, stays_s: float) -> None:
    made = arbiter(10, a=6, b=6)
    a, b = loaded(made, "a", 100.0, load_s), made.tenants["b"]
    a.used_at = 107.0
    ask(b, 101.0)
    assert not made.step(107.0 + stays_s - 0.1)
    assert names(made.step(107.0 + stays_s)) == {"drain": ["a"], "unload": ["a"]}
    assert not made.step(125.0)
    made.unloaded(a, 130.0)
    assert names(made.step(130.0)) == {"load": ["b"]}
    made.loading_done(b, 133.0)
    assert (b.load_s, a.unload_s, a.why) == (3.0, 23.0 - stays_s, "gave_way")


def test_a_busy_one_stays_until_somebody_has_waited_long_enough() -> None:
    made = arbiter(10, a=6, b=6)
    a, b = loaded(made, "a", 5.0), made.tenants["b"]
    a.in_flight = 2
    ask(b, 6.0)
    assert not made.step(6.0 + MAX_WAIT_S - 0.1)
    assert names(made.step(6.0 + MAX_WAIT_S)) == {"drain": ["a"]}
    a.in_flight = 1
    assert not made.step(70.0)
    a.in_flight = 0
    assert names(made.step(71.0)) == {"unload": ["a"]}


def test_who_drains_stays_where_nobody_waits_any_more() -> None:
    made = arbiter(10, a=6, b=6)
    a, b = loaded(made, "a", 5.0), made.tenants["b"]
    a.in_flight = 1
    ask(b, 6.0)
    assert names(made.step(6.0 + MAX_WAIT_S)) == {"drain": ["a"]}
    b.waiting, b.oldest_at = 0, None
    assert names(made.step(67.0)) == {"keep": ["a"]}
    assert (a.state, a.for_whom) == (State.READY, None)


def test_who_gave_way_for_one_that_can_not_be_loaded_comes_back() -> None:
    made = arbiter(10, a=6, b=6)
    a, b = loaded(made, "a", 5.0), made.tenants["b"]
    ask(b, 6.0)
    made.step(20.0)
    made.unloaded(a, 21.0)
    assert names(made.step(21.0)) == {"load": ["b"]}
    made.load_failed(b, 25.0)
    assert names(made.step(25.0)) == {"refuse": ["b"], "load": ["a"]}
    assert (a.why, b.retry_at) == ("back", 25.0 + FIRST_RETRY_S)


def test_a_failed_load_is_tried_again_after_longer_and_longer_and_told_at_once_meanwhile() -> None:
    made = arbiter(10, a=6)
    a, now = made.tenants["a"], 0.0
    ask(a, now)
    for wait_s in (1, 2, 4, 8, 16, 32, 60, 60):
        assert names(made.step(now)) == {"load": ["a"]}
        made.load_failed(a, now)
        assert (a.state, a.why, a.retry_at) == (State.FAILED, "load_failed", now + wait_s)
        assert names(made.step(now + wait_s - 0.1)) == {"refuse": ["a"]}
        now = a.retry_at


def test_one_that_ends_by_itself_is_loaded_again_at_once_and_later_each_time_it_goes_on() -> None:
    made = arbiter(10, a=6)
    a, now = loaded(made, "a", 5.0), 10.0
    for wait_s in (0, 2, 4, 8):
        made.crashed(a, now)
        assert (a.why, a.wanted, a.retry_at) == ("crashed", True, now + wait_s)
        now = a.retry_at
        assert names(made.step(now)) == {"load": ["a"]}
        assert a.why == "back"
        made.loading_done(a, now + 1)
        now += 2
    made.step(now + 60.0)
    made.crashed(a, now + 61.0)
    assert a.retry_at == now + 61.0


def test_the_operator_loads_as_a_caller_would_and_unloads_whatever_is_pinned() -> None:
    made = arbiter(10, terms("p", {"gpu0": 6}, pin=True, preload=True), a=6)
    p, a = made.tenants["p"], made.tenants["a"]
    assert names(made.step(0.0)) == {"load": ["p"]}
    assert p.why == "preload"
    made.loading_done(p, 1.0)
    made.load(a, 2.0)
    assert not made.step(2.0)
    assert (a.state, a.why, a.failures) == (State.FAILED, "too_large", 1)
    made.unload(p, 3.0)
    assert names(made.step(3.0)) == {"drain": ["p"], "unload": ["p"]}
    made.unloaded(p, 4.0)
    made.load(a, 5.0)
    assert names(made.step(5.0)) == {"load": ["a"]}
    made.loading_done(a, 6.0)
    assert (p.why, a.asked_at, a.first_at) == ("operator", None, None)


def test_what_the_operator_wants_while_it_goes_is_loaded_once_it_is_gone() -> None:
    made = arbiter(10, a=6)
    a = loaded(made, "a", 5.0)
    made.unload(a, 6.0)
    assert names(made.step(6.0)) == {"drain": ["a"], "unload": ["a"]}
    made.load(a, 7.0)
    made.unloaded(a, 8.0)
    assert names(made.step(8.0)) == {"load": ["a"]}


def test_one_that_can_not_be_unloaded_stays_and_is_left_alone_for_a_while() -> None:
    made = arbiter(10, a=6, b=6)
    a, b = loaded(made, "a", 5.0), made.tenants["b"]
    ask(b, 6.0)
    made.step(30.0)
    made.unload_failed(a, 31.0)
    assert (a.state, a.why) == (State.READY, "stuck")
    assert not made.step(90.0)
    assert names(made.step(91.0)) == {"drain": ["a"], "unload": ["a"]}


def test_a_reload_keeps_what_is_loaded_and_lets_go_of_what_is_not_named_or_run_otherwise() -> None:
    made = arbiter(20, a=6, b=6, c=6)
    a, b, c = (loaded(made, name, 10.0 * number) for number, name in enumerate("abc", 1))
    b.in_flight = 1
    made.configure(made.gpus, [terms("a", {"gpu0": 7}), terms("c", {"gpu0": 6})], 40.0, changed=["c"])
    assert (made.tenants["a"], made.removed) == (a, [b, c])
    anew = made.tenants["c"]
    ask(anew, 40.0)
    assert names(made.step(40.0)) == {"drain": ["b", "c"], "unload": ["c"]}
    made.unloaded(c, 41.0)
    assert made.removed == [b]
    assert names(made.step(41.0)) == {"load": ["c"]}
    b.in_flight = 0
    assert names(made.step(42.0)) == {"unload": ["b"]}
    made.unloaded(b, 43.0)
    assert (list(made), c.why) == ([a, anew], "removed")


def test_one_that_nobody_uses_goes_after_a_while_unless_it_is_pinned() -> None:
    made = arbiter(
        10, terms("a", {"gpu0": 5}, idle_unload_s=30.0), terms("p", {"gpu0": 5}, idle_unload_s=30.0, pin=True)
    )
    loaded(made, "a", 5.0)
    loaded(made, "p", 15.0)
    assert not made.step(34.9)
    assert names(made.step(35.0)) == {"drain": ["a"], "unload": ["a"]}
    assert not made.step(1e6)


def test_one_that_is_found_in_memory_stays_if_it_fits_and_one_that_is_lost_is_loaded_for_the_next_call() -> None:
    made = arbiter(10, a=6, b=6)
    a, b = made.tenants["a"], made.tenants["b"]
    made.found(a, 1.0)
    made.found(b, 1.0)
    assert names(made.step(1.0)) == {"drain": ["b"], "unload": ["b"]}
    made.lost(a, 2.0)
    made.unloaded(b, 2.0)
    assert not made.step(2.0)
    ask(a, 3.0)
    assert names(made.step(3.0)) == {"load": ["a"]}


def test_two_loads_on_one_gpu_come_one_after_the_other_and_whoever_waits_longest_is_first() -> None:
    made = arbiter(10, a=5, b=5)
    a, b = made.tenants["a"], made.tenants["b"]
    ask(a, 2.0)
    ask(b, 1.0)
    assert names(made.step(3.0)) == {"load": ["b"]}
    assert not made.step(4.0)
    made.loading_done(b, 5.0)
    assert names(made.step(5.0)) == {"load": ["a"]}


def test_a_turn_lasts_as_long_as_its_loading_took_and_until_those_are_let_in_that_waited() -> None:
    made = arbiter(10, a=6, b=6)
    a, b = loaded(made, "a", 100.0, load_s=30.0), made.tenants["b"]
    a.in_flight = 1
    ask(b, 10.0)
    assert not made.step(129.9)
    a.waiting, a.oldest_at = 1, 99.0
    assert names(made.step(130.0)) == {"drain": ["a"]}, "a quantum was long enough to let them in"


def test_what_nobody_waits_for_takes_memory_that_is_free_and_no_other() -> None:
    made = arbiter(10, terms("p", {"gpu0": 6}, preload=True), a=6)
    ask(made.tenants["a"], 0.0)
    assert names(made.step(0.0)) == {"load": ["a"]}
    made.loading_done(made.tenants["a"], 1.0)
    enter(made.tenants["a"])
    made.tenants["a"].in_flight = 0
    assert not made.step(1e6)


def test_what_is_pinned_stays_where_its_memory_would_do() -> None:
    made = arbiter(10, terms("p", {"gpu0": 5}, pin=True), a=3, b=4)
    p, a = loaded(made, "p", 5.0), loaded(made, "a", 10.0)
    b = made.tenants["b"]
    ask(b, 20.0)
    assert names(made.step(1e6)) == {"drain": ["a"], "unload": ["a"]}
    made.unloaded(a, 1e6)
    assert names(made.step(1e6)) == {"load": ["b"]}
    assert p.state is State.READY


def test_memory_that_becomes_free_for_one_is_not_for_those_behind_it() -> None:
    made = arbiter(10, a=4, b=4, large=10, small=2)
    a, b = loaded(made, "a", 5.0), loaded(made, "b", 10.0)
    large, small = made.tenants["large"], made.tenants["small"]
    a.in_flight = b.in_flight = 1
    ask(large, 10.0)
    assert names(made.step(10.0 + MAX_WAIT_S)) == {"drain": ["a", "b"]}
    ask(small, 71.0)
    b.in_flight = 0
    assert names(made.step(72.0)) == {"unload": ["b"]}
    made.unloaded(b, 73.0)
    assert not made.step(73.0)
    a.in_flight = 0
    made.step(74.0)
    made.unloaded(a, 75.0)
    assert names(made.step(75.0)) == {"load": ["large"]}
    assert small.state is State.UNLOADED


def test_one_that_is_due_and_waits_for_a_turn_to_end_is_not_passed_by_small_ones() -> None:
    made = arbiter(10, a=6, large=9, small=2)
    a, large, small = loaded(made, "a", 100.0), made.tenants["large"], made.tenants["small"]
    a.in_flight = 1
    ask(large, 10.0)
    ask(small, 101.0)
    assert not made.step(101.0)
    assert names(made.step(105.0)) == {"drain": ["a"]}


def test_nobody_gives_way_to_two() -> None:
    made = arbiter(10, a=5, b=5, c=5, d=5)
    for number, name in enumerate("ab", 1):
        loaded(made, name, 5.0 * number).in_flight = 1
    for name in "cd":
        ask(made.tenants[name], 11.0)
    assert names(made.step(11.0 + MAX_WAIT_S)) == {"drain": ["a", "b"]}
    assert [made.tenants[name].for_whom for name in "ab"] == [made.tenants["c"], made.tenants["d"]]


def test_who_is_behind_another_has_that_one_begin_earlier() -> None:
    made = arbiter(10, a=6, b=6, c=6)
    a, b, c = loaded(made, "a", 5.0), made.tenants["b"], made.tenants["c"]
    a.in_flight, b.load_s, c.load_s = 1, 5.0, 5.0
    ask(b, 10.0)
    assert not made.step(10.0 + MAX_WAIT_S - 0.1)
    ask(c, 11.0)
    assert not made.step(11.0 + MAX_WAIT_S - 10.1)
    assert names(made.step(11.0 + MAX_WAIT_S - 10.0)) == {"drain": ["a"]}


def test_nobody_gives_way_where_there_is_room_and_another_is_still_being_loaded() -> None:
    made = arbiter(15, a=5, b=5, idle=5)
    loaded(made, "idle", 5.0)
    a, b = made.tenants["a"], made.tenants["b"]
    ask(a, 100.0)
    assert names(made.step(100.0)) == {"load": ["a"]}
    ask(b, 101.0)
    assert not made.step(101.0 + MAX_WAIT_S)
    made.loading_done(a, 170.0)
    assert names(made.step(170.0)) == {"load": ["b"]}


def test_one_that_ends_while_it_is_unloaded_has_crashed() -> None:
    made = arbiter(10, a=6)
    a = loaded(made, "a", 5.0)
    made.unload(a, 6.0)
    made.step(6.0)
    made.crashed(a, 7.0)
    made.unloaded(a, 8.0)
    made.unload_failed(a, 8.0)
    assert (a.state, a.why, a.wanted, a.leaving) == (State.FAILED, "crashed", False, None)
