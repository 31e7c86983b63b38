"""The tiny model's known answers arrive through the gateway as they were learned: text by text, on every engine."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import pytest

from tests.engines.known import HELLO, JAPANESE, KNOWN, WEATHER_TOOL, Known
from tests.engines.launch import EngineProcess
from tests.support.gateway import RunningGateway
from tests.support.http import Frame, fetch, fetch_frames

pytestmark = pytest.mark.anyio

CHAT = "/v1/chat/completions"
GREETING, JA, EN = KNOWN[0], KNOWN[1], KNOWN[3]
TOKYO = next(known for known in KNOWN if known.name == "one tool call")
USAGE = {"stream_options": {"include_usage": True}}
HOT = {"temperature": 2.0, "top_p": 1.0, "top_k": 0, "min_p": 0.0, "max_tokens": 24}


@dataclass
class Heard:
    """What a client has heard of one choice when its stream is over."""

    text: str = ""
    role: str | None = None
    calls: dict[int, dict[str, str]] = field(default_factory=dict)
    finish_reason: str | None = None

    def take(self, choice: dict[str, Any]) -> None:
        delta = choice["delta"]
        assert self.finish_reason is None, "a delta after the end"
        if self.role is None:
            self.role = delta["role"]
        self.text += delta.get("content") or ""
        for part in delta.get("tool_calls") or ():
            call = self.calls.setdefault(part["index"], {"name": "", "arguments": "", "id": ""})
            call["id"] += part.get("id") or ""
            call["name"] += part["function"].get("name") or ""
            call["arguments"] += part["function"].get("arguments") or ""
        self.finish_reason = choice["finish_reason"]


def heard(frames: Iterable[Frame]) -> tuple[list[Heard], list[dict[str, Any]]]:
    """Every choice of a stream, and the usage events; the stream must end with `[DONE]`."""
    *events, last = [frame.data for frame in frames if frame.comment is None]
    assert last == "[DONE]"
    choices: dict[int, Heard] = {}
    usages = []
    for event in map(json.loads, events):
        assert event["object"] == "chat.completion.chunk"
        for choice in event["choices"]:
            choices.setdefault(choice["index"], Heard()).take(choice)
        if event.get("usage"):
            usages.append(event["usage"])
    return [choices[index] for index in sorted(choices)], usages


def arguments(calls: Iterable[dict[str, Any]]) -> tuple[dict[str, str], ...]:
    return tuple(json.loads(call["arguments"]) for call in calls)


@pytest.mark.parametrize("known", KNOWN, ids=lambda known: known.name.replace(" ", "-"))
async def test_a_whole_answer_is_the_known_one(gateway: RunningGateway, known: Known) -> None:
    reply = await fetch(gateway.url, CHAT, known.request(), key=gateway.key)
    assert reply.status == 200, reply.text
    assert reply.json["object"] == "chat.completion"
    [choice] = reply.json["choices"]
    message = choice["message"]
    assert message["role"] == "assistant"
    assert (message["content"] or "").strip() == known.text
    calls = message.get("tool_calls") or []
    assert arguments(call["function"] for call in calls) == known.calls
    assert all(
        call["id"] and call["type"] == "function" and call["function"]["name"] == "get_weather" for call in calls
    )
    assert choice["finish_reason"] == known.finish_reason
    if known.tokens:
        assert (reply.json["usage"]["prompt_tokens"], reply.json["usage"]["completion_tokens"]) == known.tokens


@pytest.mark.parametrize("known", KNOWN, ids=lambda known: known.name.replace(" ", "-"))
async def test_a_streamed_answer_is_the_known_one(gateway: RunningGateway, known: Known) -> None:
    frames = await fetch_frames(gateway.url, CHAT, known.request(stream=True, **USAGE), key=gateway.key)
    [choice], [usage] = heard(frames)
    assert choice.role == "assistant"
    assert choice.text.strip() == known.text
    calls = [choice.calls[index] for index in sorted(choice.calls)]
    assert arguments(calls) == known.calls
    assert all(call["id"] and call["name"] == "get_weather" for call in calls)
    assert choice.finish_reason == known.finish_reason
    if known.tokens:
        assert (usage["prompt_tokens"], usage["completion_tokens"]) == known.tokens


async def test_japanese_is_byte_identical_to_the_direct_line(gateway: RunningGateway, engine: EngineProcess) -> None:
    request = JA.request(stream=True, **USAGE)
    direct = await fetch_frames(engine.url, CHAT, request)
    relayed = await fetch_frames(gateway.url, CHAT, request, key=gateway.key)
    texts = [b"".join(_contents(frames)) for frames in (direct, relayed)]
    assert texts[0] == texts[1] == JAPANESE.encode()
    assert not any("\ufffd" in frame.data for frame in relayed)
    if engine.backend == "llamacpp":  # one token, one event; vLLM joins tokens as its clock falls
        assert list(_contents(direct)) == list(_contents(relayed))


async def test_events_hold_what_the_engine_sent(gateway: RunningGateway, engine: EngineProcess) -> None:
    request = EN.request(stream=True, **USAGE)
    direct = [frame.json for frame in (await fetch_frames(engine.url, CHAT, request))[:-1]]
    relayed = [frame.json for frame in (await fetch_frames(gateway.url, CHAT, request, key=gateway.key))[:-1]]
    assert [set(event) for event in relayed[1:-2]] == [set(direct[1])] * len(relayed[1:-2])
    assert [set(event["choices"][0]) for event in relayed[1:-2]] == [set(direct[1]["choices"][0])] * len(relayed[1:-2])
    assert (set(direct[-1]), direct[-1]["choices"]) == (set(relayed[-1]), [])
    for count in ("prompt_tokens", "completion_tokens", "total_tokens"):
        assert relayed[-1]["usage"][count] == direct[-1]["usage"][count]


async def test_usage_is_sent_only_to_those_who_ask(gateway: RunningGateway) -> None:
    frames = await fetch_frames(gateway.url, CHAT, EN.request(stream=True), key=gateway.key)
    [choice], usages = heard(frames)
    assert choice.text == HELLO
    assert not usages
    calls = await gateway.logged(1)
    assert calls, "the call was written down"


async def test_how_far_the_prompt_was_read_is_told_only_to_those_who_ask(
    gateway: RunningGateway, engine: EngineProcess
) -> None:
    """The gateway itself always asks llama.cpp: by writing, it notices that a client has left."""
    for fields in ({}, {"return_progress": True}):
        frames = await fetch_frames(gateway.url, CHAT, EN.request(stream=True, **fields), key=gateway.key)
        told = any("prompt_progress" in frame.data for frame in frames)
        assert told == (bool(fields) and engine.backend == "llamacpp")
        [choice], _ = heard(frames)
        assert (choice.role, choice.text) == ("assistant", HELLO)


async def test_a_whole_answer_to_a_prompt_that_began_it_is_the_engines_own(
    gateway: RunningGateway, engine: EngineProcess
) -> None:
    """llama.cpp repeats what it continues, in whole answers only; vLLM does not."""
    for said in ("Hello! How", [{"type": "text", "text": "Hello!"}, {"type": "text", "text": "How"}]):
        request = EN.request(add_generation_prompt=False, continue_final_message=True, max_tokens=8)
        request["messages"] = [*request["messages"], {"role": "assistant", "content": said}]
        direct = (await fetch(engine.url, CHAT, request)).json["choices"]
        assert (await fetch(gateway.url, CHAT, request, key=gateway.key)).json["choices"] == direct


async def test_a_whole_text_cut_inside_a_character_keeps_what_came_before_it(
    gateway: RunningGateway, engine: EngineProcess
) -> None:
    """llama.cpp's streams leave out a token that ends inside a character, with the whole ones it begins with."""
    for prompt in ("東", '{"city": "'):
        for tokens in range(1, 14):
            body = {"model": "tiny-qwen2", "prompt": prompt, "max_tokens": tokens, "temperature": 0, "seed": 1}
            direct = (await fetch(engine.url, "/v1/completions", body)).json
            relayed = (await fetch(gateway.url, "/v1/completions", body, key=gateway.key)).json
            texts = [each["choices"][0]["text"].rstrip("\ufffd") for each in (direct, relayed)]
            assert texts[0] == texts[1], (prompt, tokens)
            assert relayed["usage"]["completion_tokens"] == direct["usage"]["completion_tokens"]


