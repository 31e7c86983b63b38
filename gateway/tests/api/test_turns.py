"""Work on a long body lets everybody else have a turn, on a short one it goes on."""

from __future__ import annotations

import asyncio
import socket

import pytest

from hayate.api.turns import LONG_BODY_BYTES, others_first

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize(("size", "waits"), [(0, False), (LONG_BODY_BYTES, False), (LONG_BODY_BYTES + 1, True)])
async def test_others_have_their_turn_between_two_steps_on_a_long_body(size: int, waits: bool) -> None:
    ours, theirs = socket.socketpair()
    arrived: list[bytes] = []
    loop = asyncio.get_running_loop()
    ours.setblocking(False)
    loop.add_reader(ours, lambda: arrived.append(ours.recv(9)))
    try:
        theirs.send(b"a token")
        await others_first(size)
        assert bool(arrived) is waits
    finally:
        loop.remove_reader(ours)
        ours.close()
        theirs.close()
