"""A deployment: its places and who waits for one, what is known of it, and which replica a call goes to."""

from __future__ import annotations

from typing import Any

import pytest

from hayate.fleet.deployment import Deployment, unavailable
from hayate.reasons import Reason
from hayate.upstream_errors import ConnectFailed, UpstreamBroke
from tests.support.tables import table
from tests.unit.fleet.made import QUICK, entered, spec

pytestmark = pytest.mark.anyio


# Places.


async def test_every_replica_adds_its_places() -> None:
    qwen = Deployment(spec("qwen", "http://a:1", "http://b:1", max_in_flight=2), QUICK)
    for _ in range(4):
        await entered(qwen)
    assert (qwen.gate.in_flight, qwen.gate.capacity, qwen.gate.spare) == (4, 4, 0)


async def test_a_replica_that_is_out_adds_none() -> None:
    qwen = Deployment(spec("qwen", "http://a:1", "http://b:1", max_in_flight=2), QUICK)
    broken, sound = qwen.replicas
    for _ in range(QUICK.eject_after):
        qwen.record_failure(broken, ConnectFailed("x", "x"), 0.0)
    qwen.widen()
    assert qwen.gate.capacity == sound.ceiling.places
    for _ in range(QUICK.eject_after):
        qwen.record_failure(sound, ConnectFailed("x", "x"), 0.0)
    qwen.widen()
    assert qwen.gate.capacity == 4, "nothing is in use: none counts less than another"


# What is known of a deployment.


async def test_what_is_configured_comes_before_what_the_engine_says() -> None:
    said: dict[str, Any] = {
        "object": "list",
        "data": [{"id": "qwen-7b", "max_model_len": 4096}, {"id": "lora", "max_model_len": 2048}],
    }
    plain, named = Deployment(spec(), QUICK), Deployment(spec(model="mine", context_tokens=100, images=False), QUICK)
    said["data"][0]["architecture"] = said["data"][1]["architecture"] = {"input_modalities": ["text", "image"]}
    for each in (plain, named):
        each.describe(each.replicas[0], [said])
        each.refresh()
    assert (plain.served_model, plain.models, plain.context_tokens) == ("qwen-7b", {"qwen-7b", "lora"}, 2048)
    assert (named.served_model, named.models, named.context_tokens) == ("mine", {"qwen-7b", "lora", "mine"}, 100)
    assert (plain.images, named.images) == (True, False)


async def test_of_several_replicas_holds_what_any_call_may_count_on() -> None:
    two = Deployment(spec(replicas=("http://127.0.0.1:1/a", "http://127.0.0.1:1/b")), QUICK)
    for replica, images, top_k in zip(two.replicas, (["image"], []), (4, 5), strict=True):
        model = {"id": "m", "architecture": {"input_modalities": images}}
        two.describe(replica, [{"data": [{**model, "default_parameters": {"top_p": 0.9, "top_k": top_k}}]}])
        two.refresh()
        assert two.images is bool(images)
    assert two.defaults == {"top_p": 0.9}


@pytest.mark.parametrize("said", [[None], [[]], [7], ["x"], [{"data": 7}], [{"data": [None, 7, {"id": 3}]}]])
async def test_an_engine_may_say_anything_of_itself(said: list[Any]) -> None:
    qwen = Deployment(spec(), QUICK)
    qwen.describe(qwen.replicas[0], said)
    qwen.refresh()
    assert (qwen.served_model, qwen.models, qwen.context_tokens) == (None, set(), None)


async def test_answers_set_aside_one_replica_but_never_the_last() -> None:
    qwen = Deployment(spec("qwen", "http://a:1", "http://b:1"), QUICK)
    first, second = qwen.replicas
    for _ in range(100):
        qwen.record_failure(first, UpstreamBroke("500"), 0.0)
        qwen.record_failure(second, UpstreamBroke("500"), 0.0)
    assert [each.available(0.0) for each in qwen.replicas] == [False, True]
    assert qwen.choose([], 0.0) is second
    assert qwen.choose([second], 0.0) is first  # nothing better is left
    assert qwen.ready(0.0) is False  # nobody has seen either answer
    for _ in range(3):
        qwen.record_failure(second, ConnectFailed("refused"), 0.0)
    assert qwen.choose([], 0.0) is first


async def test_when_all_are_out_the_caller_is_told_to_come_back() -> None:
    qwen = Deployment(spec("qwen", "http://a:1", "http://b:1"), QUICK)
    for replica in qwen.replicas:
        for _ in range(3):
            qwen.record_failure(replica, ConnectFailed("refused"), 0.0)
    assert qwen.choose([], 5.0) is None
    told = qwen.no_replica(5.0)
    assert (told.english, told.japanese) == (
        "qwen can't be used at the moment: its engine can't be reached. Try again shortly.",
        "qwenは現在利用できません（エンジンに接続できません）。しばらくしてからもう一度お試しください。",
    )
    assert told.retry_after_s == 5.0


async def test_none_is_left_when_all_have_been_tried() -> None:
    qwen = Deployment(spec("qwen", "http://a:1"), QUICK)
    assert qwen.choose(qwen.replicas, 5.0) is None


@table("reason", [None, *Reason])
def test_trying_again_is_advised_only_where_it_helps(reason: Reason | None) -> None:
    told = unavailable("qwen", reason)
    helps = reason is None or reason.retry_s is not None
    assert ("Try again shortly" in told.english) is ("もう一度お試しください" in told.japanese) is helps
    assert ("whoever runs this gateway" in told.english) is ("管理者" in told.japanese) is not helps
    assert (told.retry_after_s is not None) is helps
    assert "qwen" in told.english
    assert "qwen" in told.japanese
