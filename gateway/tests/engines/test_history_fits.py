"""A conversation that outgrows its context, on a real llama.cpp: no prompt is too long, as many turns are left out as a count of
every prompt by the model's own tokenizer says, what stands before all turns always goes along, and the engine's prefix cache
works again after each cut.

Each prompt's tokens, which the engine tells, are compared with those of the messages that should have gone along: a system
prompt that was missing, half a tool exchange or one turn too few would show.
"""

from __future__ import annotations

import json
import random
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest

from hayate.backends.tokenizer import ModelTokenizer, load_tokenizer
from hayate.policy.fitting import LEFT, room_of
from tests.engines.known import WEATHER_TOOL
from tests.engines.launch import TINY_HF, EngineProcess, running_llamacpp
from tests.support.gateway import RunningGateway, running_gateway
from tests.support.http import Reply, connection, fetch, request_bytes
from tests.support.quick import slow

pytestmark = pytest.mark.anyio

CHAT = "/v1/chat/completions"
SYSTEM = {"role": "system", "content": "あなたは親切な助手です。短く、丁寧に、日本語で答えてください。" * 2}
WINDOWS = (1024, 4096)
"""Of the tiny model, 4096 is all it has."""
ANSWER_TOKENS = 12
CUT_OFF = 0.5
"""A prompt of which the engine has less than so much in its cache is read anew."""


@dataclass
class Talk:
    """A conversation through the gateway, and what of it should go along."""

    gateway: RunningGateway
    tokenizer: ModelTokenizer
    window: int
    model: str
    tools: list[Any] = field(default_factory=list)
    turns: list[list[dict[str, Any]]] = field(default_factory=list)
    first: int = 1
    id: str = ""
    anew: list[int] = field(default_factory=list)
    """The turns whose prompts were read anew."""
    cuts: list[int] = field(default_factory=list)
    """The turns before which some were left out."""

    def prompt(self, first: int, new: list[dict[str, Any]]) -> int:
        """Tokens with the turns from `first` on."""
        messages = [SYSTEM, *(message for turn in self.turns[first - 1 :] for message in turn), *new]
        return self.tokenizer.count(self.tokenizer.render(_whole(messages), tools=self.tools or None))

    def expected(self, new: list[dict[str, Any]], output: int, *, last: int) -> int:
        """The reference: from which turn on it goes along. From `last` on it always does."""
        room = room_of(self.window, output)
        if self.prompt(self.first, new) <= room:
            return self.first
        return next((each for each in range(self.first, last) if self.prompt(each, new) <= LEFT * room), last)

    async def say(self, *new: dict[str, Any], output: int = ANSWER_TOKENS, streams: bool = False) -> dict[str, Any]:
        """One call, looked at; the answer's message. Tool outputs go on with the last turn."""
        goes_on = new[0]["role"] == "tool"
        last = len(self.turns) + (0 if goes_on else 1)
        first = self.expected([*new], output, last=last)
        reply, message, usage = await self._call([*new], output, streams=streams)
        assert int(reply.headers.get("x-hayate-turns-omitted", "0")) == first - 1
        assert usage["prompt_tokens"] == self.prompt(first, [*new])
        assert usage["prompt_tokens"] <= room_of(self.window, output)
        assert usage["total_tokens"] <= self.window
        cached = usage["prompt_tokens_details"]["cached_tokens"]
        if self.turns and cached < CUT_OFF * usage["prompt_tokens"]:
            self.anew.append(last)
        if first != self.first:
            self.cuts.append(last)
        self.first = first
        if goes_on:
            self.turns[-1] += [*new, message]
        else:
            self.turns.append([*new, message])
        return message

    async def _call(
        self, new: list[dict[str, Any]], output: int, *, streams: bool
    ) -> tuple[Reply, dict[str, Any], dict[str, Any]]:
        body: dict[str, Any] = {"model": self.model, "max_tokens": output, "temperature": 0, "messages": new}
        body["conversation"] = self.id or "new"
        if not self.id:
            body["messages"] = [SYSTEM, *new]
        if self.tools:
            body["tools"] = self.tools
        if streams:
            return await self._streamed({**body, "stream": True, "stream_options": {"include_usage": True}})
        reply = await fetch(self.gateway.url, CHAT, body, key=self.gateway.key)
        assert reply.status == 200, reply.text
        self.id = reply.headers["x-hayate-conversation"]
        return reply, _said(reply.json["choices"][0]["message"]), reply.json["usage"]

    async def _streamed(self, body: dict[str, Any]) -> tuple[Reply, dict[str, Any], dict[str, Any]]:
        async with connection(self.gateway.url) as client:
            await client.send(request_bytes("POST", CHAT, body, self.gateway.key))
            reply = await client.read_head()
            assert reply.status == 200, await client.read_body()
            events = [frame.json async for frame in client.frames() if frame.data.startswith("{")]
        self.id = reply.headers["x-hayate-conversation"]
        choices = [choice for event in events for choice in event["choices"]]
        text = "".join(choice["delta"].get("content") or "" for choice in choices)
        usage: dict[str, Any] = events[-1]["usage"]
        return reply, {"role": "assistant", "content": text}, usage


