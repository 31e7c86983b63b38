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
