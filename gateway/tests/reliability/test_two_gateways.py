"""RELIABILITY: two gateways on one data folder. What is changed of a key at one holds at the other, also for what is under
way there, in every dialect; and the calls of both are in one file.
"""

from __future__ import annotations

import asyncio
import signal
import sqlite3
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, closing
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from tests.support.engine_script import SSE, Chat, Request, Script, body, frame, head, silence
from tests.support.fake_engine import FakeEngine, running_engine
from tests.support.gateway import RunningGateway, running_gateway
from tests.support.http import Client, Reply, connection, fetch, request_bytes
from tests.support.scene import CHAT_PATH, HELLO, PLAIN, STREAM, settings
from tests.support.stages import FORGIVING
from tests.support.waiting import NEVER_S, eventually

pytestmark = pytest.mark.anyio

FIRST: dict[str, bytes] = {
    "/v1/messages": frame({"type": "message_start", "message": {"id": "m", "usage": {}}}, "message_start"),
    "/v1/responses": frame({"type": "response.created", "response": {"id": "r"}}, "response.created"),
}
"""How a stream begins that is passed on as it is."""
ASKED: dict[str, dict[str, Any]] = {
    CHAT_PATH: STREAM,
    "/v1/completions": {"prompt": "hi", "stream": True},
    "/v1/messages": {"messages": HELLO, "max_tokens": 5, "stream": True},
    "/v1/responses": {"input": "hi", "stream": True},
    "/generate_stream": {"prompt": "hi"},
}


def begun(request: Request) -> Script:
    """An answer that begins and then says nothing more."""
    if not request.asks_for_stream:
        return Chat()(request)
    if request.path in FIRST:
        return [head(headers=SSE), body(FIRST[request.path]), silence]
    return [head(headers=SSE), *map(body, Chat(done=False, finish_reason=None).frames(request)), silence]


@dataclass
class Two:
    """One gateway, at which keys are changed, and another, at which they are used."""

    engine: FakeEngine
    first: RunningGateway
    second: RunningGateway
    data: Path

    @property
    def file(self) -> Path:
        return self.data / "hayate.db"

    async def admin(self, method: str, path: str, asked: object = None) -> Any:
        """At the first."""
        operators_key = (self.data / "admin_key").read_text(encoding="ascii").strip()
        reply = await fetch(self.first.url, f"/admin/keys{path}", asked, method=method, key=operators_key)
        assert reply.status in (200, 201), reply.text
        return reply.json

    async def new_key(self, name: str, **asked: Any) -> tuple[str, str]:
        """Its id, and itself."""
        made = await self.admin("POST", "", {"name": f"{name} {time.monotonic_ns()}", **asked})
        return made["id"], made["key"]

    async def call(self, key: str, asked: object = PLAIN) -> Reply:
        """At the second."""
        return await fetch(self.second.url, CHAT_PATH, asked, key=key)

    async def refused(self, key: str) -> Reply:
        """Once the second refuses the key: how."""
        replies: list[Reply] = []

        async def is_refused() -> bool:
            replies.append(await self.call(key))
            return replies[-1].status != 200

        await eventually(is_refused)
        return replies[-1]

    @asynccontextmanager
    async def stream(self, path: str, key: str) -> AsyncIterator[Client]:
        """A stream at the second, of which the beginning has come."""
        async with connection(self.second.url) as client:
            await client.send(request_bytes("POST", path, ASKED[path], key))
            assert (await client.read_head()).status == 200
            frames = client.frames()
            while not (await anext(frames)).data:
                pass
            yield client


@asynccontextmanager
async def two_gateways(data: Path, **more: Any) -> AsyncIterator[Two]:
    async with AsyncExitStack() as held:
        engine = await held.enter_async_context(running_engine())
        config = settings(engine.url, health=FORGIVING, timeouts={"silence_s": NEVER_S}, **more)
        env = {"HAYATE_DATA": str(data)}
        first, second = [await held.enter_async_context(running_gateway(env, config=config)) for _ in range(2)]
        for each in (first, second):
            await each.ready()
        yield Two(engine, first, second, data)


@pytest.fixture(scope="module")
async def shared_two(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Two]:
    async with two_gateways(tmp_path_factory.mktemp("two") / "data") as found:
        yield found


@pytest.fixture
def two(shared_two: Two) -> Two:
    shared_two.engine.script = begun
    return shared_two


@pytest.mark.parametrize("path", ASKED)
async def test_a_revoked_keys_stream_ends_with_an_error_event_and_no_other_does(two: Two, path: str) -> None:
    gone_id, gone = await two.new_key("gone")
    _, other = await two.new_key("other")
    async with two.stream(path, other) as stays, two.stream(path, gone) as ends:
        open_before = two.engine.open
        await two.admin("DELETE", f"/{gone_id}")
        frames = [each async for each in ends.frames() if each.data]
        *on_their_way, last = frames
        assert not any("revoked" in each.data for each in on_their_way)
        assert "This key has been revoked or has expired." in last.data
        assert '"error"' in last.data
        assert last.event == ("message" if path in (CHAT_PATH, "/v1/completions") else "error")
        await eventually(lambda: two.engine.open == open_before - 1)
        assert not stays.cut_off
        assert (await two.call(gone)).status == 401
        assert (await two.call(other)).status == 200


async def test_a_whole_answer_of_a_revoked_key_is_a_401(two: Two) -> None:
    two.engine.script = [silence]
    key_id, key = await two.new_key("gone")
    asked = len(two.engine.requests)
    async with connection(two.second.url) as client:
        await client.send(request_bytes("POST", CHAT_PATH, PLAIN, key))
        await eventually(lambda: len(two.engine.requests) > asked)
        await two.admin("DELETE", f"/{key_id}")
        reply = await client.read_reply()
    assert reply.status == 401
    await eventually(lambda: two.engine.open == 0)


