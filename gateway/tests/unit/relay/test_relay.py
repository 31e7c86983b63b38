"""The life of one call: until the answer has a head it may move, after that nothing is retried; every ending gives everything
back.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import ExitStack, asynccontextmanager
from typing import Any

import pytest

from hayate.backends.openai_compat import OpenAICompatible
from hayate.errors import ContextTooLong, GatewayError, InvalidRequest, Overloaded, UnknownModel
from hayate.fleet.fleet import Fleet
from hayate.fleet.health_checks import MISS_S, Prober
from hayate.fleet.spec import DeploymentSpec
from hayate.relay.answer import Answer
from hayate.relay.call import Call
from hayate.relay.relay import Relay
from hayate.relay.ticker import Ticker
from hayate.settings import Probing, Timeouts
from hayate.telemetry.record import CallRecord
from hayate.upstream_errors import ConnectFailed, EngineError, UpstreamBroke, UpstreamTimeout
from hayate.wire.paths import CHAT
from tests.support.engine_faults import CLOSE_BEFORE_HEADERS, NO_ANSWER
from tests.support.engine_script import Answer as Answers
from tests.support.engine_script import Chat, answer, error
from tests.support.fake_engine import FakeEngine
from tests.support.waiting import eventually

pytestmark = pytest.mark.anyio

BUSY = error(503, "busy", {"retry-after": "7"})


def spec(name: str, *engines: FakeEngine, **more: Any) -> DeploymentSpec:
    urls = tuple(engine.url for engine in engines)
    return DeploymentSpec(name, **{"backend": OpenAICompatible(), "model": "m", "replicas": urls, **more})


def call(model: str | None = None, *, streams: bool = False, **more: Any) -> Call:
    """A plain chat."""
    fields = {"messages": [{"role": "user", "content": "x"}], "stream": streams, **more}
    return Call(CHAT, model, fields, streams, record=CallRecord("id-1", "chat", time.monotonic()))


@asynccontextmanager
async def relaying(
    *specs: DeploymentSpec, probing: Probing | None = None, **aliases: tuple[str, ...]
) -> AsyncIterator[Relay]:
    """A relay on these deployments; afterwards every place and counter must have been given back."""
    relay = Relay(Fleet(specs, aliases, probing), Ticker())
    try:
        yield relay
        for deployment in relay.fleet.deployments.values():
            assert (deployment.gate.in_flight, deployment.gate.queued) == (0, 0)
            assert all(replica.in_flight == 0 for replica in deployment.replicas)
    finally:
        relay.ticker.close()
        relay.fleet.close()


async def served(relay: Relay, asked: Call | None = None) -> Answer:
    """One answer, read to its end and closed."""
    with await relay.open(asked or call()) as found:
        await found.whole()
    return found


async def test_a_call_is_recorded_with_its_facts(one: FakeEngine) -> None:
    async with relaying(spec("a", one)) as relay:
        record = (await served(relay)).record
    assert (record.deployment, record.replica, record.attempts) == ("a", "a/0", 1)
    assert (record.usage.prompt_tokens, record.usage.completion_tokens, record.finish_reason) == (7, 3, "stop")
    assert one.requests[0].headers["x-request-id"] == "id-1"
    assert one.requests[0].json["model"] == "m"


async def test_the_replica_with_the_fewest_calls_gets_the_next(one: FakeEngine, two: FakeEngine) -> None:
    async with relaying(spec("a", one, two)) as relay:
        with ExitStack() as held:
            answers = [held.enter_context(await relay.open(call())) for _ in range(4)]
            assert [each.record.replica for each in answers] == ["a/0", "a/1", "a/0", "a/1"]


async def test_a_refused_connection_moves_the_call_to_another_replica(one: FakeEngine, two: FakeEngine) -> None:
    await one.refuse()
    async with relaying(spec("a", one, two)) as relay:
        record = (await served(relay)).record
        assert (record.replica, record.attempts) == ("a/1", 2)
        assert relay.fleet.deployments["a"].replicas[0].health.failures == 1


async def test_a_call_the_engine_turned_away_moves_and_nobody_is_blamed(one: FakeEngine, two: FakeEngine) -> None:
    one.script = BUSY
    async with relaying(spec("a", one, two)) as relay:
        assert (await served(relay)).record.replica == "a/1"
        assert relay.fleet.deployments["a"].replicas[0].health.failures == 0


async def test_a_call_the_engine_may_have_begun_does_not_move(one: FakeEngine, two: FakeEngine) -> None:
    for script in (CLOSE_BEFORE_HEADERS, error(500, "CUDA error"), answer(b"<html>")):
        one.script = script
        async with relaying(spec("a", one, two)) as relay:
            with pytest.raises(UpstreamBroke):
                await served(relay)
            assert relay.fleet.deployments["a"].replicas[0].health.failures == 1
    assert not two.requests


async def test_an_engines_verdict_on_the_request_does_not_move(one: FakeEngine, two: FakeEngine) -> None:
    async with relaying(spec("a", one, two)) as relay:
        for script, kind in ((error(400, "no"), EngineError), (error(400, "prompt is too long"), ContextTooLong)):
            one.script = script
            with pytest.raises(kind):
                await served(relay)
        assert relay.fleet.deployments["a"].replicas[0].health.failures == 0
    assert not two.requests


async def test_an_alias_is_tried_in_order(one: FakeEngine, two: FakeEngine) -> None:
    one.script = BUSY
    async with relaying(spec("a", one), spec("b", two), smart=("a", "b")) as relay:
        record = (await served(relay, call("smart"))).record
        assert (record.deployment, record.replica, record.attempts) == ("b", "b/0", 2)


async def test_an_alias_whose_first_is_full_or_out_goes_on(one: FakeEngine, two: FakeEngine) -> None:
    first = spec("a", one, max_in_flight=1, max_queued=0)
    async with relaying(first, spec("b", two), smart=("a", "b")) as relay:
        with await relay.open(call("a")) as held:
            assert (await served(relay, call("smart"))).record.deployment == "b"
        for _ in range(5):
            held.replica.health.failed(relay.now(), connecting=True)
        assert (await served(relay, call("smart"))).record.deployment == "b"


async def test_the_last_reason_is_told_when_all_have_failed(one: FakeEngine, two: FakeEngine) -> None:
    one.script = two.script = BUSY
    async with relaying(spec("a", one), spec("b", two), smart=("a", "b")) as relay:
        with pytest.raises(GatewayError) as refused:
            await relay.open(call("smart"))
    assert (refused.value.status, refused.value.retry_after_s) == (503, 7.0)
    assert len(one.requests) == len(two.requests) == 1


@pytest.mark.parametrize("value", ["soon", "-5", "nan", "inf", "1e99", "Wed, 21 Oct 2026 07:28:00 GMT"])
async def test_an_engine_may_say_anything_about_when_to_come_back(one: FakeEngine, value: str) -> None:
    one.script = error(503, "busy", {"retry-after": value})
    async with relaying(spec("a", one)) as relay:
        with pytest.raises(GatewayError) as refused:
            await relay.open(call())
    wait_s = refused.value.retry_after_s
    assert wait_s is None or 0 <= wait_s <= 86_400


@pytest.mark.parametrize("said", [error(500), answer({"hello": "world"}), CLOSE_BEFORE_HEADERS])
async def test_whatever_the_only_replica_answers_the_next_call_is_tried(one: FakeEngine, said: Answers) -> None:
    one.script = said
    async with relaying(spec("a", one), probing=Probing(eject_after=2)) as relay:
        for _ in range(20):
            with pytest.raises(UpstreamBroke):
                await served(relay)
        one.script = Chat()
        await served(relay)


async def test_of_two_the_one_whose_answers_fail_is_set_aside_until_the_other_is_gone(
    one: FakeEngine, two: FakeEngine
) -> None:
    one.script = error(500)
    async with relaying(spec("a", one, two), probing=Probing(eject_after=2, eject_s=50)) as relay:
        failed = 0
        for _ in range(10):
            try:
                await served(relay)
            except UpstreamBroke:
                failed += 1
        assert failed == 2
        first, second = relay.fleet.deployments["a"].replicas
        assert first.last_error is not None
        assert "engine failed" in first.last_error.text
        assert abs(first.last_error.at - time.time()) < 60
        for _ in range(2):
            second.health.probe_failed(relay.now())
        one.script = Chat()
        assert (await served(relay)).replica is first  # the last one is called, whatever it said before
        assert first.available(relay.now())


async def test_a_deployment_whose_engine_is_gone_is_overloaded_until_it_may_be_back(one: FakeEngine) -> None:
    await one.refuse()
    async with relaying(spec("a", one), probing=Probing(eject_after=2, eject_s=50)) as relay:
        for _ in range(2):
            with pytest.raises(ConnectFailed):
                await relay.open(call())
        with pytest.raises(Overloaded):
            await relay.open(call())


async def test_a_dead_engine_is_told_at_once(one: FakeEngine) -> None:
    await one.refuse()
    async with relaying(spec("a", one)) as relay:
        with pytest.raises(ConnectFailed) as failed:
            await relay.open(call())
    assert str(one.port) not in failed.value.english  # the address is the operator's business


async def test_retries_end_with_their_budget(one: FakeEngine, two: FakeEngine) -> None:
    one.script = two.script = BUSY
    async with relaying(spec("a", one, two)) as relay:
        relay.now = lambda: 1000.0
        for _ in range(150):
            with pytest.raises(GatewayError):
                await relay.open(call())
    assert 150 < len(one.requests) + len(two.requests) <= 250  # 100 retries in ten seconds, of which none passes here


async def test_no_head_in_time_is_a_timeout_and_releases_the_engine(one: FakeEngine) -> None:
    one.script = NO_ANSWER
    async with relaying(spec("a", one, timeouts=Timeouts(first_byte_s=0.1))) as relay:
        with pytest.raises(UpstreamTimeout, match="first_byte_s"):
            await relay.open(call(streams=True))
        await eventually(one.abandoned.is_set)


@pytest.mark.parametrize(
    ("limits", "named"),
    [(Timeouts(first_byte_s=0.1, whole_s=0.3), "whole_s"), (Timeouts(first_byte_s=0.1, total_s=0.3), "total_s")],
)
async def test_a_whole_answer_has_a_limit_of_its_own(one: FakeEngine, limits: Timeouts, named: str) -> None:
    one.script = NO_ANSWER
    async with relaying(spec("a", one, timeouts=limits)) as relay:
        with pytest.raises(UpstreamTimeout, match=named):
            await relay.open(call())
        await eventually(one.abandoned.is_set)


async def test_a_whole_answer_may_take_longer_than_a_first_byte(one: FakeEngine) -> None:
    one.script = Chat(["late"], prefill_s=0.4)
    async with relaying(spec("a", one, timeouts=Timeouts(first_byte_s=0.1))) as relay:
        assert (await served(relay)).record.finish_reason == "stop"


async def test_a_caller_that_leaves_in_any_phase_gives_everything_back(one: FakeEngine) -> None:
    one.script = Chat(prefill_s=0.05)
    async with relaying(spec("a", one, max_in_flight=2)) as relay:
        for delay_ms in range(0, 60, 4):
            tasks = [asyncio.create_task(served(relay)) for _ in range(4)]
            await asyncio.sleep(delay_ms / 1000)
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        assert relay.fleet.deployments["a"].replicas[0].health.failures == 0


async def test_more_output_than_the_context_holds_is_refused_before_the_engine_sees_it(one: FakeEngine) -> None:
    async with relaying(spec("a", one, context_tokens=100)) as relay:
        with pytest.raises(InvalidRequest) as refused:
            await relay.open(call(n_predict=101))
        await served(relay, call(n_predict=100))
    assert refused.value.param == "n_predict"
    assert "'n_predict'" in refused.value.english
    assert len(one.requests) == 1


async def test_an_unknown_model_takes_no_place(one: FakeEngine) -> None:
    async with relaying(spec("a", one)) as relay:
        with pytest.raises(UnknownModel):
            await relay.open(call("nope"))


# Names that engines learn later.


def serving(*names: str) -> Answers:
    """A model list."""
    return answer({"data": [{"id": name} for name in names]})


def only(*names: str) -> Answers:
    """An engine that knows these models and no other."""
    unknown = {
        "error": {"message": "The model does not exist.", "type": "NotFoundError", "param": "model", "code": 404}
    }
    return lambda request: Chat()(request) if request.json["model"] in names else answer(unknown, 404)


@asynccontextmanager
async def refreshing(*specs: DeploymentSpec) -> AsyncIterator[Relay]:
    """A relay that can ask its engines what they serve, and has."""
    async with relaying(*specs) as relay:
        relay.refresh = Prober(relay.fleet, on_change=lambda *_: None).refresh
        await relay.refresh()
        await asyncio.sleep(MISS_S + 0.1)
        yield relay


async def test_an_adapter_loaded_at_run_time_is_called_by_its_name(one: FakeEngine) -> None:
    one.routes["/v1/models"], one.script = serving("base"), only("base", "my-lora")
    async with refreshing(spec("a", one, model=None)) as relay:
        with pytest.raises(UnknownModel):
            relay.fleet.route("my-lora")
        one.routes["/v1/models"] = serving("base", "my-lora")
        await served(relay, call("my-lora"))
        assert one.requests[-1].json["model"] == "my-lora"


async def test_a_name_that_nobody_serves_is_asked_for_once_and_refused(one: FakeEngine) -> None:
    async with refreshing(spec("a", one, model=None)) as relay:
        seen = len(one.probes)
        refused = await asyncio.gather(
            *(relay.check_model(f"nonsense-{number}") for number in range(1000)), return_exceptions=True
        )
        assert all(isinstance(each, UnknownModel) for each in refused)
        assert len(one.probes) == seen + 1


async def test_a_call_follows_the_engine_to_the_model_it_serves_now(one: FakeEngine) -> None:
    one.routes["/v1/models"], one.script = serving("base"), only("base")
    async with refreshing(spec("a", one, model=None)) as relay:
        await served(relay, call(None))
        one.routes["/v1/models"], one.script = serving("other"), only("other")
        record = (await served(relay, call(None))).record
        assert [each.json["model"] for each in one.requests] == ["base", "base", "other"]
        assert record.attempts == 2


async def test_who_names_a_model_that_is_gone_gets_no_other(one: FakeEngine) -> None:
    one.routes["/v1/models"], one.script = serving("base"), only("base")
    async with refreshing(spec("a", one, model=None)) as relay:
        one.routes["/v1/models"], one.script = serving("other"), only("other")
        with pytest.raises(EngineError) as refused:
            await relay.open(call("base"))
        assert refused.value.status == 404
        assert len(one.requests) == 1
        with pytest.raises(UnknownModel):  # and by now it is known to be gone
            relay.fleet.route("base")


async def test_a_configured_model_that_the_engine_denies_is_the_engines_error(one: FakeEngine) -> None:
    one.script = only("other")
    async with refreshing(spec("a", one, model="mine")) as relay:
        with pytest.raises(EngineError):
            await relay.open(call(None))
        assert len(one.requests) == 1
