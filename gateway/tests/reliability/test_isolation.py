"""RELIABILITY: two keys on one gateway. Over every path of the table, with every method, whoever is asked about: no key sees a
call or the use of another, and what it is told is the same whether another calls or not.
"""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest

from hayate.access.guards import anyone, callers, operators, users, watchers
from hayate.api.routes import ROUTES, Row
from hayate.wire.paths import PASSTHROUGH
from tests.support.engine_script import Chat, silence
from tests.support.http import Reply, fetch, request_bytes
from tests.support.scene import CHAT_PATH, Stage, scene
from tests.support.waiting import NEVER_S, eventually

pytestmark = pytest.mark.anyio

SECRET = "the other's secret"
VARIES = re.compile(r'"created": ?\d+|"(?:since|until)": ?"[^"]*"|"id": ?"[^"]*"')
"""What differs from one answer to the next by itself."""
BODIES: dict[str, Any] = {
    CHAT_PATH: {"messages": [{"role": "user", "content": "hi"}]},
    "/v1/completions": {"prompt": "hi"},
    "/generate_stream": {"prompt": "hi"},
    "/session": {"key": "wrong"},
    **{path: {"input": "hi", "messages": [{"role": "user", "content": "hi"}], "max_tokens": 5} for path in PASSTHROUGH},
}


@dataclass
class Two:
    """A gateway with two keys; the other one's calls, and what names them."""

    stage: Stage
    mine: dict[str, Any]
    other: dict[str, Any]
    marks: list[str] = field(default_factory=list)
    """What tells of the other key or its calls."""

    async def ask(self, method: str, path: str, **headers: str) -> Reply:
        """With my key."""
        body = BODIES.get(path.partition("?")[0]) if method in ("POST", "PATCH") else None
        if method == "HEAD":  # whose answer has no body, and may not say so
            headers["connection"] = "close"
        return await fetch(self.stage.url, path, body, method=method, key=self.mine["key"], headers=headers)

    def assert_nothing_of_the_other(self, reply: Reply, what: str) -> None:
        told = reply.head.decode("latin-1") + reply.body.decode("utf-8", "replace")
        for mark in self.marks:
            assert mark not in told, f"{what} tells {mark!r}"


@asynccontextmanager
async def two_keys() -> AsyncIterator[Two]:
    """The other has calls that have ended, one that failed, and a stream under way."""
    async with scene(limits={"requests_per_minute": 1000}, timeouts={"silence_s": NEVER_S}) as stage:
        both = Two(
            stage, await stage.new_key(name="my-key"), await stage.new_key(name="others-key", project="secret-project")
        )
        yield both


@asynccontextmanager
async def others_calls(both: Two) -> AsyncIterator[None]:
    """Within, the other has called and a stream of it runs."""
    stage, other = both.stage, both.other
    for name in ("secret-ended", "secret-failed"):
        body = {"messages": [{"role": "user", "content": SECRET}], "n": 1 if name == "secret-ended" else "x"}
        await fetch(stage.url, CHAT_PATH, body, key=other["key"], headers={"x-request-id": name})
    stage.engine.script = Chat([SECRET], finish_reason=None, done=False, last=(silence,))
    async with stage.connect() as client:
        body = {"messages": [{"role": "user", "content": SECRET}], "stream": True}
        await client.send(request_bytes("POST", CHAT_PATH, body, other["key"], {"x-request-id": "secret-running"}))
        assert (await client.read_head()).status == 200
        async for frame in client.frames():
            if SECRET in frame.data:
                break
        stage.engine.script = Chat()
        told = (await fetch(stage.url, f"/admin/calls?key={other['id']}", key=stage.operators_key)).json
        assert [each["request_id"] for each in told["in_flight"]] == ["secret-running"]
        await eventually(lambda: len(stage.gateway.calls()) >= 2)
        both.marks = [other["id"], other["key"], "others-key", "secret-", SECRET, json.dumps(SECRET)[1:-1]]
        yield


def paths_of(row: Row, both: Two) -> list[str]:
    """The row's path, with whatever names the other or its calls in the place of its name, and in its query."""
    names = [both.other["id"], "others-key", "secret-running", "default"] if "{" in row.path else [""]
    plain = [re.sub(r"\{[^}]*\}", name, row.path) for name in names]
    if "GET" not in row.methods or row.call is not None:
        return plain
    asked = f"key={both.other['id']}&project=secret-project&by=key&since=1d&limit=1000"
    return [*plain, f"{plain[0]}?{asked}", f"{plain[0]}?by=project"]


async def test_over_every_path_no_answer_tells_of_another_key_s_calls() -> None:
    async with two_keys() as both, others_calls(both):
        for row in ROUTES:
            for method in row.methods:
                for path in paths_of(row, both):
                    reply = await both.ask(method, path)
                    # A name that I bring myself may be told back to me; what I don't know may not.
                    known = [mark for mark in both.marks if mark in path]
                    found = Two(both.stage, both.mine, both.other, [each for each in both.marks if each not in known])
                    if not any("secret-" in each for each in known):
                        found.assert_nothing_of_the_other(reply, f"{method} {path}")
                    assert both.other["key"] not in reply.text
                    assert SECRET not in reply.text
                    if row.guard is operators:
                        assert reply.status == 401, path
                    elif row.guard is watchers:
                        assert reply.status == 403, path
                    else:
                        assert row.guard in (anyone, callers, users)
                        assert reply.status < 500 or reply.status in (501, 502), (path, reply.text)
        running = (
            await fetch(both.stage.url, f"/admin/calls?key={both.other['id']}", key=both.stage.operators_key)
        ).json
        assert running["in_flight_count"] == 1, "nothing that I asked for has stopped it"


