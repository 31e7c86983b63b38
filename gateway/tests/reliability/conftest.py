"""Stages whose limits are small."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tests.support.scene import Stage, scene
from tests.support.stages import FORGIVING


@pytest.fixture(scope="session")
async def shared_strict_stage() -> AsyncIterator[Stage]:
    server = {"header_timeout_s": 0.5, "body_timeout_s": 0.5, "body_min_bytes_per_s": 50_000, "keep_alive_s": 1}
    async with scene(server=server, health=FORGIVING) as stage:
        yield stage


@pytest.fixture
async def strict_stage(shared_strict_stage: Stage) -> AsyncIterator[Stage]:
    """A gateway that gives a request's headers and body half a second each."""
    async with shared_strict_stage.between_tests() as fresh:
        yield fresh


@pytest.fixture(scope="session")
async def shared_limits_stage() -> AsyncIterator[Stage]:
    patient = {"first_byte_s": 30, "silence_s": 30}
    others = {
        "total": {"timeouts": {**patient, "total_s": 0.6}},
        "narrow": {"timeouts": patient, "max_in_flight": 1, "max_queued": 1, "queue_timeout_s": 0.5},
        "patient": {"timeouts": patient},
    }
    timeouts = {"connect_s": 0.5, "first_byte_s": 0.6, "silence_s": 0.5, "whole_s": 0.8}
    async with scene(timeouts=timeouts, others=others, health=FORGIVING) as stage:
        yield stage


@pytest.fixture
async def limits_stage(shared_limits_stage: Stage) -> AsyncIterator[Stage]:
    """A gateway that gives an engine 0.6 s for the first byte and 0.5 s between tokens. Other models, same engine: `patient`,
    `total` (0.6 s in all, otherwise patient), `narrow` (one call at a time, one waiting, for 0.5 s at most).
    """
    async with shared_limits_stage.between_tests() as fresh:
        yield fresh
