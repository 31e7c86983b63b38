"""An engine is asked for a prompt's tokens; whatever it does instead of answering, a call does not fail for it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from hayate.backends.base import Asked, Served
from hayate.backends.llamacpp_client import LlamaCppClient
from hayate.backends.openai_compat import OpenAICompatible
from hayate.backends.vllm_client import VLLMClient
from hayate.fleet.counting import count_prompt
from hayate.fleet.deployment import Deployment
from hayate.fleet.door import Door
from hayate.wire.paths import CHAT
from tests.support.engine_script import Answer, Request, Script, answer, cut, error, reset, silence
from tests.support.fake_engine import FakeEngine, running_engine
from tests.unit.backends.test_triton_client import client as triton
from tests.unit.fleet.made import QUICK, spec

pytestmark = pytest.mark.anyio

ASKED = Asked(CHAT, "ours", {"messages": [{"role": "user", "content": "こんにちは"}]})
PATIENCE_S = 0.3
"""As long as nobody answers, this is how long the tests take."""


@pytest.fixture
async def engine() -> AsyncIterator[FakeEngine]:
    async with running_engine() as running:
        yield running


def deployment(engine: FakeEngine, backend: Any) -> Deployment:
    """One whose engine has been seen to answer."""
    made = Deployment(spec("qwen", engine.url, backend=backend), QUICK)
    made.replicas[0].health.probe_succeeded(0.0, beside=False)
    made.replicas[0].served = Served(("theirs", "another"))
    made.refresh()
    return made


async def test_it_is_asked_by_its_own_name_for_the_model(engine: FakeEngine) -> None:
    engine.script = answer({"count": 12, "tokens": []})
    asked = deployment(engine, VLLMClient())
    assert await count_prompt(asked, ASKED) == 12
    assert await count_prompt(asked, Asked(CHAT, "another", ASKED.fields)) == 12
    assert [request.json["model"] for request in engine.requests] == ["theirs", "another"]


async def test_a_model_that_is_not_loaded_is_not_asked(engine: FakeEngine) -> None:
    asked = deployment(engine, LlamaCppClient())
    asked.door = Door("qwen", 1.0, lambda: None)
    assert await count_prompt(asked, ASKED) is None
    assert not engine.requests
    asked.door.loaded = True
    engine.script = answer({"input_tokens": 3})
    assert await count_prompt(asked, ASKED) == 3
    assert engine.requests[0].json["model"] == "theirs"


async def test_it_may_take_more_than_one_question(engine: FakeEngine) -> None:
    def older(request: Request) -> Script:
        if request.path == "/apply-template":
            return answer({"prompt": "x" * request.json["messages"][0]["content"].count("こ")})
        return answer({"tokens": [1, 2]}) if request.path == "/tokenize" else error(404)

    engine.script = older
    assert await count_prompt(deployment(engine, LlamaCppClient()), ASKED) == 2
    assert [request.path for request in engine.requests] == [CHAT + "/input_tokens", "/apply-template", "/tokenize"]


@pytest.mark.parametrize(
    ("script", "times"),
    [
        (error(404), 2),
        (error(500), 2),
        (answer({"count": None}), 1),
        (answer(b"not JSON"), 1),
        (answer(b""), 1),
        ([cut], 1),
        ([reset], 1),
        ([silence], 1),
    ],
    ids=["no such path", "broken", "no count", "no JSON", "nothing", "cut", "reset", "silent"],
)
@pytest.mark.parametrize("backend", [VLLMClient, LlamaCppClient])
async def test_without_an_answer_there_is_no_count(
    engine: FakeEngine, backend: Any, script: Answer, times: int
) -> None:
    engine.script = script
    assert await count_prompt(deployment(engine, backend()), ASKED, within_s=PATIENCE_S) is None
    assert len(engine.requests) == (times if backend is LlamaCppClient else 1)


async def test_nobody_is_asked_who_can_not_be_called(engine: FakeEngine) -> None:
    asked = deployment(engine, VLLMClient())
    for _ in range(QUICK.eject_after):
        asked.replicas[0].health.failed(1.0, connecting=True, alone=False)
    await engine.refuse()
    assert await count_prompt(asked, ASKED) is None
    assert await count_prompt(deployment(engine, OpenAICompatible()), ASKED) is None
    assert engine.requests == []


async def test_what_is_counted_here_asks_nobody(engine: FakeEngine) -> None:
    asked = deployment(engine, triton())
    assert await count_prompt(asked, ASKED) == len("<s>user: こんにちは\n")
    refused = Asked(CHAT, None, {**ASKED.fields, "tools": [{}]})
    assert await count_prompt(asked, refused) is None
    assert engine.requests == []
