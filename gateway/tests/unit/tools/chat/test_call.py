"""Calls of a talk: what is sent, what comes, and what each trouble is called."""

from __future__ import annotations

import asyncio

import pytest

from hayate.tools.chat.call import Begun, Later, Line
from hayate.tools.chat.events import Event, Said, Waits
from hayate.tools.chat.refusals import AnswerFailed, CannotChat
from hayate.tools.measure.target import Target
from tests.support.engine_faults import cut_mid_frame
from tests.support.engine_script import Answer, Chat, answer, body, end, head
from tests.support.fake_engine import running_engine
from tests.support.ports import free_port

pytestmark = pytest.mark.anyio
FIELDS = {"model": "scripted", "stream": True, "messages": [{"role": "user", "content": "あ"}]}


async def asked(script: Answer, key: str | None = "k") -> list[Begun | Event]:
    async with running_engine(script) as engine:
        line = Line(Target(engine.url, "openai", key), "ja")
        found = await asyncio.to_thread(lambda: list(line.answer(FIELDS)))
        [request] = engine.requests
        assert request.json == FIELDS
        assert request.headers.get("authorization") == (f"Bearer {key}" if key else None)
        assert request.headers["accept-language"] == "ja"
        return found


async def test_an_answer_comes_as_events() -> None:
    found = await asked(Chat(["こん", "にちは"]), None)
    assert found[0] == Begun(None, "")
    assert "".join(each.text for each in found if isinstance(each, Said)) == "こんにちは"


async def test_what_a_gateway_says_of_the_conversation_and_while_it_loads() -> None:
    told = {"x-hayate-conversation": "conv_1", "x-hayate-turns-omitted": "3", "content-type": "text/event-stream"}
    comment = b": loading model=smart for_s=1.0 last_load_s=9.0\n"
    frames = b'data: {"choices":[{"delta":{"content":"a"},"finish_reason":"stop"}]}\n\ndata: [DONE]\n\n'
    found = await asked([head(200, told), body(comment), body(frames), end])
    assert found[:2] == [Begun("conv_1", "3"), Waits("smart", 1.0, 9.0)]


@pytest.mark.parametrize(
    ("script", "status", "code", "says"),
    [
        (answer({"error": {"message": "no\x1b[2J", "code": "c"}}, 400), 400, "c", "no [2J"),
        (answer(b"<html>", 500), 500, "", "status 500"),
        (cut_mid_frame(), 0, "", "broke off"),
        (
            [
                head(200, {"content-type": "text/event-stream"}),
                body(b'data: {"error":{"message":"x","code":"y"}}\n\n'),
                end,
            ],
            0,
            "y",
            "x",
        ),
    ],
)
async def test_what_does_not_come_whole_has_failed(script: Answer, status: int, code: str, says: str) -> None:
    with pytest.raises(AnswerFailed) as failed:
        await asked(script)
    assert (failed.value.status, failed.value.code) == (status, code)
    assert says in failed.value.english


async def test_when_to_come_again_is_heard() -> None:
    with pytest.raises(Later) as later:
        await asked(answer({"error": {"message": "loading", "code": "overloaded"}}, 503, headers={"retry-after": "7"}))
    assert (later.value.retry_s, later.value.english) == (7.0, "loading")


async def test_models_by_their_names() -> None:
    async with running_engine() as engine:
        assert await asyncio.to_thread(Line(Target(engine.url, "openai", None), "en").models) == ["scripted"]
        engine.routes["/v1/models"] = answer({"error": {}}, 401)
        with pytest.raises(CannotChat, match="does not take the key"):
            await asyncio.to_thread(Line(Target(engine.url, "openai", None), "en").models)
        engine.routes["/v1/models"] = answer({"data": 1})
        with pytest.raises(CannotChat, match="has no /v1/models"):
            await asyncio.to_thread(Line(Target(engine.url, "openai", None), "en").models)


async def test_nobody_there_is_told() -> None:
    with pytest.raises(CannotChat, match="No gateway answers at"):
        Line(Target(f"http://127.0.0.1:{free_port()}", "openai", None), "en").models()
