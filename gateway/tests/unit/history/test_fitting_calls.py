"""What fits goes along: the engine is asked when the limit is near, and only as long as it answers."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest

from hayate.backends.base import Served
from hayate.backends.openai_compat import OpenAICompatible
from hayate.backends.vllm_client import VLLMClient
from hayate.errors import ContextTooLong
from hayate.fleet.deployment import Deployment
from hayate.history.fitting_calls import fit, fit_again, size_of
from hayate.policy.estimates import Estimates
from hayate.policy.fitting import Fit, Known, Request
from hayate.policy.prompt_sizes import Size, Turn
from hayate.wire.paths import CHAT
from tests.support.engine_script import Request as Seen
from tests.support.engine_script import Script, answer, error
from tests.support.fake_engine import FakeEngine, running_engine
from tests.unit.fleet.made import QUICK, spec

pytestmark = pytest.mark.anyio

WINDOW = 4096
SYSTEM = {"role": "system", "content": "短く答えてください。"}
PICTURE = {"type": "image_url", "image_url": {"url": "data:image/png;base64," + "A" * 4000}}


class Talk:
    """A conversation of equal turns of 100 tokens each, as chat messages; the new turn has as many."""

    def __init__(self, turns: int, **more: Any) -> None:
        self.messages = [
            [{"role": "user", "content": "あ" * 100}, {"role": "assistant", "content": "い" * 100}]
            for _ in range(turns)
        ]
        self.new: list[dict[str, Any]] = [{"role": "user", "content": "う" * 200}]
        turns_sizes = [Turn(number, *size_of(each)) for number, each in enumerate(self.messages, 1)]
        self.request = Request(
            turns=lambda: turns_sizes,
            new_turn=turns + 1,
            new=size_of(self.new),
            rest=size_of([SYSTEM]),
            **more,
        )

    def fields_from(self, first: int) -> dict[str, Any]:
        turns = [message for turn in self.messages[first - 1 :] for message in turn]
        return {"messages": [SYSTEM, *turns, *self.new], "temperature": 0}

    async def fit(self, deployment: Deployment, estimates: Estimates | None = None) -> Fit:
        return await fit(
            self.request,
            deployment,
            estimates or Estimates(),
            path=CHAT,
            model=None,
            fields_from=self.fields_from,
        )


def counted(request: Seen) -> Script:
    """Half a token for each character."""
    characters = sum(len(message["content"]) for message in request.json["messages"])
    return answer({"count": characters // 2})


@pytest.fixture
async def engine() -> AsyncIterator[FakeEngine]:
    async with running_engine() as running:
        running.script = counted
        yield running


def deployment(engine: FakeEngine, backend: Any = None, window: int | None = WINDOW) -> Deployment:
    made = Deployment(spec("qwen", engine.url, backend=backend or VLLMClient()), QUICK)
    made.replicas[0].health.probe_succeeded(0.0, beside=False)
    made.replicas[0].served = Served(("theirs",), window)
    made.refresh()
    return made


async def test_far_from_the_limit_nobody_is_asked(engine: FakeEngine) -> None:
    talk = Talk(10, known=Known(tokens=1100))
    assert await talk.fit(deployment(engine)) == Fit(1, 0)
    assert engine.requests == []


async def test_near_the_limit_the_engine_counts(engine: FakeEngine) -> None:
    assert await Talk(33).fit(deployment(engine)) == Fit(1, 0, near=True, tokens=3405)
    assert len(engine.requests) == 1


async def test_beyond_it_turns_are_left_out_by_its_counts(engine: FakeEngine) -> None:
    fit = await Talk(60).fit(deployment(engine))
    assert fit == Fit(41, 40, near=True, window=WINDOW, tokens=2105)
    asked = [request.json["messages"] for request in engine.requests]
    assert 3 <= len(asked) <= 5
    for messages in asked:
        assert messages[0] == SYSTEM
        assert messages[-1]["content"] == "う" * 200


async def test_an_engine_that_does_not_answer_is_asked_once(engine: FakeEngine) -> None:
    engine.script = error(404)
    fit = await Talk(60).fit(deployment(engine))
    assert len(engine.requests) == 1
    assert fit == await Talk(60).fit(deployment(engine, OpenAICompatible()))
    assert fit.omitted > 40


async def test_estimates_are_those_of_the_deployment_and_the_path(engine: FakeEngine) -> None:
    estimates = Estimates()
    for size in (5000, 50_000, 20_000):
        estimates.learn_prompt("qwen", CHAT, size, size // 12)
    assert (await Talk(33).fit(deployment(engine, OpenAICompatible()), estimates)).omitted == 0
    assert (await Talk(33).fit(deployment(engine, OpenAICompatible()))).omitted > 0


async def test_without_a_known_context_all_goes_along(engine: FakeEngine) -> None:
    assert await Talk(500).fit(deployment(engine, OpenAICompatible(), None)) == Fit(1, 0)


async def test_who_wants_nothing_left_out_is_refused(engine: FakeEngine) -> None:
    talk = Talk(60)
    talk.request = replace(talk.request, truncates=False)
    with pytest.raises(ContextTooLong, match="6105 tokens"):
        await talk.fit(deployment(engine))


async def test_pictures_are_not_sent_to_be_counted(engine: FakeEngine) -> None:
    talk = Talk(10)
    talk.new = [{"role": "user", "content": [PICTURE, {"type": "text", "text": "これは？"}]}]
    talk.request = replace(talk.request, new=size_of(talk.new))
    assert talk.request.new.media == 1
    assert talk.request.new.bytes < 200
    engine.script = answer({"count": 1000})
    assert (await talk.fit(deployment(engine))).tokens == 1000 + 2048
    (seen,) = engine.requests
    assert seen.json["messages"][-1]["content"] == [{"type": "text", "text": "これは？"}]
    assert b"base64" not in seen.body


async def test_after_a_refusal_fewer_go_along(engine: FakeEngine) -> None:
    talk, asked = Talk(60), deployment(engine, OpenAICompatible(), None)
    sent = await talk.fit(asked)
    again = fit_again(talk.request, sent, asked, Estimates(), path=CHAT)
    assert again is not None
    assert 20 < again.first_turn < 30
    assert fit_again(talk.request, Fit(61, 60), asked, Estimates(), path=CHAT) is None


def test_sizes_are_those_of_the_words_as_they_are_sent() -> None:
    assert size_of([]) == Size(0, 0)
    assert size_of([SYSTEM]).bytes == len('{"role":"system","content":"短く答えてください。"},'.encode())
    assert size_of([{"role": "user", "content": [PICTURE]}, SYSTEM]).media == 1
