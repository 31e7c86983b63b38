"""GET and POST /generate_stream, for a browser's EventSource."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

import pytest

from tests.support.engine_script import Chat, error
from tests.support.scene import Stage

pytestmark = pytest.mark.anyio

PATH = "/generate_stream"


async def test_a_get_streams_deltas_with_ids_and_then_the_facts(stage: Stage) -> None:
    stage.engine.script = Chat(["こん", "にちは", "😀"])
    retry, *deltas, done = await stage.frames(path=f"{PATH}?{urlencode({'prompt': 'こんにちは'})}")
    assert retry.raw == b"retry: 3000\n\n"
    assert [each.json for each in deltas] == [{"delta": "こん"}, {"delta": "にちは"}, {"delta": "😀"}]
    ids = [each.id or "" for each in deltas]
    assert [each.rpartition("-")[2] for each in ids] == ["1", "2", "3"]
    assert len({each.rpartition("-")[0] for each in ids}) == 1
    assert done.event == "done"
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
