"""Whole measurements: through a real gateway, straight at a server, at an old service, and at what can't be measured."""

from __future__ import annotations

import pytest

from hayate.tools.measure.refusal import CannotMeasure
from hayate.tools.measure.rounds import Rounds
from tests.support.engine_script import SSE, Answer, Chat, Request, Script, answer, body, end, error, head
from tests.support.fake_engine import running_engine
from tests.support.gateway import KEY, running_gateway
from tests.unit.tools.measure.measured import Silent, measured, plan

pytestmark = pytest.mark.anyio

PREFILL_S, GAP_S = 0.1, 0.02
STEADY = Chat([f"語{n}" for n in range(11)], prefill_s=PREFILL_S, gap_s=GAP_S)


@pytest.mark.parametrize("api", ["openai", "generate_stream"])
async def test_known_gaps_are_measured_through_a_real_gateway(api: str) -> None:
    async with (
        running_engine(STEADY) as engine,
        running_gateway({"LLM_BACKEND": "vllm", "BACKEND_URL": engine.url, "MODEL": "fast"}) as gateway,
    ):
        await gateway.ready()
        calls = await measured(plan(gateway.url, api, KEY))  # type: ignore[arg-type]
        logged = await gateway.logged(4)
    assert len(engine.requests) == len(logged) == 4
    assert [call.number for call in calls] == [1, 2, 3, 4]
    for call in calls:
        assert call.failure is None
        assert (call.output_tokens, call.tokens_told, call.prompt_tokens) == (11, True, 7)
        assert call.chars == sum(len(f"語{n}") for n in range(11))
        assert call.finish_reason == "stop"
        assert call.ttft_s is not None
        assert call.tpot_s is not None
        # A busy machine can only be late: what was waited for is never measured shorter.
        assert PREFILL_S <= call.ttft_s < PREFILL_S + 60
        assert GAP_S * 0.9 <= call.tpot_s < GAP_S + 6
        assert call.total_s >= PREFILL_S + 10 * GAP_S


async def test_what_is_sent_is_what_was_asked_for() -> None:
    async with running_engine() as engine:
        await measured(plan(engine.url, key="sk-mine", calls=2, max_tokens=9, temperature=0.3))
        first, second = engine.requests
    assert first.headers["authorization"] == "Bearer sk-mine"
    assert first.headers["user-agent"].startswith("hayate-bench/")
    asked = first.json
    assert (asked["model"], asked["max_tokens"], asked["temperature"], asked["stream"]) == ("fast", 9, 0.3, True)
    assert asked["messages"] != second.json["messages"]


async def test_no_more_calls_are_under_way_than_wished_and_connections_are_kept() -> None:
    async with running_engine(Chat(prefill_s=0.02, framing="length")) as engine:
        calls = await measured(plan(engine.url, concurrency=3, calls=12))
    assert len(calls) == 12
    assert engine.max_open == 3
    assert engine.accepted == 3


async def test_the_first_call_is_made_to_warm_up_and_does_not_count() -> None:
    async with running_engine() as engine:
        rounds = Rounds(plan(engine.url, warm_up=True, calls=2), Silent())
        await rounds.run()
    assert len(engine.requests) == 3
    assert len(rounds.models[0].calls) == 2
    assert rounds.models[0].warm_up_s is not None


async def test_unique_prompts_begin_differently_every_time() -> None:
    async with running_engine() as engine:
        await measured(plan(engine.url, unique=True, calls=4))
    begun = [request.json["messages"][0]["content"][:10] for request in engine.requests]
    assert len(set(begun)) == 4


def old_service(*frames: str) -> Answer:
    """What an in-process service streams."""

    def script(_: Request) -> Script:
        return [head(headers=SSE, framing="close"), *(body(f"data: {each}\n\n".encode()) for each in frames), end]

    return script


async def test_an_old_service_that_only_has_generate_stream_is_measured() -> None:
    async with running_engine(old_service("こん", "にちは", "。", "[DONE]")) as engine:
        calls = await measured(plan(engine.url, "generate_stream", models=()))
    assert [(call.failure, call.output_tokens, call.chars) for call in calls] == [(None, 3, 6)] * 4
    assert not any(call.tokens_told for call in calls)
    asked = engine.requests[0]
    assert asked.method == "GET"
    assert asked.path.startswith("/generate_stream?prompt=%")
    assert "model=" not in asked.path
    assert "authorization" not in asked.headers


async def test_some_calls_may_fail_while_others_count() -> None:
    async with running_engine() as engine:
        engine.then(error(503, "queue full"), Chat(), error(500, "oops"))
        calls = await measured(plan(engine.url, concurrency=1))
    told = [(call.failure.reason, call.failure.detail) if call.failure else None for call in calls]
    assert told == [("status_503", "queue full"), None, ("status_500", "oops"), None]


@pytest.mark.parametrize(("script", "asked"), [(error(401, "who?"), 1), (error(404, "no"), 1), (error(503, "busy"), 5)])
async def test_what_every_call_would_meet_is_met_once(script: Answer, asked: int) -> None:
    async with running_engine(script) as engine:
        rounds = Rounds(plan(engine.url, warm_up=True), Silent())
        await rounds.run()
    assert len(engine.requests) == asked
    assert len(rounds.models[0].calls) == max(1, asked - 1)


async def test_a_gateway_s_deployments_are_measured_when_no_model_is_named() -> None:
    async with running_engine(model="m") as engine:
        config = f"""
deployments:
  qwen: {{backend: vllm, model: m, replicas: ["{engine.url}"]}}
  bakeneko: {{backend: vllm, model: m, replicas: ["{engine.url}"]}}
aliases: {{fast: qwen, smart: [bakeneko, qwen]}}
"""
        async with running_gateway(config=config) as gateway:
            await gateway.ready()
            rounds = Rounds(plan(gateway.url, key=KEY, models=(), calls=2), Silent())
            await rounds.run()
    assert rounds.complete
    assert [(each.model, len(each.calls)) for each in rounds.models] == [("qwen", 2), ("bakeneko", 2)]


async def test_a_server_that_lists_a_shopful_of_models_wants_one_named() -> None:
    async with running_engine() as engine:
        engine.routes["/v1/models"] = answer({"data": [{"id": f"model-{n}"} for n in range(60)]})
        with pytest.raises(CannotMeasure, match="60 models"):
            await Rounds(plan(engine.url, models=()), Silent()).run()


async def test_a_server_without_a_list_is_asked_without_a_name() -> None:
    async with running_engine() as engine:
        engine.routes["/v1/models"] = error(404, "Not Found")
        rounds = Rounds(plan(engine.url, models=(), calls=1), Silent())
        await rounds.run()
    assert rounds.models[0].model == "default"
    assert "model" not in engine.requests[0].json