async def test_a_key_that_expires_ends_with_its_streams_and_its_holder_is_told_so(two: Two) -> None:
    key_id, key = await two.new_key("short")
    async with two.stream(CHAT_PATH, key) as ends:
        expires_at = datetime.fromtimestamp(time.time() + 3, UTC).isoformat()
        await two.admin("PATCH", f"/{key_id}", {"expires_at": expires_at})
        frames = [each async for each in ends.frames() if each.data]
    assert "expired" in frames[-1].data
    reply = await two.refused(key)
    assert reply.status == 401
    assert "it expired on" in reply.json["error"]["message"]


async def test_after_a_rotation_the_new_key_is_good_at_once_and_the_old_one_for_its_grace(two: Two) -> None:
    key_id, old = await two.new_key("turning")
    assert (await two.call(old)).status == 200
    made = await two.admin("POST", f"/{key_id}/rotate", {"grace_s": 3600})
    for key in (made["key"], old):
        assert (await two.call(key)).status == 200
    last = await two.admin("POST", f"/{key_id}/rotate", {"grace_s": 0})
    for key in (old, made["key"]):
        assert (await two.refused(key)).status == 401
    assert (await two.call(last["key"])).status == 200


async def test_a_changed_limit_holds(two: Two) -> None:
    key_id, key = await two.new_key("limited", limits={"requests_per_minute": 1000})
    assert (await two.call(key)).headers["x-ratelimit-limit-requests"] == "1000"
    await two.admin("PATCH", f"/{key_id}", {"limits": {"requests_per_minute": 1}})
    reply = await two.refused(key)
    assert reply.status == 429
    assert reply.headers["x-ratelimit-limit-requests"] == "1"
    await two.admin("PATCH", f"/{key_id}", {"models": ["elsewhere"], "limits": None})
    await eventually(lambda: _status(two, key, 404))


async def _status(two: Two, key: str, status: int) -> bool:
    return (await two.call(key)).status == status


async def test_a_session_ends_with_its_key(two: Two) -> None:
    key_id, key = await two.new_key("page")
    signed_in = await fetch(two.second.url, "/session", {"key": key})
    cookie = {"cookie": signed_in.headers["set-cookie"].partition(";")[0], "sec-fetch-site": "same-origin"}

    async def is_signed_in() -> bool:
        return (await fetch(two.second.url, "/v1/models", headers=cookie)).status == 200

    assert await is_signed_in()
    await two.admin("DELETE", f"/{key_id}")

    async def is_signed_out() -> bool:
        return not await is_signed_in()

    await eventually(is_signed_out)


async def test_the_calls_of_both_are_in_the_file_once_each(two: Two) -> None:
    two.engine.script = Chat()
    _, key = await two.new_key("both")
    ids = {f"{gateway.port}-{number}" for gateway in (two.first, two.second) for number in range(20)}
    for each in sorted(ids):
        url = two.first.url if each.startswith(str(two.first.port)) else two.second.url
        assert (await fetch(url, CHAT_PATH, PLAIN, key=key, headers={"x-request-id": each})).status == 200

    def kept() -> list[str]:
        with closing(sqlite3.connect(two.file)) as connection:
            found = [each.decode() for (each,) in connection.execute("SELECT request_id FROM calls")]
        return sorted(each for each in found if each in ids)

    await eventually(lambda: kept() == sorted(ids))


async def test_two_that_start_at_once_on_an_empty_folder_have_the_same_keys_and_one_file(tmp_path: Path) -> None:
    env = {"HAYATE_DATA": str(tmp_path / "data")}
    async with running_engine() as engine, AsyncExitStack() as one, AsyncExitStack() as other:
        config = settings(engine.url, health=FORGIVING)
        first, second = await asyncio.gather(
            *(held.enter_async_context(running_gateway(env, config=config)) for held in (one, other))
        )
        two = Two(engine, first, second, tmp_path / "data")
        _, key = await two.new_key("made at the first")
        operators_key = (two.data / "admin_key").read_text(encoding="ascii").strip()
        for each in (first, second):
            assert (await fetch(each.url, "/admin/keys", key=operators_key)).status == 200
            assert (await fetch(each.url, "/v1/models", key=key)).status == 200


async def test_when_one_is_killed_the_other_goes_on(tmp_path: Path) -> None:
    ids: list[str] = []
    ended = asyncio.Event()
    async with two_gateways(tmp_path / "data") as two:

        async def calling(gateway: RunningGateway) -> None:
            number = 0
            while not ended.is_set():
                number += 1
                request_id = f"{gateway.port}-{number}"
                headers = {"x-request-id": request_id}
                assert (await fetch(gateway.url, CHAT_PATH, PLAIN, key=gateway.key, headers=headers)).status == 200
                if gateway is two.first:
                    ids.append(request_id)

        dies, stays = (asyncio.ensure_future(calling(each)) for each in (two.second, two.first))
        await eventually(lambda: len(ids) > 50)
        await two.second.stop(signal.SIGKILL)
        with pytest.raises((ConnectionError, asyncio.IncompleteReadError)):
            await dies
        killed_at = len(ids)
        await eventually(lambda: len(ids) > killed_at + 50)
        ended.set()
        await stays
        assert "store_failing" not in two.first.stderr()
    with closing(sqlite3.connect(two.file)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        found = [each.decode() for (each,) in connection.execute("SELECT request_id FROM calls")]
    assert len(found) == len(set(found))
    assert set(ids) <= set(found)
