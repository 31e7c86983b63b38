"""An answer under way: what it holds, what it has let go, and how long it may take."""

from __future__ import annotations

import gc
import weakref
from typing import Any

import pytest

from hayate.relay.call import Call
from hayate.settings import Timeouts
from hayate.upstream_errors import UpstreamTimeout
from tests.support.engine_script import Chat, head, silence
from tests.support.fake_engine import FakeEngine
from tests.support.waiting import eventually
from tests.unit.relay.test_relay import call, relaying, served, spec

pytestmark = pytest.mark.anyio


async def test_while_an_answer_is_open_its_place_is_taken(one: FakeEngine) -> None:
    async with relaying(spec("a", one)) as relay:
        with await relay.open(call()) as found:
            assert (found.deployment.gate.in_flight, found.replica.in_flight) == (1, 1)
        assert (found.deployment.gate.in_flight, found.replica.in_flight) == (0, 0)


async def test_a_body_that_stops_is_a_timeout(one: FakeEngine) -> None:
    one.script = [head(framing="length", length=99), b"{", silence]
    async with relaying(spec("a", one, timeouts=Timeouts(silence_s=0.1))) as relay:
        with pytest.raises(UpstreamTimeout):
            await served(relay)
        await eventually(one.abandoned.is_set)


class Message(dict[str, Any]):
    """One whose end can be seen."""


@pytest.mark.parametrize("streams", [True, False])
async def test_a_long_prompt_is_not_kept_for_as_long_as_its_answer_takes(one: FakeEngine, streams: bool) -> None:
    one.script = Chat()
    asked: Call = call(streams=streams)
    asked.fields["messages"] = [Message(role="user", content="x")]
    message = weakref.ref(asked.fields["messages"][0])
    async with relaying(spec("a", one)) as relay:
        with await relay.open(asked) as found:
            del asked
            gc.collect()
            assert message() is None
            assert (found.decoder is not None) == streams
