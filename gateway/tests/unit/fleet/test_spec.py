"""A deployment as configured: what it says itself, and what it leaves to its adapter."""

from __future__ import annotations

import pytest

from hayate.backends.base import Backend
from hayate.backends.llamacpp_client import LlamaCppClient
from hayate.backends.openai_compat import OpenAICompatible
from hayate.backends.vllm_client import VLLMClient
from hayate.fleet.spec import first_byte_limit, whole_limit
from hayate.settings import LLAMACPP, Capacity, Run, Timeouts
from tests.support.tables import table
from tests.unit.fleet.made import spec


@pytest.mark.parametrize("backend", [VLLMClient(), OpenAICompatible(), LlamaCppClient()])
def test_a_silent_engine_is_asked_for_a_token_as_configured_or_else_as_its_adapter_says(backend: Backend) -> None:
    assert spec(backend=backend).sends_canaries is backend.canary
    assert spec(backend=backend, canary=True).sends_canaries is True
    assert spec(backend=backend, canary=False).sends_canaries is False


def test_what_is_not_said_is_as_the_settings_say() -> None:
    made, capacity = spec(), Capacity()
    assert (made.max_in_flight, made.max_queued) == (capacity.max_in_flight, capacity.max_queued)
    assert (made.queue_timeout_s, made.context_tokens) == (capacity.queue_timeout_s, capacity.context_tokens)
    assert made.timeouts == Timeouts()


def test_a_call_waits_here_as_long_as_it_would_have_waited_in_the_engines_queue_unless_said() -> None:
    assert spec(timeouts=Timeouts(first_byte_s=7.0)).queue_s == 7.0
    assert spec(timeouts=Timeouts(first_byte_s=7.0), queue_timeout_s=2.0).queue_s == 2.0


def test_a_key_that_the_engine_repeats_is_not_shown_to_callers() -> None:
    made = spec(credentials=((b"authorization", b"Bearer sk-of-the-engine"),))
    assert made.without_key(b"no sk-of-the-engine, no 'Bearer sk-of-the-engine'") == b"no [key], no 'Bearer [key]'"
    assert spec().without_key(b"as it came") == b"as it came"


def test_an_engine_is_another_when_it_is_run_in_another_way_and_not_when_it_gets_other_calls() -> None:
    run = Run(command=("serve", "{port}"))
    made = spec(run=run, model="m")
    same = spec(run=Run(command=("serve", "{port}")), model="m", max_in_flight=3, context_tokens=9, pin=True)
    assert same.identity == made.identity
    for other in (Run(command=("serve", "{port}", "-v")), Run(command=run.command, env={"A": "1"}), LLAMACPP, None):
        assert spec(run=other, model="m").identity != made.identity
    assert spec(run=run, model="n").identity != made.identity
    assert spec(model="a").identity != spec(model="b").identity, "the one has to go before the other comes"
    llama = spec(run=LLAMACPP, model="m", context_tokens=9)
    assert spec(run=LLAMACPP, model="m", context_tokens=10).identity != llama.identity, "it is started with it"


@table(
    ("limits", "first", "whole"),
    [
        (Timeouts(), (300.0, "first_byte_s"), (None, "whole_s")),
        (Timeouts(total_s=10), (10, "total_s"), (10, "total_s")),
        (Timeouts(first_byte_s=5, total_s=10), (5, "first_byte_s"), (10, "total_s")),
        (Timeouts(whole_s=600), (300.0, "first_byte_s"), (600, "whole_s")),
        (Timeouts(whole_s=600, total_s=700), (300.0, "first_byte_s"), (600, "whole_s")),
        (Timeouts(whole_s=600, total_s=60), (60, "total_s"), (60, "total_s")),
    ],
)
def test_a_stream_and_a_whole_answer_have_limits_of_their_own(
    limits: Timeouts, first: tuple[float, str], whole: tuple[float | None, str]
) -> None:
    assert first_byte_limit(limits) == first
    assert whole_limit(limits) == whole
