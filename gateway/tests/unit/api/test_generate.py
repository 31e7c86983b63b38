"""GET and POST /generate_stream, for a browser's EventSource."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

import pytest

from tests.support.engine_faults import NO_ANSWER, cut_mid_frame
from tests.support.engine_script import Chat, error
from tests.support.http import Frame, Reply, fetch, parse_frame, request_bytes
from tests.support.scene import Stage, scene

pytestmark = pytest.mark.anyio

PATH = "/generate_stream"


async def test_a_get_streams_deltas_with_ids_and_then_the_facts(stage: Stage) -> None:
    stage.engine.script = Chat(["こん", "にちは", "😀"])
    retry, *deltas, done = await stage.frames(path=f"{PATH}?{urlencode({'prompt': 'こんにちは'})}")
    stream = (retry.id or "").removesuffix("-0")
    assert retry.raw == f"id: {stream}-0\nretry: 3000\n\n".encode()
    assert [each.json for each in deltas] == [{"delta": "こん"}, {"delta": "にちは"}, {"delta": "😀"}]
    ids = [each.id or "" for each in deltas]
    assert ids == [f"{stream}-{n}" for n in (1, 2, 3)]
    assert (done.event, done.id) == ("done", f"{stream}-4")
    assert done.json == {
        "finish_reason": "stop",
        "usage": {"prompt_tokens": 7, "completion_tokens": 3, "total_tokens": 10},
        "model": "scripted",
    }
    assert stage.engine.requests[0].json["messages"] == [{"role": "user", "content": "こんにちは"}]


@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_every_field_reaches_the_engine(stage: Stage, method: str) -> None:
    fields: dict[str, Any] = {
        "prompt": "p",
        "system": "s",
        "max_tokens": 9,
        "temperature": 0.5,
        "top_p": 0.9,
        "seed": 7,
    }
    fields |= {"model": "default", "stop": ["a", "b"]}
    if method == "GET":
        await stage.frames(path=f"{PATH}?{urlencode(fields, doseq=True)}")
    else:
        await stage.frames(fields, PATH)
    seen = stage.engine.requests[0].json
    assert seen["messages"] == [{"role": "system", "content": "s"}, {"role": "user", "content": "p"}]
    assert {name: seen[name] for name in ("max_tokens", "temperature", "top_p", "seed", "stop")} == {
        name: fields[name] for name in ("max_tokens", "temperature", "top_p", "seed", "stop")
    }
    assert seen["stream"] is True


@pytest.mark.parametrize(
    ("query", "param"),
    [
        ("", "prompt"),
        ("prompt=", "prompt"),
        ("prompt=a&prompt=b", "prompt"),
        ("prompt=a&max_tokens=x", "max_tokens"),
        ("prompt=a&temperature=900", "temperature"),
        ("prompt=a&seed=18446744073709551616", "seed"),
        ("prompt=a&max_tokens=18446744073709551616", "max_tokens"),
        ("prompt=a&max_tokens=1000000000000", "max_tokens"),
        ("prompt=a&nonsense=1", "nonsense"),
        ("prompt=a&key=x", "key"),
        ("prompt=%ff", None),
        ("&".join(f"x{n}=1" for n in range(100)), None),
    ],
)
async def test_what_is_wrong_is_named_before_a_stream_begins(stage: Stage, query: str, param: str | None) -> None:
    reply = await stage.get(f"{PATH}?{query}")
    assert (reply.status, reply.json["error"]["param"]) == (400, param)
    assert not stage.engine.requests


async def test_a_plus_is_a_space_and_a_percent_sign_is_itself(stage: Stage) -> None:
    await stage.frames(path=f"{PATH}?prompt=100%25+of+%2B")
    assert stage.engine.requests[0].json["messages"][0]["content"] == "100% of +"


async def test_an_engines_error_before_the_stream_has_its_status(stage: Stage) -> None:
    stage.engine.script = error(400, "no such voice")
    reply = await stage.get(f"{PATH}?prompt=a")
    assert reply.status == 400
    assert "no such voice" in reply.json["error"]["message"]


async def test_thoughts_come_apart_from_the_text(stage: Stage) -> None:
    stage.engine.script = Chat([{"reasoning": "hm"}, "yes"])
    frames = await stage.frames(path=f"{PATH}?prompt=a")
    assert [each.json for each in frames[1:-1]] == [{"reasoning": "hm"}, {"delta": "yes"}]


# A browser that lost its stream connects again by itself, saying what it had.


async def again(
    stage: Stage, last_event_id: str, *, key: str | None = None, method: str = "GET", **headers: str
) -> Reply:
    """What a reconnecting EventSource gets; `POST` is what fetch-based ones do."""
    path, body = (f"{PATH}?prompt=a", None) if method == "GET" else (PATH, {"prompt": "a"})
    headers = {"last-event-id": last_event_id, "accept": "text/event-stream", **headers}
    return await fetch(stage.url, path, body, key=None if "cookie" in headers else key or stage.key, headers=headers)


def told(reply: Reply) -> str | None:
    """The id of the one event that says that the stream is gone; None for a 204."""
    if reply.status == 204:
        assert reply.body == b""
        assert not {"content-length", "transfer-encoding"} & set(reply.headers)
        return None
    assert (reply.status, reply.headers["content-type"].partition(";")[0]) == (200, "text/event-stream")
    (frame,) = [each for each in frames_of(reply.body) if each.event == "error"]
    assert frame.json["error"]["code"] == "stream_gone"
    assert frame.id
    return frame.id


def frames_of(body: bytes) -> list[Frame]:
    return [parse_frame(each + b"\n\n") for each in body.split(b"\n\n") if each.strip()]


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize("had", [0, 1, -1])
async def test_after_a_stream_that_ended_a_browser_is_told_to_stop(stage: Stage, method: str, had: int) -> None:
    ids = [each.id or "" for each in await stage.frames(path=f"{PATH}?prompt=a")]
    for _ in range(2):
        assert told(await again(stage, ids[had], method=method)) is None
    assert len(stage.engine.requests) == 1


@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_a_stream_that_was_lost_is_told_once_and_not_run_again(stage: Stage, method: str) -> None:
    stage.engine.script = Chat(["はい。"] * 5000, gap_s=0.02)
    async with stage.connect() as client:
        await client.send(stage.request(None, f"{PATH}?prompt=a", method="GET"))
        await client.read_head()
        frames = client.frames()
        had = [(await anext(frames)).id or "" for _ in range(3)][-1]
    await stage.quiet()
    new = told(await again(stage, had, method=method))
    assert new == f"{had.rpartition('-')[0]}-{int(had.rpartition('-')[2]) + 1}"
    for last_event_id in (new, had):  # with the new id, as a browser does, and without
        assert told(await again(stage, last_event_id, method=method)) is None
    assert len(stage.engine.requests) == 1


async def test_a_stream_lost_before_its_first_text_is_not_run_again_either() -> None:
    async with scene(server={"heartbeat_s": 0.1}) as stage:
        stage.engine.script = NO_ANSWER
        async with stage.connect() as client:
            await client.send(stage.request(None, f"{PATH}?prompt=a", method="GET"))
            await client.read_head()
            opening = await anext(client.frames())
        assert (opening.id or "").endswith("-0")
        assert told(await again(stage, opening.id or "")) is not None
        assert len(stage.engine.requests) == 1


async def test_an_error_event_has_an_id_and_who_has_it_is_told_to_stop(stage: Stage) -> None:
    stage.engine.script = cut_mid_frame()
    *before, error = await stage.frames(path=f"{PATH}?prompt=a")
    assert error.event == "error"
    assert error.id == f"{(before[0].id or '').removesuffix('-0')}-{len(before)}"
    assert told(await again(stage, error.id or "")) is None
    assert len(stage.engine.requests) == 1


async def test_a_browser_that_missed_the_error_event_is_told_once(stage: Stage) -> None:
    stage.engine.script = cut_mid_frame()
    *before, _ = await stage.frames(path=f"{PATH}?prompt=a")
    had = before[-1].id or ""
    assert told(await again(stage, had)) is not None
    assert told(await again(stage, had)) is None


@pytest.mark.parametrize(
    "last_event_id",
    ["0123456789abcdef01234567-3", "no-id-of-ours", "7", "-", "x" * 5000, "a-999999999", "\x22{}", "a b-1", "é-1"],
)
async def test_an_id_that_nobody_knows_runs_no_prompt_either(stage: Stage, last_event_id: str) -> None:
    new = told(await again(stage, last_event_id))
    assert told(await again(stage, new or "")) is None
    assert not stage.engine.requests


async def test_an_empty_id_is_none(stage: Stage) -> None:
    reply = await again(stage, "")
    assert b"event: done" in reply.body


async def test_a_browsers_session_finds_its_keys_streams_and_another_key_none(stage: Stage) -> None:
    signed_in = await fetch(stage.url, "/session", {"key": stage.key})
    cookie = signed_in.headers["set-cookie"].partition(";")[0]
    async with stage.connect() as client:
        await client.send(request_bytes("GET", f"{PATH}?prompt=a", None, None, {"cookie": cookie}))
        await client.read_head()
        had = [each.id async for each in client.frames()][-1] or ""
    assert (await fetch(stage.url, f"{PATH}?prompt=a", headers={"last-event-id": had})).status == 401
    # Another key's look at it tells it as little as an id that was never given, and changes nothing for its owner.
    other = await stage.new_key()
    assert told(await again(stage, had, key=other["key"])) is not None
    assert told(await again(stage, had, cookie=cookie)) is None
    assert told(await again(stage, had)) is None, "the key that the session was bought with"
