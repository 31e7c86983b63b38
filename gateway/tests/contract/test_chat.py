"""Chat, text and /generate_stream through every engine: the same texts, shapes, finish reasons and counts."""

from __future__ import annotations

from typing import Any

import openai
import pytest

from tests.contract.engines import Engine, asking
from tests.contract.heard import hear
from tests.engines.known import HELLO, JAPANESE, KNOWN, Known
from tests.support.gateway import RunningGateway
from tests.support.http import fetch_frames

pytestmark = pytest.mark.anyio

PLAIN = [known for known in KNOWN if not known.fields and known.name != "reasoning in the text"]
GREETING = KNOWN[0].text
USAGE: dict[str, Any] = {"stream_options": {"include_usage": True}}


def ask(known: Known) -> dict[str, Any]:
    return {**asking(known.prompt, known.system), "temperature": 0}


@pytest.mark.parametrize("known", PLAIN, ids=lambda known: known.name.replace(" ", "-"))
async def test_a_whole_answer_is_the_known_one(client: openai.AsyncOpenAI, engine: Engine, known: Known) -> None:
    answer = await client.chat.completions.create(**ask(known))
    assert (answer.object, len(answer.choices)) == ("chat.completion", 1)
    assert answer.id
    assert answer.created > 0
    assert answer.model == engine.model
    [choice] = answer.choices
    assert (choice.index, choice.message.role, choice.message.content) == (0, "assistant", known.text)
    assert choice.finish_reason == "stop"
    assert not choice.message.tool_calls
    assert answer.usage is not None
    assert answer.usage.total_tokens == answer.usage.prompt_tokens + answer.usage.completion_tokens
    assert answer.usage.prompt_tokens > 0
    assert answer.usage.completion_tokens > 0


@pytest.mark.parametrize("known", PLAIN, ids=lambda known: known.name.replace(" ", "-"))
async def test_a_streamed_answer_is_the_same_and_counted_alike(client: openai.AsyncOpenAI, known: Known) -> None:
    whole = await client.chat.completions.create(**ask(known))
    heard = await hear(await client.chat.completions.create(**ask(known), stream=True, **USAGE))
    assert (heard.role, heard.text, heard.finish_reason) == ("assistant", known.text, "stop")
    assert whole.usage is not None
    assert (heard.usage.prompt_tokens, heard.usage.completion_tokens, heard.usage.total_tokens) == (
        whole.usage.prompt_tokens,
        whole.usage.completion_tokens,
        whole.usage.total_tokens,
    )


async def test_usage_comes_only_when_it_is_asked_for(client: openai.AsyncOpenAI) -> None:
    heard = await hear(await client.chat.completions.create(**asking("Hello"), temperature=0, stream=True))
    assert (heard.text, heard.usage) == (HELLO, None)


async def test_japanese_arrives_character_by_character_and_unbroken(
    gateway: RunningGateway, client: openai.AsyncOpenAI
) -> None:
    body = {**asking("日本語で答えて"), "temperature": 0, "stream": True}
    frames = await fetch_frames(gateway.url, "/v1/chat/completions", body, key=gateway.key)
    deltas = [choice["delta"].get("content") or "" for frame in frames[:-1] for choice in frame.json["choices"]]
    assert frames[-1].data == "[DONE]"
    assert "".join(deltas) == JAPANESE
    assert len(deltas) > 20, "it came as a stream"
    assert not any("\ufffd" in delta for delta in deltas)


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
@pytest.mark.parametrize(
    ("stop", "text"), [("、", "吾が社の推論基盤は"), (["りんご", "負荷", "窓口"], None)], ids=["one", "several"]
)
async def test_text_ends_before_a_stop_string(
    client: openai.AsyncOpenAI, stop: str | list[str], text: str | None, stream: bool
) -> None:
    request = {**asking("日本語で答えて"), "temperature": 0, "stop": stop}
    expected = text or JAPANESE[: JAPANESE.index("窓口")]
    assert await _said(client, request, stream) == (expected, "stop")


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
@pytest.mark.parametrize("name", ["max_tokens", "max_completion_tokens"])
async def test_a_used_up_allowance_ends_with_length(client: openai.AsyncOpenAI, name: str, stream: bool) -> None:
    text, reason = await _said(client, {**asking("日本語で答えて"), "temperature": 0, name: 4}, stream)
    assert reason == "length"
    assert text
    assert JAPANESE.startswith(text)
    assert len(text) < 20


async def test_an_earlier_turn_and_a_system_prompt_reach_the_model(client: openai.AsyncOpenAI, engine: Engine) -> None:
    before = [
        {"role": "system", "content": "あなたは親切な助手です。"},
        {"role": "user", "content": "Hello"},
        {"role": "assistant", "content": HELLO},
    ]
    messages: Any = [*before, {"role": "user", "content": [{"type": "text", "text": "こんにちは"}]}]
    longer = await client.chat.completions.create(model="default", messages=messages, temperature=0, max_tokens=4)
    shorter = await client.chat.completions.create(**asking("こんにちは"), temperature=0, max_tokens=4)
    assert longer.usage
    assert shorter.usage
    assert longer.usage.prompt_tokens > shorter.usage.prompt_tokens
    if engine.stand_in:
        assert [message["role"] for message in engine.stand_in.requests[-2]["messages"]] == [
            *(message["role"] for message in before),
            "user",
        ]


async def test_a_seed_repeats_an_answer(client: openai.AsyncOpenAI) -> None:
    request = {**asking("Hello"), "temperature": 1.5, "top_p": 0.9, "seed": 11, "max_tokens": 16}
    texts = [await _said(client, request, stream=False) for _ in range(2)]
    assert texts[0] == texts[1]


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
async def test_a_text_completion(client: openai.AsyncOpenAI, stream: bool) -> None:
    request: Any = {"model": "default", "prompt": "Hello", "max_tokens": 8, "temperature": 0}
    if stream:
        text, reasons = "", []
        async for chunk in await client.completions.create(**request, stream=True):
            assert chunk.object == "text_completion"
            for choice in chunk.choices:
                text += choice.text
                reasons += [choice.finish_reason] if choice.finish_reason else []
        assert reasons == ["length"]
    else:
        answer = await client.completions.create(**request)
        assert answer.object == "text_completion"
        assert answer.usage
        assert answer.usage.completion_tokens > 0
        [choice] = answer.choices
        assert choice.finish_reason == "length"
        text = choice.text
    assert text


async def test_generate_stream_has_the_same_events(gateway: RunningGateway, engine: Engine) -> None:
    body = {"prompt": "こんにちは", "temperature": 0}
    frames = await fetch_frames(gateway.url, "/generate_stream", body, key=gateway.key)
    events = [frame for frame in frames if frame.data]
    assert "".join(event.json["delta"] for event in events if event.event == "message") == GREETING
    ids = [(event.id or "").rpartition("-") for event in events[:-1]]
    assert [int(number) for _, _, number in ids] == list(range(1, len(ids) + 1))
    assert len({stream for stream, _, _ in ids}) == 1
    [done] = [event for event in events if event.event == "done"]
    assert done.json["finish_reason"] == "stop"
    assert done.json["model"] == engine.model
    assert done.json["usage"]["completion_tokens"] > 0


async def _said(client: openai.AsyncOpenAI, request: Any, stream: bool) -> tuple[str | None, str | None]:
    if stream:
        heard = await hear(await client.chat.completions.create(**request, stream=True))
        return heard.text, heard.finish_reason
    [choice] = (await client.chat.completions.create(**request)).choices
    return choice.message.content, choice.finish_reason
