"""What was used is told to whose it is, and the calls that make it up to the operator: filtered, in pages, within bounds."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from starlette.requests import Request
from starlette.responses import Response

from hayate.access.principals import Principal
from hayate.api.usage import MAX_CALLS, own_usage
from hayate.errors import InvalidRequest, RateLimited
from hayate.relay.ticker import Ticker
from hayate.settings import Keeping
from hayate.store.store import Store
from tests.support.engine_script import error
from tests.support.http import Reply, fetch
from tests.support.scene import CHAT_PATH, PLAIN, Stage
from tests.support.waiting import eventually
from tests.unit.api.bare import bare_gateway

pytestmark = pytest.mark.anyio


async def admin(stage: Stage, path: str) -> Reply:
    return await fetch(stage.url, f"/admin/{path}", key=stage.operators_key)


async def made_calls(stage: Stage, count: int, model: str = "default", **asked: Any) -> dict[str, Any]:
    """A key that has made so many calls, all of them recorded."""
    made = await stage.new_key(**asked)
    for _ in range(count):
        assert (await fetch(stage.url, CHAT_PATH, {**PLAIN, "model": model}, key=made["key"])).status == 200

    async def recorded() -> bool:
        return len((await admin(stage, f"calls?key={made['id']}")).json["data"]) == count

    await eventually(recorded)
    return made


async def test_a_key_is_told_what_it_has_used_itself(stage: Stage) -> None:
    mine, other = await made_calls(stage, 2), await made_calls(stage, 1, "llama")
    for by in ("key", "project", "model", "deployment", "path", "day", "hour"):
        told = (await fetch(stage.url, f"/v1/usage?by={by}", key=mine["key"])).json
        assert (told["by"], sum(each["calls"] for each in told["data"])) == (by, 2)
        assert sum(each["input_tokens"] for each in told["data"]) == 14
        assert sum(each["output_tokens"] for each in told["data"]) == 6
        assert other["id"] not in str(told)
    assert (await fetch(stage.url, "/v1/usage", key=mine["key"])).json["by"] == "day"


async def test_no_filter_shows_a_key_another_s_usage(stage: Stage) -> None:
    mine, other = await made_calls(stage, 1), await made_calls(stage, 3)
    for query in (
        f"key={other['id']}",
        f"project={other['project']}",
        f"key={other['id']}&key={mine['id']}",
        "key=main",
    ):
        told = (await fetch(stage.url, f"/v1/usage?by=key&{query}", key=mine["key"])).json["data"]
        assert [(each["name"], each["calls"]) for each in told] in ([], [(mine["id"], 1)]), query


async def test_the_operator_sees_everybody_s_and_any_part_of_it(stage: Stage) -> None:
    mine, other = await made_calls(stage, 2, project="p1"), await made_calls(stage, 1, "llama", project="p2")

    async def calls(query: str) -> dict[str, int]:
        return {each["name"]: each["calls"] for each in (await admin(stage, f"usage?by=key&{query}")).json["data"]}

    everybody = await calls("")
    assert (everybody[mine["id"]], everybody[other["id"]]) == (2, 1)
    assert await calls(f"key={mine['id']}") == {mine["id"]: 2}
    assert await calls("project=p2") == {other["id"]: 1}
    assert other["id"] not in await calls("model=default")
    assert mine["id"] not in await calls("deployment=llama")
    assert await calls("project=nobody") == {}
    assert await calls("since=0s") == {}
    assert await calls("until=1970-01-01&since=1970-01-01") == {}


async def test_calls_are_told_the_latest_first_with_what_is_known_of_each(stage: Stage) -> None:
    made = await made_calls(stage, 1)
    stage.engine.script = error(500)
    await fetch(stage.url, CHAT_PATH, PLAIN, key=made["key"], headers={"x-request-id": "failed one"})
    query = f"calls?key={made['id']}"

    async def both() -> list[dict[str, Any]] | None:
        found: list[dict[str, Any]] = (await admin(stage, query)).json["data"]
        return found if len(found) == 2 else None

    await eventually(both)
    failed, good = (await admin(stage, query)).json["data"]
    assert (failed["request_id"], failed["status"], failed["error"]) == ("failed one", 502, "upstream_error")
    assert (good["status"], good["error"], good["finish_reason"], good["stream"]) == (200, None, "stop", False)
    assert (good["model"], good["deployment"], good["path"], good["project"]) == (
        "default", "scripted", "chat", made["project"],
    )  # fmt: skip
    assert (good["input_tokens"], good["output_tokens"], good["tokens_exact"]) == (7, 3, True)
    assert int(failed["id"]) > int(good["id"])
    assert [each["id"] for each in (await admin(stage, f"{query}&status=502")).json["data"]] == [failed["id"]]
    assert [each["id"] for each in (await admin(stage, f"{query}&error=upstream_error")).json["data"]] == [failed["id"]]
    assert (await admin(stage, f"{query}&status=404")).json["data"] == []


async def test_pages_of_calls_follow_each_other(stage: Stage) -> None:
    made = await made_calls(stage, 5)
    query, seen, before = f"calls?key={made['id']}&limit=2", [], ""
    for left in (True, True, False):
        page = (await admin(stage, query + before)).json
        assert page["has_more"] is left
        seen += [each["id"] for each in page["data"]]
        before = f"&before={seen[-1]}"
    assert len(seen) == len(set(seen)) == 5
    assert seen == sorted(seen, key=int, reverse=True)


WRONG = [
    ("usage?by=moon", "by"),
    ("usage?by=", "by"),
    ("usage?since=", "since"),
    ("usage?since=7", "since"),
    ("usage?since=yesterday", "since"),
    ("usage?since=0001-01-01", "since"),
    ("usage?since=9999-12-31T23:59:59-14:00", "since"),
    ("usage?until=-1d", "until"),
    ("usage?until=2026-13-45", "until"),
    ("usage?since=" + "9" * 5000 + "d", "since"),
    ("calls?limit=0", "limit"),
    (f"calls?limit={MAX_CALLS + 1}", "limit"),
    ("calls?limit=ten", "limit"),
    ("calls?limit=000000001" + "0" * 5000, "limit"),
    ("calls?before=-1", "before"),
    ("calls?before=9223372036854775808", "before"),
    ("calls?before=" + "1" * 5000, "before"),
    ("calls?status=0", "status"),
    ("calls?status=1000", "status"),
    ("calls?status=ok", "status"),
    ("calls?key=sk-hy-0123", "key"),
]


@pytest.mark.parametrize(("query", "param"), WRONG, ids=lambda each: str(each)[:40])
async def test_what_is_malformed_is_a_400_that_names_it(stage: Stage, query: str, param: str) -> None:
    reply = await admin(stage, query)
    assert (reply.status, reply.json["error"]["param"]) == (400, param), reply.text
    assert f"'{param}'" in reply.json["error"]["message"]
    if query.startswith("usage"):
        own = await fetch(stage.url, f"/v1/{query}", key=stage.key)
        assert (own.status, own.json["error"]["param"]) == (400, param)


@pytest.mark.parametrize(
    "query",
    [
        "usage?since=36500d",
        "usage?since=1970-01-01&until=9999-12-31",
        "usage?since=2109-12-31&by=hour",
        "usage?since=2026-12-31T18:00%2B09:00",
        "calls?before=1",
        "calls?before=9223372036854775807",
        f"calls?limit={MAX_CALLS}",
        "calls?status=999",
        "usage?key=%00&project=%F0%9F%92%A9&model=' OR 1=1 --&deployment=%FF".replace(" ", "%20"),
        "usage?model=" + "x" * 10_000,
    ],
)
async def test_at_the_bounds_and_with_any_words_it_answers(stage: Stage, query: str) -> None:
    assert (await admin(stage, query)).status == 200


async def test_a_call_under_way_is_shown_where_it_is_meant(stage: Stage) -> None:
    made = await stage.new_key()
    async with stage.connect() as client:
        body = b'{"messages": [{"role": "user", "content": "hi"}]'
        head = f"POST {CHAT_PATH} HTTP/1.1\r\nhost: gateway\r\nx-api-key: {made['key']}\r\ncontent-length: 1000\r\n\r\n"
        await client.send(head.encode() + body)

        async def running(query: str) -> int:
            told = (await admin(stage, f"calls?{query}")).json
            assert len(told["in_flight"]) == told["in_flight_count"]
            return int(told["in_flight_count"])

        async def begun() -> bool:
            return await running(f"key={made['id']}") == 1

        await eventually(begun)
        (shown,) = (await admin(stage, f"calls?key={made['id']}")).json["in_flight"]
        assert (shown["key"], shown["path"], shown["project"]) == (made["id"], "chat", made["project"])
        assert shown["id"] == shown["request_id"]
        assert await running(f"project={made['project']}") == 1
        assert await running("key=main") == 0
        for elsewhere in ("project=nobody", "model=smart", "deployment=llama"):
            assert await running(f"key={made['id']}&{elsewhere}") == 0
        for ended in ("status=200", "error=timeout", "until=2100-01-01", "before=9223372036854775807"):
            assert await running(f"key={made['id']}&{ended}") == 0


async def test_a_call_that_is_not_under_way_can_not_be_stopped(stage: Stage) -> None:
    for name in ("nothing", "a%2Fb", "x" * 5000, quote("鍵")):
        reply = await fetch(stage.url, f"/admin/calls/{name}", method="DELETE", key=stage.operators_key)
        assert (reply.status, reply.json["error"]["code"]) == (404, "call_not_found")
        assert len(reply.text) < 1000


async def test_a_key_s_usage_is_added_up_once_at_a_time_and_another_s_beside_it(tmp_path: Path) -> None:
    ticker, store = Ticker(), Store.open(tmp_path, Keeping())
    gateway = bare_gateway(ticker, store)

    def ask(key: str, query: bytes = b"by=key") -> Awaitable[Response]:
        request = Request({"type": "http", "headers": [], "query_string": query, "path": "/v1/usage"})
        request.state.principal = Principal(key, "games")
        return own_usage(request, gateway)

    try:
        several = await asyncio.gather(ask("a"), ask("a"), ask("b"), return_exceptions=True)
        assert [type(each) for each in several] == [Response, RateLimited, Response]
        assert (await ask("a")).status_code == 200
        with pytest.raises(InvalidRequest):
            await ask("a", b"by=moon")
        assert gateway.adding_up == set()
    finally:
        ticker.close()
        store.close()
