"""How fast an answer's tokens come is told to who wants to know it."""

from __future__ import annotations

import pytest

from hayate.policy.progress import Progress
from hayate.relay.ticker import Ticker
from hayate.relay.watch import Watch
from hayate.settings import Timeouts

pytestmark = pytest.mark.anyio


async def test_the_pace_is_that_between_two_looks_at_a_client_that_reads() -> None:
    progress = Progress()
    progress.watch_pace(wanted=True)
    watch = Watch(Ticker(), Timeouts(), 60, 0.0, progress)
    for tokens, now, paused in ((0, 0.0, False), (10, 1.0, False), (20, 2.0, False), (20, 3.0, True), (70, 4.0, False)):
        watch.paced(tokens, now, paused=paused)
    assert list(progress.gaps or ()) == [0.1, 0.02]
