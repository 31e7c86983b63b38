"""Programs written for the `openai` packages, Python's and Node's, leave what was said to the gateway, on real engines: chains of
responses, conversations in two dialects, and a loop of function calls that sends nothing but what its functions returned.

Each prompt's tokens, which the engine tells, are compared with those of the same call with everything sent along: whatever was
forgotten, or said twice, would show.
"""

from __future__ import annotations

import json
from typing import Any

import openai
import pytest
from openai import AsyncOpenAI, BaseModel
from openai.types.responses import Response

from tests.engines.known import KNOWN, WEATHER_TOOL, Known
from tests.engines.node_program import installed, what_it_saw
from tests.support.gateway import RunningGateway
from tests.support.http import fetch_frames
from tests.support.responses import followed
from tests.support.talks import text_in

pytestmark = pytest.mark.anyio

CALLED = [known for known in KNOWN if known.calls]
TOOL: Any = {"type": "function", **WEATHER_TOOL["function"]}  # type: ignore[dict-item]  # flat
MODELS = pytest.mark.parametrize("model", ["default", "plain"])
"""The engine by its own adapter; and by the one for any engine, of whose chat responses are made."""
SAID = (
    "Hello",
    "日本語で答えて",
    "こんにちは",
    "JSON",
    "Hello",
    "repeat",
    "こんにちは",
    "Hello",
    "日本語で答えて",
    "Hello",
)
"""The ten turns of a chain."""
SHORT: Any = {"temperature": 0, "max_output_tokens": 20}
ROUNDS = 4
"""Of function calls, at most: the tiny model knows no answer to what functions return."""


@pytest.fixture(scope="module")
def gateway(two_ways: RunningGateway) -> RunningGateway:
    return two_ways


async def respond(client: AsyncOpenAI, *, streams: bool, **asked: Any) -> Response:
    """One response, whole or put together of its events."""
    if not streams:
        response: Response = await client.responses.create(**asked)
        return response
    last: Any = None
    async with client.responses.stream(**asked) as events:
        async for event in events:
            assert type(event) is not BaseModel, "an event of no type"
            last = event
    assert last.type in ("response.completed", "response.incomplete")
    streamed: Response = last.response
    return streamed


def again(response: Response) -> list[Any]:
    """What a client that keeps everything itself says again of a response."""
    kept = [item for item in response.output if item.type in ("message", "function_call")]
    return [item.model_dump(exclude_none=True, exclude={"parsed_arguments"}) for item in kept]


def prompt_of(response: Response) -> int:
    assert response.usage is not None
    return response.usage.input_tokens


async def with_everything(client: AsyncOpenAI, said: list[Any], **asked: Any) -> int:
    """The tokens of a prompt in which all of it is sent."""
    response = await client.responses.create(**{**asked, **SHORT, "max_output_tokens": 16}, input=said, store=False)
    return prompt_of(response)


@MODELS
async def test_a_chain_of_ten_responses(client: AsyncOpenAI, model: str) -> None:
    said: list[Any] = []
    chain: list[Response] = []
    before: list[list[Any]] = []
    for number, text in enumerate(SAID):
        more = {"previous_response_id": chain[-1].id} if chain else {}
        response = await respond(client, streams=number % 2 == 1, model=model, input=text, **SHORT, **more)
        said.append({"role": "user", "content": text})
        assert prompt_of(response) == await with_everything(client, said, model=model)
        assert response.previous_response_id == more.get("previous_response_id")
        said += again(response)
        before.append([*said])
        chain.append(response)
    assert len({response.id for response in chain}) == len(SAID)
    for response, text in zip(chain, SAID, strict=True):
        found = await client.responses.retrieve(response.id)
        assert (found.output_text, found.status) == (response.output_text, response.status)
        items = [text_in(item.model_dump()) async for item in client.responses.input_items.list(response.id)]
        assert items == [text]
    await client.responses.delete(chain[4].id)
    with pytest.raises(openai.NotFoundError):
        await client.responses.create(model=model, input="x", previous_response_id=chain[4].id)
    for number in (9, 2):  # the end, and a branch
        asked: Any = {"model": model, "input": "Hello", "previous_response_id": chain[number].id}
        response = await client.responses.create(**asked, **SHORT)
        said = [*before[number], {"role": "user", "content": "Hello"}]
        assert prompt_of(response) == await with_everything(client, said, model=model)


async def test_a_chains_events_have_all_that_openais_have(gateway: RunningGateway) -> None:
    previous: dict[str, str] = {}
    for text in ("Hello", "日本語で答えて", "東京の天気は？"):
        body = {"model": "plain", "input": text, "tools": [TOOL], "stream": True, **SHORT, **previous}
        frames = await fetch_frames(gateway.url, "/v1/responses", body, key=gateway.key)
        final = followed(frame.json for frame in frames if frame.data).final
        assert final is not None
        assert final.previous_response_id == previous.get("previous_response_id")
        assert final.store is True  # type: ignore[attr-defined]  # the package has no member for it
        previous = {"previous_response_id": final.id}


