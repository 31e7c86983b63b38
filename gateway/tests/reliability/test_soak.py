"""RELIABILITY: callers of every kind, for a while (`tests.reliability.soak`): no fault, and the gateway holds what it did before.

HAYATE_SOAK_S says how long it goes on (20 s if unset).
"""

from __future__ import annotations

import os

import pytest

from tests.reliability.soak import soaked

pytestmark = [pytest.mark.slow, pytest.mark.anyio]

SOAK_S = float(os.environ.get("HAYATE_SOAK_S", "20"))


async def test_callers_of_every_kind_leave_nothing_behind() -> None:
    found = await soaked(SOAK_S, every_s=SOAK_S / 4)

    assert found.complaints() == [], found.text()
    assert found.done["a limited key: 429"] or SOAK_S < 30  # it may make 30 calls a minute