def _said(message: dict[str, Any]) -> dict[str, Any]:
    """What goes along of an answer; one without a word is an answer, too."""
    calls = message.get("tool_calls")
    said = {"role": "assistant", "content": message.get("content") or ("" if not calls else None)}
    return {**said, "tool_calls": calls} if calls else said


def _whole(messages: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """With the calls alone that were answered, whose arguments are values, as llama.cpp gives them to templates."""
    answered = {message.get("tool_call_id") for message in messages}
    whole = []
    for message in messages:
        calls = [
            {**call, "function": {**call["function"], "arguments": json.loads(call["function"]["arguments"])}}
            for call in message.get("tool_calls", ())
            if call["id"] in answered
        ]
        if calls:
            whole.append({**message, "tool_calls": calls})
        elif "tool_calls" not in message:
            whole.append(message)
        elif message["content"]:
            whole.append({"role": "assistant", "content": message["content"]})
    return whole


def reads(arguments: str) -> bool:
    """Whether a call came to its end."""
    try:
        json.loads(arguments)
    except ValueError:
        return False
    return True


def user(content: str) -> dict[str, Any]:
    return {"role": "user", "content": content}


@pytest.fixture(scope="module")
def tokenizer() -> ModelTokenizer:
    return load_tokenizer(str(TINY_HF))


@pytest.fixture(scope="module")
def narrow(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EngineProcess]:
    """A llama.cpp with no more context than the tiny model was made for."""
    with running_llamacpp(tmp_path_factory.mktemp("narrow"), context_tokens=max(WINDOWS)) as process:
        yield process


@pytest.fixture(scope="module")
async def gateway(narrow: EngineProcess) -> AsyncIterator[RunningGateway]:
    """A model of each window, all served by the one engine; and one of the narrowest, of which nobody knows that it can count."""
    deployments = "".join(
        f"  w{window}:\n    backend: llamacpp\n    model: {narrow.model}\n    replicas: ['{narrow.url}']\n"
        f"    context_tokens: {window}\n"
        for window in WINDOWS
    )
    deployments += (
        f"  blind:\n    backend: openai\n    model: {narrow.model}\n    replicas: ['{narrow.url}']\n"
        f"    context_tokens: {WINDOWS[0]}\n"
    )
    async with running_gateway(config=f"deployments:\n{deployments}aliases:\n  default: w{WINDOWS[0]}\n") as running:
        await running.ready()
        yield running


@pytest.fixture
def talk(gateway: RunningGateway, tokenizer: ModelTokenizer) -> Talk:
    return Talk(gateway, tokenizer, WINDOWS[0], f"w{WINDOWS[0]}")


@pytest.mark.parametrize(("window", "turns", "output"), [(1024, 60, ANSWER_TOKENS), *slow((4096, 200, 60))])
async def test_a_long_conversation_keeps_to_its_context(
    gateway: RunningGateway, tokenizer: ModelTokenizer, window: int, turns: int, output: int
) -> None:
    talk = Talk(gateway, tokenizer, window, f"w{window}")
    for number in range(1, turns + 1):
        await talk.say(user(f"{number}番です。"), output=output, streams=number % 2 == 0)
    assert len(talk.cuts) >= 3
    assert set(talk.anew) <= set(talk.cuts), "only a cut makes the engine read it anew"
    for begins in range(2, turns - 8):
        assert sum(begins <= each < begins + 10 for each in talk.anew) <= 1


@pytest.mark.parametrize("seed", [1, *slow(2, 3, 4, 5)])
async def test_turns_of_any_size_and_what_tools_return_are_left_out_whole(talk: Talk, seed: int) -> None:
    chosen = random.Random(seed)
    exchanges = 0
    for number in range(40):
        if chosen.random() < 0.3:
            talk.tools = [WEATHER_TOOL]
            answer = await talk.say(user("東京の天気は？"), output=60)
            talk.tools = []
            outputs = [
                {"role": "tool", "tool_call_id": call["id"], "content": '{"weather": "晴れ"}'}
                for call in answer.get("tool_calls", ())
                if reads(call["function"]["arguments"])
            ]
            if outputs and chosen.random() < 0.8:
                await talk.say(*outputs)
                exchanges += 1
        else:
            words = chosen.choice(["桜の花が咲きました。", "Tell me about the gateway. ", "🗼🍣"])
            new = user(f"{number}: {words * chosen.randint(1, 12)}")
            await talk.say(new, output=chosen.randint(1, 40), streams=chosen.random() < 0.5)
    assert exchanges
    assert len(talk.cuts) > 2


async def test_where_nobody_counts_estimates_keep_it_within_its_context(talk: Talk) -> None:
    talk.model, said, cuts, before = "blind", random.Random(7), 0, 0
    for number in range(60):
        words = said.choice(["桜の花が咲きました。", "Tell me about the gateway. ", "🗼🍣"])
        new = user(f"{number}: {words * said.randint(1, 8)}")
        reply, _, usage = await talk._call([new], ANSWER_TOKENS, streams=False)
        omitted = int(reply.headers.get("x-hayate-turns-omitted", "0"))
        assert usage["prompt_tokens"] <= room_of(talk.window, ANSWER_TOKENS)
        assert omitted >= before
        cuts, before = cuts + (omitted > before), omitted
    assert 3 <= cuts <= 20


async def test_a_larger_context_has_its_turns_back(talk: Talk) -> None:
    while not talk.cuts:
        await talk.say(user("桜の花が咲きました。" * 4))
    talk.window, talk.model, talk.first = WINDOWS[1], f"w{WINDOWS[1]}", 1
    await talk.say(user("もう一度。"))
    assert talk.first == 1
    talk.window, talk.model = WINDOWS[0], f"w{WINDOWS[0]}"
    await talk.say(user("もう一度。"))
    assert talk.first > 1


async def test_who_wants_nothing_left_out_is_told_how_long_it_is(talk: Talk) -> None:
    while not talk.cuts:
        await talk.say(user("桜の花が咲きました。" * 4))
    new = user("桜の花が咲きました。" * 20)
    body = {"model": talk.model, "messages": [new], "conversation": {"id": talk.id, "truncation": "disabled"}}
    reply = await fetch(talk.gateway.url, CHAT, body, key=talk.gateway.key)
    assert reply.status == 400
    error = reply.json["error"]
    assert (error["code"], error["param"]) == ("context_length_exceeded", "truncation")
    assert f"{talk.prompt(1, [new])} tokens" in error["message"]
    await talk.say(user("もう一度。"))  # as if that had never been said


async def test_what_is_too_long_alone_is_refused_and_nothing_is_kept(talk: Talk) -> None:
    await talk.say(user("Hello"))
    new = user("桜の花が咲きました。" * 400)
    body = {"model": talk.model, "messages": [new], "conversation": talk.id}
    reply = await fetch(talk.gateway.url, CHAT, body, key=talk.gateway.key)
    assert reply.status == 400
    assert reply.json["error"]["code"] == "context_length_exceeded"
    await talk.say(user("Hello"))