@MODELS
async def test_a_conversation_in_responses_and_chats(client: AsyncOpenAI, model: str) -> None:
    conversation = await client.conversations.create(metadata={"title": "東京"})
    messages: list[Any] = []
    named: Any = {"conversation": conversation.id}
    for number, text in enumerate(SAID[:6]):
        messages.append({"role": "user", "content": text})
        if number % 3 < 2:
            response = await respond(client, streams=number % 3 == 1, model=model, input=text, **SHORT, **named)
            assert response.conversation is not None
            assert response.conversation.id == conversation.id
            prompt, answer = prompt_of(response), response.output_text
        else:
            prompt, answer = await _chat(client, streams=number == 5, model=model, text=text, named=named)
        whole = await client.chat.completions.create(model=model, messages=messages, temperature=0, max_tokens=1)
        assert whole.usage is not None
        assert prompt == whole.usage.prompt_tokens
        messages.append({"role": "assistant", "content": answer})
    items = [item async for item in client.conversations.items.list(conversation.id, order="asc")]
    assert [text_in(item.model_dump()) for item in items] == [each["content"] for each in messages]


async def _chat(client: AsyncOpenAI, *, streams: bool, model: str, text: str, named: Any) -> tuple[int, str]:
    asked: Any = {"model": model, "messages": [{"role": "user", "content": text}], "temperature": 0, "max_tokens": 20}
    if not streams:
        whole = await client.chat.completions.create(**asked, extra_body=named)
        return whole.usage.prompt_tokens, whole.choices[0].message.content
    asked |= {"stream": True, "stream_options": {"include_usage": True}}
    answer, prompt = "", 0
    async for chunk in await client.chat.completions.create(**asked, extra_body=named):
        answer += "".join(choice.delta.content or "" for choice in chunk.choices)
        prompt = chunk.usage.prompt_tokens if chunk.usage else prompt
    return prompt, answer


@MODELS
@pytest.mark.parametrize("by", ["previous_response_id", "conversation"])
@pytest.mark.parametrize("known", CALLED, ids=lambda known: known.name.replace(" ", "-"))
async def test_an_agents_loop_sends_nothing_but_what_its_functions_returned(
    client: AsyncOpenAI, known: Known, by: str, model: str
) -> None:
    asked: Any = {"model": model, "tools": [TOOL], "temperature": 0, "max_output_tokens": 120}
    state = {by: (await client.conversations.create()).id} if by == "conversation" else {}
    new: list[Any] = [{"role": "user", "content": known.prompt}]
    said: list[Any] = []
    for number in range(ROUNDS):
        response = await respond(client, streams=number % 2 == 0, **asked, **state, input=new)
        said += new
        assert prompt_of(response) == await with_everything(client, said, model=model, tools=[TOOL])
        said += again(response)
        calls = [item for item in response.output if item.type == "function_call"]
        if number == 0:
            assert tuple(json.loads(call.arguments) for call in calls) == known.calls
        if not calls or response.status != "completed":
            break
        new = [{"type": "function_call_output", "call_id": call.call_id, "output": "晴れ"} for call in calls]
        state = state if by == "conversation" else {by: response.id}
    assert len(said) > 2


async def test_in_node_too(gateway: RunningGateway) -> None:
    env = {"BASE_URL": f"{gateway.url}/v1", "API_KEY": gateway.key}
    two = next(known for known in CALLED if known.name == "two tool calls")
    given = {"models": ["default", "plain"], "said": SAID, "tools": two.prompt, "tool": TOOL, "rounds": ROUNDS}
    found = await what_it_saw(installed("state.mjs"), env, given)
    for model in ("default", "plain"):
        seen = found[model]
        assert seen["chain"]["prompts"] == seen["chain"]["references"]
        assert len(set(seen["chain"]["ids"])) == len(SAID)
        assert seen["chain"]["previous"] == [None, *seen["chain"]["ids"][:-1]]
        assert seen["chain"]["retrieved"] == seen["chain"]["texts"]
        assert seen["chain"]["inputs"] == [*SAID]
        talk = seen["conversation"]
        assert talk["prompts"] == talk["references"]
        assert talk["items"] == talk["texts"]
        assert set(talk["named"]) == {talk["id"]}
        for loop in (seen["loop"], seen["loop in a conversation"]):
            assert loop["calls"] == [*two.calls]
            assert loop["prompts"] == loop["references"]
            assert len(loop["prompts"]) > 1
