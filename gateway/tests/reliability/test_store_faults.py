"""RELIABILITY: the disk is full, another program holds the database, it is removed, its folder is gone. Calls go on, what is wrong
is said once, and what the queue could hold is on record afterwards, each call once.
"""

from __future__ import annotations

import asyncio
import json
import os
import resource
import shutil
import sqlite3
import subprocess
import tempfile
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractContextManager, asynccontextmanager, closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tests.reliability.test_two_gateways import two_gateways
from tests.support.engine_script import Chat, silence
from tests.support.fake_engine import FakeEngine, running_engine
from tests.support.gateway import KEY, RunningGateway, running_gateway
from tests.support.http import Reply, connection, fetch, request_bytes
from tests.support.nursery import run
from tests.support.scene import CHAT_PATH, PLAIN, STREAM, settings
from tests.support.stages import FORGIVING
from tests.support.waiting import LAST_RESORT_S, NEVER_S, eventually

pytestmark = pytest.mark.anyio

PARTS = ("hayate.db", "hayate.db-wal", "hayate.db-shm")


@dataclass
class House:
    """One gateway, and what was asked of it."""

    engine: FakeEngine
    gateway: RunningGateway
    data: Path
    """Where its data folder is, seen from here."""
    asked: list[str] = field(default_factory=list)

    async def call(self, count: int = 1, key: str = KEY) -> None:
        """Calls, which must go well whatever becomes of the store."""
        for _ in range(count):
            request_id = f"call-{len(self.asked)}"
            reply = await self.ask(key, request_id)
            assert reply.status == 200, reply.text
            self.asked.append(request_id)

    async def ask(self, key: str, request_id: str = "other", language: str = "en") -> Reply:
        headers = {"x-request-id": request_id, "accept-language": language}
        return await fetch(self.gateway.url, CHAT_PATH, PLAIN, key=key, headers=headers)

    async def admin(self, path: str, asked: object = None) -> Reply:
        operators_key = (self.data / "admin_key").read_text(encoding="ascii").strip()
        return await fetch(self.gateway.url, path, asked, key=operators_key)

    def said(self, event: str) -> list[dict[str, Any]]:
        """What the log has said of this."""
        lines = [json.loads(line) for line in self.gateway.stderr().splitlines() if line.startswith("{")]
        return [line for line in lines if line.get("event") == event]

    async def failing(self, trying: bool = False) -> None:
        """Until it is said that records can't be written; `trying`: calls are made until then."""

        async def is_failing() -> bool:
            if trying:
                await self.call()
            return bool(self.said("store_failing"))

        await eventually(is_failing)

    @contextmanager
    def copied(self) -> Iterator[Path]:
        """A copy of the file, as it is in this moment."""
        with tempfile.TemporaryDirectory() as folder:
            for part in PARTS[:2]:
                if (self.data / part).exists():
                    shutil.copy(self.data / part, folder)
            yield Path(folder) / "hayate.db"

    def kept(self) -> list[str]:
        """Ids of the calls on record in a copy of the file, which must be sound."""
        with self.copied() as file:
            return kept_in(file)

    async def all_kept(self) -> None:
        """Until every call is on record, once."""

        def is_so() -> bool:
            try:
                return sorted(self.kept()) == sorted(self.asked)
            except (sqlite3.Error, FileNotFoundError):  # copied while it was written to, or put back
                return False

        await eventually(is_so)


