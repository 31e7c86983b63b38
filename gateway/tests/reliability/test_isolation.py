"""RELIABILITY: two keys on one gateway, of two projects. Over every path of the table, with every method, whoever is asked about:
no key sees a call, the use or the conversations of another, and what it is told is the same whether another calls or not.
"""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import quote

import pytest

from hayate.access.guards import OPERATORS, anyone, callers, keepers, users, watchers
from hayate.api.routes import ROUTES, Row
from hayate.wire.paths import PASSTHROUGH
from tests.support.engine_script import Chat, silence
from tests.support.http import Reply, fetch, request_bytes
from tests.support.scene import CHAT_PATH, Stage, scene
from tests.support.talks import UNKNOWN, Talker
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


def body_for(path: str, theirs: str) -> Any:
    """What is sent there; to a path of conversations with an id of the other's wherever one may stand."""
    path, item = path.partition("?")[0], {"type": "message", "role": "user", "content": "hi", "id": theirs}
    if path in ("/v1/conversations", f"{path.rpartition('/')[0]}/items"):
        return {"items": [item]}
    if path.endswith("/branch"):
        return {"after": theirs}
    if path.endswith("/import"):
        return {"object": "conversation.export", "version": 1, "conversation": {"id": theirs}, "items": [item]}
    if path.startswith("/v1/conversations/"):
        return {"metadata": {"title": "mine"}, "notes": "mine"}
    return BODIES.get(path)


@dataclass
class Kept:
    """What the other has in the store, which no one else may see: the names of all of it."""

    conversation: str
    item: str
    response: str
    hidden: str
    """Of a conversation that only holds a response."""


@dataclass
class Two:
    """A gateway with two keys; the other one's calls, and what names them."""

    stage: Stage
    mine: dict[str, Any]
    other: dict[str, Any]
    kept: Kept
    my_talk: str
    marks: list[str] = field(default_factory=list)
    """What tells of the other key or its calls."""

    async def ask(self, method: str, path: str, **headers: str) -> Reply:
        """With my key."""
        body = body_for(path, self.kept.item) if method in ("POST", "PATCH") else None
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
        mine = await stage.new_key(name="my-key", project="my-project")
        other = await stage.new_key(name="others-key", project="secret-project")
        my_talk = await Talker(stage, mine["key"], "my-project").talk("やあ", metadata={"title": "mine"})
        yield Two(stage, mine, other, await kept_of(Talker(stage, other["key"], "secret-project")), my_talk)


async def kept_of(me: Talker) -> Kept:
    """Somebody who has said secrets, in a conversation and to a response."""
    talk = await me.talk(SECRET, metadata={"title": SECRET, "secret-key": SECRET}, notes=SECRET)
    me.keep((SECRET, SECRET), conversation=talk)
    item = (await me.got("GET", f"{talk}/items"))["data"][0]["id"]
    hidden = me.keep((SECRET, SECRET), listed=False).conversation
    response = me.read("SELECT id FROM responses WHERE conversation = ?", hidden.number)
    return Kept(talk, item, response, hidden.id)


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
        both.marks += vars(both.kept).values()
        yield


def paths_of(row: Row, both: Two) -> list[str]:
    """The row's path, with whatever names the other or its calls in the place of its name, and in its query."""
    kept = vars(both.kept)
    names = [both.other["id"], "others-key", "secret-running", "default"] if "{" in row.path else [""]
    plain = [re.sub(r"\{([^}]*)\}", lambda found: kept.get(found[1], name), row.path) for name in names]  # noqa: B023
    if row.guard is keepers:
        return kept_paths(row, both, plain[0])
    if "GET" not in row.methods or row.call is not None:
        return plain
    asked = f"key={both.other['id']}&project=secret-project&by=key&since=1d&limit=1000"
    return [*plain, f"{plain[0]}?{asked}", f"{plain[0]}?by=project"]


def kept_paths(row: Row, both: Two, path: str) -> list[str]:
    """The same of what is kept: the other's by its names, mine with names of the other's in it, and in the query."""
    found = [
        path,
        path.replace(both.kept.conversation, both.kept.hidden),
        path.replace(both.kept.conversation, both.my_talk),
    ]
    if "GET" in row.methods:
        found += [f"{each}?after={name}" for each in (found[0], found[2]) for name in vars(both.kept).values()]
        found += [f"{found[0]}?search={quote(SECRET)}", f"{found[0]}?limit=100&order=asc&format=md"]
    if "DELETE" in row.methods:
        found.append(f"{path}?all=true")
    return list(dict.fromkeys(found))


