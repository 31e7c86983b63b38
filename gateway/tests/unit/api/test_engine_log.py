"""GET /admin/engines/{name}/log: its end, what comes after it, and an end of the stream with its client or the gateway."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from starlette.requests import Request
from starlette.types import Message

from hayate.api.engine_log import MAX_LINES, show_log
from hayate.api.gateway import CallSettings, Gateway
from hayate.engines.refusals import NotSwitched, UnknownEngine
from hayate.engines.tail import PIECE_BYTES
from hayate.errors import InvalidRequest, NotSupported
from hayate.relay.ticker import Ticker
from hayate.store.store import Store
from tests.support.waiting import eventually
from tests.unit.api.bare import bare_gateway
from tests.unit.engines.test_tail import open_in
from tests.unit.fleet.made import spec
from tests.unit.fleet.switched import managed, switching

pytestmark = pytest.mark.anyio


class Asking:
    """One request for a log, and what is sent of the answer."""

    def __init__(self, gateway: Gateway, query: str = "", engine: str = "fast", method: str = "GET") -> None:
        self.sent: list[Message] = []
        self.leaves = asyncio.Event()
        scope: dict[str, Any] = {"type": "http", "method": method, "path": "/", "headers": [], "asgi": {}}
        request = Request({**scope, "query_string": query.encode(), "path_params": {"engine": engine}})

        async def receive() -> Message:
            await self.leaves.wait()
            return {"type": "http.disconnect"}

        async def send(message: Message) -> None:
            self.sent.append(message)

        async def run() -> None:
            answer = await show_log(request, gateway)
            await answer(scope, receive, send)

        self.task = asyncio.create_task(run())

    @property
    def body(self) -> bytes:
        return b"".join(each.get("body", b"") for each in self.sent)

    @property
    def lines(self) -> list[str]:
        """Of a log that is followed."""
        return [each[6:] for each in self.body.decode().split("\n") if each.startswith("data: ")]


@asynccontextmanager
async def logged(store: Store, path: Path) -> AsyncIterator[Gateway]:
    """The gateway of an engine that writes into this file, and two of others."""
    async with switching(managed("fast"), managed("asleep"), spec("plain")) as switched:
        switched.engines["fast"].log = path
        bare = bare_gateway(Ticker(), store)
        bare.relay.fleet = switched.fleet
        gateway = replace(bare, engines=switched.driver)
        gateway.settings = CallSettings(heartbeat_s=0.05)
        yield gateway


async def test_its_last_lines_come_as_text_a_piece_at_a_time(store: Store, tmp_path: Path) -> None:
    path = tmp_path / "fast.log"
    async with logged(store, path) as gateway:
        nothing = Asking(gateway)
        await nothing.task
        assert nothing.body == b""
        path.write_bytes(b"".join(b"line %d\n" % number for number in range(50_000)))
        few = Asking(gateway, "lines=2")
        await few.task
        assert few.body == b"line 49998\nline 49999\n"
        assert dict(few.sent[0]["headers"])[b"content-type"] == b"text/plain; charset=utf-8"
        many = Asking(gateway, f"lines={MAX_LINES}")
        await many.task
        assert many.body.count(b"\n") == MAX_LINES
        assert max(len(each.get("body", b"")) for each in many.sent) <= PIECE_BYTES


async def test_what_is_written_later_follows_until_the_client_leaves(store: Store, tmp_path: Path) -> None:
    path = tmp_path / "fast.log"
    path.write_bytes(b"a\nb\n")
    async with logged(store, path) as gateway:
        asking = Asking(gateway, "follow&lines=1")
        await eventually(lambda: asking.lines == ["b"])
        with path.open("ab") as file:
            file.write("10%\r20%\r\n疾風\n".encode())
        await eventually(lambda: asking.lines == ["b", "10%", "20%", "疾風"])
        await eventually(lambda: asking.body.count(b": ping") > 3)
        asking.leaves.set()
        await asking.task


async def test_the_gateways_end_is_the_streams(store: Store, tmp_path: Path) -> None:
    async with logged(store, tmp_path / "fast.log") as gateway:
        asking = Asking(gateway, "follow=true")
        await eventually(lambda: asking.sent)
        gateway.ending.set()
        await asking.task
        assert asking.sent[-1]["more_body"] is False


async def test_no_file_stays_open_however_the_answer_ends(store: Store, tmp_path: Path) -> None:
    folder = tmp_path / "logs"  # the store's own files are beside it
    folder.mkdir()
    path = folder / "fast.log"
    path.write_bytes(b"a\n" * 100_000)
    async with logged(store, path) as gateway:
        for query in ("", "follow"):
            await Asking(gateway, query, method="HEAD").task
        left = Asking(gateway, "follow")
        left.leaves.set()
        await left.task
        await eventually(lambda: open_in(folder) == 0)  # a piece may be read just now


@pytest.mark.parametrize(
    ("query", "engine", "error", "says"),
    [
        ("", "nobody", UnknownEngine, "fast, asleep, plain"),
        ("", "plain", NotSwitched, "plain"),
        ("", "asleep", NotSupported, "look where it was started"),
        ("lines=0", "fast", InvalidRequest, "'lines'"),
        (f"lines={MAX_LINES + 1}", "fast", InvalidRequest, "'lines'"),
        ("lines=x", "fast", InvalidRequest, "'lines'"),
        ("follow=perhaps", "fast", InvalidRequest, "'follow'"),
    ],
)
async def test_what_can_t_be_shown_is_told(
    query: str, engine: str, error: type[Exception], says: str, store: Store, tmp_path: Path
) -> None:
    async with logged(store, tmp_path / "fast.log") as gateway:
        with pytest.raises(error, match=says):
            await Asking(gateway, query, engine).task
