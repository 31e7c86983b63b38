"""Stages whose limits are small."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tests.support.scene import Stage, scene
from tests.support.stages import FORGIVING
from tests.support.waiting import NEVER_S


@pytest.fixture(scope="session")
async def shared_strict_stage() -> AsyncIterator[Stage]:
    server = {"header_timeout_s": 1.0, "body_timeout_s": 1.0, "body_min_bytes_per_s": 50_000, "keep_alive_s": 3}
    async with scene(server=server, health=FORGIVING) as stage:
        yield stage


@pytest.fixture
async def strict_stage(shared_strict_stage: Stage) -> AsyncIterator[Stage]:
    """A gateway that gives a request's headers and body a second each, for tests of what is cut. On a busy machine they may
    be too late for it by themselves: what must be served is sent in one piece.
    """
    async with shared_strict_stage.between_tests() as fresh:
        yield fresh


@pytest.fixture(scope="session")
async def shared_limits_stage() -> AsyncIterator[Stage]:
    patient = {"first_byte_s": NEVER_S, "silence_s": NEVER_S}
    others = {
        "total": {"timeouts": {**patient, "total_s": 2.0}},
        "narrow": {"timeouts": patient, "max_in_flight": 1, "max_queued": 1, "queue_timeout_s": 0.5},
        "patient": {"timeouts": patient},
        "live": {"timeouts": {"first_byte_s": 1.5, "silence_s": 1.5, "whole_s": 0.8}},
    }
    timeouts = {"connect_s": 0.5, "first_byte_s": 0.6, "silence_s": 0.5, "whole_s": 0.8}
    async with scene(timeouts=timeouts, others=others, health=FORGIVING) as stage:
        yield stage


@pytest.fixture
async def limits_stage(shared_limits_stage: Stage) -> AsyncIterator[Stage]:
    """A gateway that gives an engine 0.6 s for the first byte and 0.5 s between tokens. Other models, same engine: `patient`,
    `total` (0.6 s in all, otherwise patient), `narrow` (one call at a time, one waiting, for 0.5 s at most), `live` (1.5 s between
    tokens).
    """
    async with shared_limits_stage.between_tests() as fresh:
        yield fresh
