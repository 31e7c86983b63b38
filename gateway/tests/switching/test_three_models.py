"""SWITCHING: three real engines of which two fit, 20 callers: nobody is lost or cut off, nobody waits for longer than is said, and
hardly more is loaded than has to be.
"""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from tests.switching.three_models import measure

pytestmark = pytest.mark.anyio
SECONDS, MAX_WAIT_S = 40.0, 4.0
TICK_S = 1.0
"""Of the gateway's ten looks a second, of ours, and of the machine."""


@pytest.mark.slow
@pytest.mark.timed
async def test_models_take_turns_without_a_lost_call_and_without_a_load_too_many(tmp_path: Path) -> None:
    figures = await measure(tmp_path, SECONDS, MAX_WAIT_S)
    print(figures.told())
    assert not figures.broken
    assert len(figures.calls) == figures.asked > 200
    assert figures.longest_s <= figures.bound_s + TICK_S
    assert len(figures.loads) <= math.ceil(1.1 * figures.fewest)
    assert figures.plain[0] > 5 * len(figures.loads)
