"""Work on a long body lets everybody else have a turn."""

from __future__ import annotations

import asyncio
import socket

import pytest

from hayate.api.pauses import others_first

pytestmark = pytest.mark.anyio


async def test_others_have_their_turn_between_two_steps() -> None:
    ours, theirs = socket.socketpair()
    arrived: list[bytes] = []
    loop = asyncio.get_running_loop()
    ours.setblocking(False)
    loop.add_reader(ours, lambda: arrived.append(ours.recv(9)))
    try:
        theirs.send(b"a token")
        await others_first()
        assert arrived
    finally:
        loop.remove_reader(ours)
        ours.close()
        theirs.close()