def steady(reply: Reply) -> tuple[int, str, str]:
    """What of an answer stays the same from one to the next, when nothing has happened between."""
    limits = {name: value for name, value in reply.headers.items() if name.startswith("x-ratelimit-limit")}
    return reply.status, VARIES.sub("", reply.text), str(limits)


async def test_what_a_key_is_told_is_the_same_whether_another_calls_or_not() -> None:
    async with two_keys() as both:
        paths = [
            path
            for row in ROUTES
            if "GET" in row.methods and row.call is None and row.guard is not watchers
            for path in paths_of(row, both)
            if not path.startswith("/static")
        ]

        async def answers() -> dict[str, tuple[int, str, str]]:
            return {path: steady(await both.ask("GET", path)) for path in paths}

        before = await answers()
        assert any(path.startswith("/v1/usage") for path in before)
        assert any(path.startswith("/readyz") for path in before)
        async with others_calls(both):
            assert await answers() == before
        assert await answers() == before


async def test_what_another_uses_counts_against_nobody_else() -> None:
    async with two_keys() as both, others_calls(both):
        reply = await both.ask("POST", CHAT_PATH)
        assert (reply.status, reply.headers["x-ratelimit-remaining-requests"]) == (200, "999")
        own = await fetch(both.stage.url, CHAT_PATH, BODIES[CHAT_PATH], key=both.stage.key)
        assert own.headers["x-ratelimit-remaining-requests"] == "999"


async def test_a_request_id_that_another_has_chosen_leads_to_my_own_call_alone() -> None:
    async with two_keys() as both, others_calls(both):
        reply = await both.ask("POST", CHAT_PATH, **{"x-request-id": "secret-running"})
        assert (reply.status, reply.headers["x-request-id"]) == (200, "secret-running")
        assert SECRET not in reply.text
        assert both.stage.engine.requests[-1].headers.get("x-request-id") != "secret-running"
        for event_id in ("secret-running-0", "secret-running-1", "secret-ended-1"):
            again = await both.ask("POST", "/generate_stream", **{"last-event-id": event_id})
            unknown = await both.ask("POST", "/generate_stream", **{"last-event-id": event_id.replace("secret", "no")})
            assert again.status == unknown.status
            assert again.text.replace("secret", "no") == unknown.text


async def test_neither_a_session_nor_another_header_makes_one_key_another() -> None:
    async with two_keys() as both, others_calls(both):
        signed_in = await fetch(both.stage.url, "/session", {"key": both.mine["key"]})
        cookie = signed_in.headers["set-cookie"].partition(";")[0]
        forged = cookie.replace(both.mine["id"], both.other["id"])
        assert forged != cookie
        url = both.stage.url
        assert (await fetch(url, "/v1/usage", headers={"cookie": forged})).status == 401
        for more in ({"x-key-id": both.other["id"]}, {"openai-project": "secret-project"}, {"cookie": forged}):
            reply = await both.ask("GET", "/v1/usage?by=key", **more)
            assert reply.status == 200
            both.assert_nothing_of_the_other(reply, str(more))
        mine = (await fetch(url, "/v1/usage?by=key", headers={"cookie": cookie})).json["data"]
        assert {each["name"] for each in mine} <= {both.mine["id"]}


async def test_each_of_many_at_once_sees_its_own_and_no_more() -> None:
    async with scene() as stage:
        keys = [await stage.new_key() for _ in range(6)]

        async def work(n: int) -> None:
            for _ in range(n):
                assert (await fetch(stage.url, CHAT_PATH, BODIES[CHAT_PATH], key=keys[n]["key"])).status == 200

        await asyncio.gather(*(work(n) for n in range(len(keys))))

        async def seen(n: int) -> list[tuple[str, int]]:
            told = (await fetch(stage.url, "/v1/usage?by=key", key=keys[n]["key"])).json["data"]
            return [(each["name"], each["calls"]) for each in told]

        async def all_recorded() -> bool:
            return (await seen(5)) == [(keys[5]["id"], 5)]

        await eventually(all_recorded)
        assert [await seen(n) for n in range(6)] == [[(keys[n]["id"], n)] if n else [] for n in range(6)]


async def test_the_ids_of_my_calls_tell_neither_the_next_nor_how_many_others_make() -> None:
    async with two_keys() as both:
        replies = [await both.ask("POST", CHAT_PATH) for _ in range(20)]
        seen = [each.headers["x-request-id"] for each in replies]
        for part in (slice(0, 10), slice(10, 20)):
            assert len({each[part] for each in seen}) == len(seen)
        assert seen not in (sorted(seen), sorted(seen, reverse=True))