def kept_in(file: Path) -> list[str]:
    with closing(sqlite3.connect(file)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        assert connection.execute("PRAGMA foreign_key_check").fetchall() == []
        return [each.decode() for (each,) in connection.execute("SELECT request_id FROM calls")]


@asynccontextmanager
async def house(*through: str, **more: Any) -> AsyncIterator[House]:
    async with (
        running_engine() as engine,
        running_gateway(config=settings(engine.url, health=FORGIVING, **more), through=through) as gateway,
    ):
        engine.script = Chat()
        await gateway.ready()
        data = gateway.data
        if through:
            data = Path(f"/proc/{gateway.pid}/root{data}")
        yield House(engine, gateway, data)


MOUNTED = 'mkdir "$HAYATE_DATA" && mount -t tmpfs -o size=2m none "$HAYATE_DATA" && exec "$0" "$@"'
ON_A_SMALL_DISK = ("unshare", "-rm", "sh", "-c", MOUNTED)


def can_mount() -> bool:
    done = subprocess.run(["unshare", "-rm", "mount", "-t", "tmpfs", "none", "/mnt"], capture_output=True, check=False)
    return done.returncode == 0


@contextmanager
def no_room_on_the_disk(each: House) -> Iterator[None]:
    filler = each.data / "filler"
    with filler.open("wb", buffering=0) as file:
        try:
            while file.write(b"\0" * 4096):
                pass
        except OSError:
            yield
    filler.unlink()


@contextmanager
def no_room_in_a_file(each: House) -> Iterator[None]:
    """None of its files grows beyond what the log of the database has now: a few calls more than that of the calls."""
    largest = max((each.data / part).stat().st_size for part in PARTS)
    before = resource.prlimit(
        each.gateway.pid, resource.RLIMIT_FSIZE, (max(largest, 128 * 1024), resource.RLIM_INFINITY)
    )
    yield
    resource.prlimit(each.gateway.pid, resource.RLIMIT_FSIZE, before)


@pytest.mark.parametrize("way", ["a full disk", "a limit on files"])
async def test_a_full_disk_loses_nothing_that_the_queue_can_hold(way: str) -> None:
    full: Callable[[House], AbstractContextManager[None]] = no_room_in_a_file
    through: tuple[str, ...] = ()
    if way == "a full disk" and can_mount():
        through, full = ON_A_SMALL_DISK, no_room_on_the_disk
    async with house(*through) as each:
        await each.call(5)
        await each.all_kept()
        with full(each):
            await each.failing(trying=True)
            await each.call(20)
            assert (await each.admin("/admin/keys", {"name": "late"})).status == 503
            assert (await each.admin("/admin/keys")).json["data"] == []
        await each.all_kept()
        await eventually(lambda: each.said("store_back"))
        assert len(each.said("store_failing")) == 1
        assert each.said("calls_not_recorded") == []
        assert (await each.admin("/admin/keys", {"name": "late"})).status == 201
        await each.call(3)
        await each.all_kept()
        assert sorted(found.name for found in each.data.iterdir() if "part" in found.name) == []


@contextmanager
def held(file: Path) -> Iterator[None]:
    """The database is another program's for the length of the block."""
    with closing(sqlite3.connect(file, isolation_level=None)) as holder:
        holder.execute("BEGIN IMMEDIATE")
        yield
        holder.execute("ROLLBACK")


@pytest.mark.parametrize("hold_s", [0.0, pytest.param(10.0, marks=pytest.mark.slow)])
async def test_a_database_that_is_held_loses_nothing_that_the_queue_can_hold(hold_s: float) -> None:
    async with house() as each:
        await each.call(5)
        await each.all_kept()
        with held(each.data / "hayate.db"):
            await each.call(10)
            await each.failing()
            await asyncio.sleep(hold_s)
            await each.call(10)
            assert len(each.kept()) == 5
        await each.all_kept()
        await eventually(lambda: each.said("store_back"))
        assert len(each.said("store_failing")) == 1
        assert "locked" in each.said("store_failing")[0]["reason"]


async def test_what_the_queue_can_not_hold_is_counted_and_said() -> None:
    async with house(store={"max_waiting_calls": 10}) as each:
        await each.call(1)
        await each.all_kept()
        with held(each.data / "hayate.db"):
            await each.call(25)
            await each.failing()
            await eventually(lambda: _dropped(each, 15))
        await eventually(lambda: len(each.kept()) == 11)
        assert each.kept() == each.asked[:11]
        await eventually(lambda: sum(line["count"] for line in each.said("calls_not_recorded")) == 15)
        assert len(each.said("calls_not_recorded")) <= 2


async def _dropped(each: House, count: int) -> bool:
    metrics = await fetch(each.gateway.url, "/metrics", key=KEY)
    return f"hayate_store_rows_dropped_total {count}.0" in metrics.text


@pytest.mark.parametrize("parts", [PARTS[:1], PARTS], ids=["the file", "all three"])
async def test_a_database_that_is_removed_is_put_back_with_all_it_held(parts: tuple[str, ...]) -> None:
    async with house() as each:
        made = await each.admin("/admin/keys", {"name": "game"})
        await each.call(10, made.json["key"])
        for part in parts:
            (each.data / part).unlink()
        await each.call(10, made.json["key"])
        await eventually(lambda: each.said("store_restored"))
        await each.call(10, made.json["key"])
        await each.all_kept()
        assert len(each.said("store_restored")) == 1
        assert [key["name"] for key in (await each.admin("/admin/keys")).json["data"]] == ["game"]
        assert {found.stat().st_mode & 0o777 for found in each.data.glob("hayate.db*")} == {0o600}
        await each.gateway.stop()
        assert [found.name for found in each.data.glob("hayate.db*")] == ["hayate.db"]
        assert sorted(kept_in(each.data / "hayate.db")) == sorted(each.asked)


async def test_one_that_two_gateways_have_open_is_put_back_by_one_of_them(tmp_path: Path) -> None:
    ids: list[str] = []
    async with two_gateways(tmp_path / "data") as two:

        async def call(gateway: RunningGateway, count: int) -> None:
            for _ in range(count):
                ids.append(f"call-{len(ids)}")
                reply = await fetch(gateway.url, CHAT_PATH, PLAIN, key=KEY, headers={"x-request-id": ids[-1]})
                assert reply.status == 200

        async def both(count: int) -> None:
            await asyncio.gather(call(two.first, count), call(two.second, count))

        await both(20)
        await eventually(lambda: len(kept_in(two.file)) == len(ids))
        calls = asyncio.ensure_future(both(100))
        await asyncio.sleep(0)
        two.file.unlink()
        await calls
        await eventually(two.file.exists)
        await both(20)
        restored = [each for each in (two.first, two.second) if "store_restored" in each.stderr()]
        assert len(restored) == 1
    assert sorted(kept_in(two.file)) == sorted(ids)


@contextmanager
def away(folder: Path) -> Iterator[None]:
    elsewhere = folder.rename(folder.with_name("away"))
    yield
    elsewhere.rename(folder)


async def test_while_the_store_is_gone_known_keys_go_on_and_unknown_ones_can_not_be_judged() -> None:
    async with house(keys={"stale_s": NEVER_S}) as each:
        known, unknown = [(await each.admin("/admin/keys", {"name": name})).json["key"] for name in ("a", "b")]
        await each.call(1, known)
        with away(each.data):
            await eventually(lambda: each.said("keys_unreadable"))
            await each.call(3, known)
            for language, words in (("en", "can't be read at the moment"), ("ja", "確認できません")):
                reply = await each.ask(unknown, language=language)
                assert (reply.status, "retry-after" in reply.headers) == (503, True)
                assert words in reply.json["error"]["message"]
            other = "y" if known.endswith("x") else "x"  # one key in 32 ends so itself
            assert (await each.ask(f"{known[:-1]}{other}")).status == 401  # no key at all, whatever the store says
            assert (await each.ask(KEY)).status == 200
        await eventually(lambda: each.said("keys_readable"))
        await each.call(1, unknown)
        assert len(each.said("keys_unreadable")) == len(each.said("keys_readable")) == 1
        await eventually(lambda: set(each.asked) <= set(each.kept()))


async def test_known_keys_do_not_go_on_for_ever() -> None:
    async with house(keys={"stale_s": 0.5}) as each:
        known = (await each.admin("/admin/keys", {"name": "a"})).json["key"]
        await each.call(1, known)

        async def is_refused() -> bool:
            return (await each.ask(known)).status == 503

        with away(each.data):
            await eventually(is_refused)
            assert (await each.ask(KEY)).status == 200
        await eventually(lambda: each.said("keys_readable"))
        await each.call(1, known)


async def test_a_backup_is_made_while_calls_go_on() -> None:
    async with house() as each:
        await each.call(5)
        await each.all_kept()
        ended = threading.Event()

        async def calling() -> None:
            while not ended.is_set():
                await each.call()

        calls = asyncio.ensure_future(calling())
        env = {"HAYATE_DATA": str(each.data), "PATH": os.environ["PATH"], "LANG": "C.UTF-8"}
        copy = each.data.parent / "copy.db"
        for words in (["db", "backup", str(copy)], ["db", "check"], ["db", "vacuum"]):
            done = await asyncio.to_thread(run, words, env, each.data.parent)
            assert done.returncode == 0, done.stderr
        ended.set()
        await calls
        assert set(each.asked[:5]) <= set(kept_in(copy)) < set(each.asked)
        assert copy.stat().st_mode & 0o777 == 0o600
        await each.all_kept()
        assert each.said("store_failing") == []


async def test_at_the_end_everything_is_on_record_also_what_was_cut_off() -> None:
    async with house(server={"drain_s": 1}) as each:
        await each.call(50)
        each.engine.script = [silence]
        async with connection(each.gateway.url) as client:
            each.asked.append("cut")
            await client.send(request_bytes("POST", CHAT_PATH, STREAM, KEY, {"x-request-id": "cut"}))
            await eventually(lambda: each.engine.open == 1)
            await each.gateway.stop()
        assert sorted(kept_in(each.data / "hayate.db")) == sorted(each.asked)
        assert not (each.data / "hayate.db-wal").exists()


async def test_what_can_not_be_written_by_the_end_is_said_and_the_end_comes() -> None:
    async with house() as each:
        await each.call(3)
        await each.all_kept()
        with held(each.data / "hayate.db"):
            await each.call(7)
            await each.gateway.stop(within_s=LAST_RESORT_S)
        lost = each.said("calls_lost")
        assert [line["count"] for line in lost] == [7]
        assert "locked" in lost[0]["reason"]