async def test_over_every_path_no_answer_tells_of_another_key_s_calls() -> None:
    async with two_keys() as both, others_calls(both):
        theirs = Talker(both.stage, both.other["key"], "secret-project")
        before = [(await theirs.ask("GET", path)).text for path in ("export", "", both.kept.conversation)]
        for row in ROUTES:
            for method in row.methods:
                for path in paths_of(row, both):
                    reply = await both.ask(method, path)
                    # A name that I bring myself may be told back to me; what I don't know may not.
                    known = [mark for mark in both.marks if mark in path]
                    found = replace(both, marks=[each for each in both.marks if each not in known])
                    if not any("secret-" in each for each in known):
                        found.assert_nothing_of_the_other(reply, f"{method} {path}")
                    assert both.other["key"] not in reply.text
                    assert SECRET not in reply.text
                    if row.guard in OPERATORS:
                        assert reply.status == 401, path
                    elif row.guard is watchers:
                        assert reply.status == 403, path
                    elif row.guard is keepers and {*vars(both.kept).values()} & {*path.partition("?")[0].split("/")}:
                        assert reply.status in (404, 501), (method, path, reply.text)
                    else:
                        assert row.guard in (anyone, callers, keepers, users)
                        assert reply.status < 500 or reply.status in (501, 502), (path, reply.text)
        running = (
            await fetch(both.stage.url, f"/admin/calls?key={both.other['id']}", key=both.stage.operators_key)
        ).json
        assert running["in_flight_count"] == 1, "nothing that I asked for has stopped it"
        after = [(await theirs.ask("GET", path)).text for path in ("export", "", both.kept.conversation)]
        assert after == before, "nothing that I asked for has changed what the other has"


async def test_what_is_kept_of_mine_is_told_the_same_whether_another_keeps_anything_or_not() -> None:
    async with two_keys() as both:
        me = Talker(both.stage, both.mine["key"], "my-project")
        me.keep(("question", "answer"))
        paths = ["", "?order=asc&limit=100", "?search=question", "?search=" + quote(SECRET), "export"]
        paths += [f"{both.my_talk}{rest}" for rest in ("", "/items", "/export", "/export?format=md")]

        async def told() -> list[str]:
            return [(await me.ask("GET", path)).text for path in paths]

        before = await told()
        theirs = Talker(both.stage, both.other["key"], "secret-project")
        for n in range(25):
            await theirs.talk(f"{SECRET} question {n}", metadata={"title": "mine"})
        assert await told() == before
        assert (await theirs.got("DELETE", "?all=true"))["deleted"] == 27
        assert await told() == before
        assert (await theirs.ask("GET", "export")).text == ""


CALLS: dict[str, dict[str, Any]] = {
    CHAT_PATH: BODIES[CHAT_PATH],
    "/v1/messages": {"messages": [{"role": "user", "content": "hi"}], "max_tokens": 5},
    "/v1/responses": {"input": "hi"},
    "/generate_stream": {"prompt": "hi"},
}
"""Those that may go on with what is kept."""
NOBODYS = {"conversation": UNKNOWN, "hidden": UNKNOWN, "item": "msg_" + "0" * 32, "response": "resp_" + "0" * 32}


def going_on(path: str, names: dict[str, str]) -> list[tuple[dict[str, Any], dict[str, str]]]:
    """Every way in which a call can name what is kept: in its body, in its headers."""
    found: list[tuple[dict[str, Any], dict[str, str]]] = []
    for name in ("conversation", "hidden"):
        wanted = names[name]
        found += [({"conversation": wanted}, {}), ({}, {"x-conversation-id": wanted})]
        if path != "/generate_stream":
            found += [({"conversation": {"id": wanted}}, {}), ({"conversation": {"id": wanted, "wait": False}}, {})]
    if path == "/v1/responses":
        found.append(({"previous_response_id": names["response"]}, {}))
    return found


@pytest.mark.parametrize("path", CALLS)
async def test_no_call_goes_on_with_what_another_keeps(path: str) -> None:
    async with two_keys() as both:
        theirs = Talker(both.stage, both.other["key"], "secret-project")
        before = (await theirs.ask("GET", "export")).text
        asked = len(both.stage.engine.requests)
        ways = zip(going_on(path, vars(both.kept)), going_on(path, NOBODYS), strict=True)
        for (foreign, named), (unknown, nobodys) in ways:
            for more in ({}, {"stream": True}) if path != "/generate_stream" else ({},):
                replies = [
                    await fetch(
                        both.stage.url, path, {**CALLS[path], **more, **way}, key=both.mine["key"], headers=headers
                    )
                    for way, headers in ((foreign, named), (unknown, nobodys))
                ]
                assert [each.status for each in replies] == [404, 404], replies[0].text
                both.assert_nothing_of_the_other(replies[1], path)
                told = replies[0].text
                for name, wanted in vars(both.kept).items():
                    told = told.replace(wanted, NOBODYS[name])
                assert told == replies[1].text
        if path == "/generate_stream":
            for wanted in (both.kept.conversation, both.kept.hidden):
                assert (await both.ask("GET", f"{path}?prompt=hi&conversation={wanted}")).status == 404
        assert len(both.stage.engine.requests) == asked, "no engine is asked"
        assert (await theirs.ask("GET", "export")).text == before


async def test_nothing_that_another_keeps_goes_along_with_a_call_of_mine() -> None:
    async with two_keys() as both:
        for path, body in CALLS.items():
            for more in ({"conversation": "new"}, {"conversation": both.my_talk}):
                reply = await fetch(both.stage.url, path, {**body, **more}, key=both.mine["key"])
                assert path != CHAT_PATH or reply.status == 200, reply.text
        reference = [
            {"type": "item_reference", "id": both.kept.item},
            {"type": "message", "role": "user", "content": "hi"},
        ]
        await fetch(both.stage.url, "/v1/responses", {"input": reference}, key=both.mine["key"])
        assert both.stage.engine.requests
        for request in both.stage.engine.requests:
            assert SECRET not in request.body.decode()


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