async def test_no_whole_answer_tells_of_progress(gateway: RunningGateway) -> None:
    for prompt in ("Hello", ["Hello", "Good morning everyone"]):
        body = {"model": "tiny-qwen2", "prompt": prompt, "max_tokens": 3, "temperature": 0}
        for stream in (True, False):
            reply = await fetch(gateway.url, "/v1/completions", {**body, "stream": stream}, key=gateway.key)
            assert reply.status == 200
            assert "prompt_progress" not in reply.text


async def test_two_choices_are_both_whole(gateway: RunningGateway) -> None:
    request = EN.request(n=2, temperature=0.01)
    reply = await fetch(gateway.url, CHAT, request, key=gateway.key)
    assert [(c["index"], c["message"]["content"]) for c in reply.json["choices"]] == [(0, HELLO), (1, HELLO)]
    assert (reply.json["usage"]["prompt_tokens"], reply.json["usage"]["completion_tokens"]) == (53, 34)


async def test_two_streamed_choices_are_both_whole_and_counted_once(gateway: RunningGateway) -> None:
    request = EN.request(n=2, temperature=0.01, stream=True, **USAGE)
    choices, usages = heard(await fetch_frames(gateway.url, CHAT, request, key=gateway.key))
    assert [(c.role, c.text, c.finish_reason) for c in choices] == [("assistant", HELLO, "stop")] * 2
    assert [(u["prompt_tokens"], u["completion_tokens"], u["total_tokens"]) for u in usages] == [(53, 34, 87)]


