"""What is known of a model."""

from __future__ import annotations

import pytest

from hayate.policy.tenant import State, Steps, Tenant
from tests.support.tenants import terms


def test_a_new_one_is_nowhere_and_asked_for_by_nobody() -> None:
    tenant = Tenant(terms("fast", {"gpu0": 5}), 7.0)
    assert (tenant.state, tenant.why, tenant.since, tenant.wanted) == (State.UNLOADED, "new", 7.0, False)
    assert tenant.idle
    assert tenant.first_at is None
    assert repr(tenant) == "<fast unloaded, new>"
    assert Tenant(terms("fast", {}, preload=True), 7.0).wanted


@pytest.mark.parametrize(
    ("calls", "operator", "first"), [(None, 3.0, 3.0), (2.0, None, 2.0), (2.0, 3.0, 2.0), (4.0, 3.0, 3.0)]
)
def test_the_operator_waits_as_a_call_does(calls: float | None, operator: float | None, first: float) -> None:
    tenant = Tenant(terms("fast", {}), 0.0)
    tenant.oldest_at, tenant.asked_at = calls, operator
    assert tenant.first_at == first


def test_a_state_has_a_reason_and_a_beginning() -> None:
    tenant = Tenant(terms("fast", {}), 0.0)
    tenant.turn(State.LOADING, "asked", 5.0)
    assert (tenant.state, tenant.why, tenant.since) == (State.LOADING, "asked", 5.0)


def test_steps_without_any_are_false() -> None:
    assert not Steps()
    assert Steps(refuse=[Tenant(terms("fast", {}), 0.0)])
