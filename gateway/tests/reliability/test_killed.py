"""RELIABILITY: `kill -9` at any moment. The file opens clean, what was told to be kept is kept, and every call whose answer
its client has whole is on record once, except the last few tenths of a second.
"""

from __future__ import annotations

import asyncio
import random
import signal
import sqlite3
import time
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tests.support.engine_script import Chat
from tests.support.fake_engine import running_engine
from tests.support.gateway import KEY, RunningGateway, running_gateway
from tests.support.http import connection, fetch, request_bytes
from tests.support.scene import CHAT_PATH, PLAIN, STREAM, settings
from tests.support.stages import FORGIVING

pytestmark = pytest.mark.anyio

CALLERS = 6
LATEST_S = 0.8
"""After how long of load it is killed at the latest."""
LOST_S = 0.2
"""The calls of how long may be lost."""


@dataclass(frozen=True)
class Made:
    """One call, on this process's clock."""

    request_id: str
    began: float
    ended: float


@dataclass
class Moment:
    """The load on one gateway, until it is killed."""

    number: int
    gateway: RunningGateway
    operators_key: str
    calls: list[Made] = field(default_factory=list)
    keys: list[str] = field(default_factory=list)
    """Ids of keys that were told to be made."""
    killed_at: float = 0.0

    async def calling(self, caller: int) -> None:
        """One call after the other, streams among them."""
        for number in range(100_000):
            request_id, began = f"{self.number}-{caller}-{number}", time.monotonic()
            asked = STREAM if caller % 2 else PLAIN
            async with connection(self.gateway.url) as client:
                await client.send(request_bytes("POST", CHAT_PATH, asked, KEY, {"x-request-id": request_id}))
                reply = await client.read_reply()
            assert reply.status == 200
            assert (b"[DONE]" in reply.body) is bool(caller % 2)
            self.calls.append(Made(request_id, began, time.monotonic()))

    async def making_keys(self) -> None:
        """One key after the other."""
        for number in range(100_000):
            asked = {"name": f"{self.number}-{number}"}
            reply = await fetch(self.gateway.url, "/admin/keys", asked, key=self.operators_key)
            assert reply.status == 201
            self.keys.append(reply.json["id"])

    async def until_killed(self, after_s: float) -> None:
        """The load, and the end of it."""
        loads = [self.calling(caller) for caller in range(CALLERS)]
        tasks = [asyncio.ensure_future(each) for each in (*loads, self.making_keys())]
        await asyncio.sleep(after_s)
        self.killed_at = time.monotonic()
        await self.gateway.stop(signal.SIGKILL)
        for ended in await asyncio.gather(*tasks, return_exceptions=True):
            assert isinstance(ended, ConnectionError | asyncio.IncompleteReadError), ended

    @property
    def slowest_s(self) -> float:
        """How long the slowest call took: how far behind the clock everything is on this machine."""
        return max((each.ended - each.began for each in self.calls), default=0.0)


def look(file: Path) -> tuple[list[str], set[str]]:
    """What calls and keys are in the file, which must be sound; as whoever opens it first after the kill."""
    with closing(sqlite3.connect(file)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        assert connection.execute("PRAGMA foreign_key_check").fetchall() == []
        calls = [each.decode() for (each,) in connection.execute("SELECT request_id FROM calls")]
        return calls, {each for (each,) in connection.execute("SELECT id FROM keys")}


def check(moment: Moment, calls: list[str], keys: set[str], lost_s: float | None) -> None:
    kept = set(calls)
    assert len(calls) == len(kept), "a call is there twice"
    assert keys.issuperset(moment.keys)
    last_began = max((each.began for each in moment.calls if each.request_id in kept), default=0.0)
    for each in moment.calls:
        if each.ended < last_began:  # what ended before a call that is there even began
            assert each.request_id in kept
        if lost_s is not None and each.ended < moment.killed_at - lost_s - 2 * moment.slowest_s:
            assert each.request_id in kept, f"lost {moment.killed_at - each.ended:.3f} s before the kill"


@pytest.mark.parametrize(
    ("moments", "lost_s"), [(6, None), pytest.param(100, LOST_S, marks=pytest.mark.slow)], ids=["quick", "slow"]
)
async def test_a_kill_at_any_moment_leaves_the_file_clean_and_every_call_on_record_once(
    tmp_path: Path, moments: int, lost_s: float | None
) -> None:
    env: dict[str, Any] = {"HAYATE_DATA": str(tmp_path / "data")}
    seen: set[str] = set()
    made = 0
    async with running_engine() as engine:
        engine.script = Chat()
        config = settings(engine.url, health=FORGIVING)
        for number in range(moments):
            async with running_gateway(env, config=config) as gateway:
                await gateway.ready()
                operators_key = (tmp_path / "data" / "admin_key").read_text(encoding="ascii").strip()
                moment = Moment(number, gateway, operators_key)
                await moment.until_killed(random.uniform(0, LATEST_S))
            calls, keys = look(tmp_path / "data" / "hayate.db")
            check(moment, calls, keys, lost_s)
            assert seen <= set(calls), "what was there before is not any more"
            seen, made = set(calls), made + len(moment.calls)
    assert made > moments, "hardly any call was made: it shows nothing"
    assert seen