async def test_log_probabilities_are_the_engines(gateway: RunningGateway, engine: EngineProcess) -> None:
    request = EN.request(logprobs=True, top_logprobs=2, max_tokens=3)
    ours = await fetch(gateway.url, CHAT, request, key=gateway.key)
    theirs = await fetch(engine.url, CHAT, request)
    pairs = [[(t["token"], len(t["top_logprobs"])) for t in _logprobs(reply.json)] for reply in (ours, theirs)]
    assert pairs[0] == pairs[1]
    assert len(pairs[0]) == 3
    assert [t["logprob"] for t in _logprobs(ours.json)] == pytest.approx(
        [t["logprob"] for t in _logprobs(theirs.json)], abs=0.01
    )


async def test_a_seed_repeats_an_answer_and_sampling_fields_of_the_engine_reach_it(gateway: RunningGateway) -> None:
    texts = []
    for seed in (11, 11, 12):
        reply = await fetch(gateway.url, CHAT, EN.request(**{**HOT, "seed": seed}), key=gateway.key, limit_s=90)
        texts.append(reply.json["choices"][0]["message"]["content"])
    assert texts[0] == texts[1] != texts[2]


@pytest.mark.parametrize(
    "choice", ["required", {"type": "function", "function": {"name": "get_weather"}}], ids=["required", "named"]
)
async def test_a_demanded_tool_is_called(gateway: RunningGateway, choice: object) -> None:
    request = TOKYO.request(tool_choice=choice)
    assert request["tools"] == [WEATHER_TOOL]
    whole = (await fetch(gateway.url, CHAT, request, key=gateway.key)).json["choices"][0]["message"]
    assert arguments(call["function"] for call in whole["tool_calls"]) == TOKYO.calls
    [streamed], _ = heard(await fetch_frames(gateway.url, CHAT, {**request, "stream": True}, key=gateway.key))
    assert arguments(streamed.calls.values()) == TOKYO.calls


@pytest.mark.parametrize("name", ["default", "tiny-qwen2", None])
async def test_alias_served_model_and_no_model_reach_the_same_engine(gateway: RunningGateway, name: str | None) -> None:
    request = {**GREETING.request(), "model": name}
    if name is None:
        del request["model"]
    reply = await fetch(gateway.url, CHAT, request, key=gateway.key)
    assert reply.json["choices"][0]["message"]["content"] == GREETING.text


def _contents(frames: Iterable[Frame]) -> Iterable[bytes]:
    for frame in frames:
        if frame.data != "[DONE]":
            for choice in frame.json["choices"]:
                if content := choice["delta"].get("content"):
                    yield content.encode()


def _logprobs(answer: dict[str, Any]) -> list[dict[str, Any]]:
    content: list[dict[str, Any]] = answer["choices"][0]["logprobs"]["content"]
    return content
