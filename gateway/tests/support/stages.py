"""The one stage that tests of several folders share: a gateway for each of them would be a second for each of them."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tests.support.scene import Stage, scene

FORGIVING = {"eject_after": 10_000, "probe_interval_s": 1.0, "probe_timeout_s": 5.0}
"""No test's failures may throw the replica out for the next test. A stage of three deployments is probed for as long as it stands,
in every worker: five times as often, that would be two hundredths of a core for each.
"""


@pytest.fixture(scope="session")
async def shared_stage() -> AsyncIterator[Stage]:
    llama = {"backend": "llamacpp", "options": {"responses": "engine"}}
    others = {"llama": llama, "smaller": {"context_tokens": 512}}
    async with scene(server={"max_body_bytes": 1 << 20}, health=FORGIVING, others=others) as stage:
        yield stage


@pytest.fixture
async def stage(shared_stage: Stage) -> AsyncIterator[Stage]:
    """A gateway with the limits it ships with, except a body cap of 1 MiB. Models: `scripted`; on the same engine `llama`,
    taken for llama.cpp with its own /v1/responses, and `smaller`, with 512 tokens of context.
    """
    async with shared_stage.between_tests() as fresh:
        yield fresh
