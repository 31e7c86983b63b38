"""vLLM is OpenAI's API with a health endpoint; its other manners are met where every engine's are."""

from __future__ import annotations

from hayate.backends.openai_compat import OpenAICompatible
from hayate.backends.vllm_client import VLLMClient
from hayate.upstream_errors import UpstreamBroke
from tests.unit.backends.prepared import decoder, prepared
from tests.unit.wire.engine_chunks import ABORT, CORE_DIED, DONE, ROLE, WORDS


def test_its_health_is_asked_for_by_a_get() -> None:
    request = VLLMClient().probe()
    assert (request.method, request.path, request.body) == (b"GET", "/health", b"")


def test_it_answers_whole_when_asked_for_that() -> None:
    call = prepared(VLLMClient(), {"messages": []})
    assert (call.request.streams, call.decoder, call.assembly) == (False, None, None)
    assert isinstance(VLLMClient(), OpenAICompatible)


def test_a_dying_core_and_a_shutdown_are_failures_whatever_follows() -> None:
    for last in (CORE_DIED, ABORT):
        stream = decoder(VLLMClient(), {})
        assert stream.feed(ROLE + WORDS[0] + last + DONE) == ROLE + WORDS[0]
        assert isinstance(stream.failure, UpstreamBroke)
