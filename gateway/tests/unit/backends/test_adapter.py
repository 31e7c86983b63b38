"""What all adapters share: a path that is not translated passes with another model's name, where the engine has it."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hayate.backends.adapter import Adapter, for_a_stream
from hayate.backends.base import Asked, Backend, Prepared
from hayate.backends.llamacpp_client import LlamaCppClient
from hayate.backends.ollama_client import OllamaClient
from hayate.backends.openai_compat import OpenAICompatible
from hayate.backends.sglang_client import SGLangClient
from hayate.backends.trt_client import TrtLLMClient
from hayate.backends.vllm_client import VLLMClient
from hayate.errors import NotSupported
from hayate.policy.ceiling import Load
from hayate.upstream_errors import EngineError
from hayate.wire.forms import Form
from hayate.wire.passthrough_stream import PassthroughStream
from hayate.wire.paths import EMBEDDINGS, MESSAGES, PASSTHROUGH, RESPONSES
from tests.support.tables import table

ADAPTERS: list[type[Adapter]] = [
    VLLMClient,
    LlamaCppClient,
    OpenAICompatible,
    SGLangClient,
    TrtLLMClient,
    OllamaClient,
]
CASES = [(adapter, path) for adapter in ADAPTERS for path in sorted({*PASSTHROUGH, "/v1/secrets"})]


def passed(path: str, fields: dict[str, Any], served_model: str | None = "theirs") -> Prepared:
    """The call through an adapter that has every path."""
    return OpenAICompatible().prepare(
        Asked(path, fields.get("model"), fields, bool(fields.get("stream"))), served_model
    )


@table(("adapter", "path"), CASES)
def test_a_path_passes_where_the_engine_has_it_and_is_refused_by_name_where_not(adapter: type[Any], path: str) -> None:
    made: Backend = adapter()
    asked = Asked(path, "ours", {"model": "ours", "input": "x"})
    if path in adapter.passes and (made.name, path) != ("llamacpp", RESPONSES):
        assert made.prepare(asked, "theirs").request.path == path
        return
    if path == RESPONSES:  # which can be made of a chat (`test_responses`)
        assert made.prepare(asked, "theirs").request.path != path
        return
    with pytest.raises(NotSupported) as refused:
        made.prepare(asked, "theirs")
    for text in (refused.value.english, refused.value.japanese):
        assert text.startswith(made.name)
        assert path in text


def test_only_the_models_name_changes_and_the_callers_fields_are_left_alone() -> None:
    fields = {"model": "ours", "input": ["日本語", None, 1.5], "a_field_of_tomorrow": {"x": []}}
    before = json.dumps(fields)
    sent = passed(EMBEDDINGS, fields).request
    assert json.loads(sent.body) == {**fields, "model": "theirs"}
    assert json.dumps(fields) == before


def test_an_engine_that_has_told_no_model_gets_the_callers_name_for_it() -> None:
    assert json.loads(passed(EMBEDDINGS, {"model": "ours"}, None).request.body) == {"model": "ours"}
    assert json.loads(passed(EMBEDDINGS, {"input": "x"}, None).request.body) == {"input": "x"}


@pytest.mark.parametrize("path", [MESSAGES, RESPONSES])
def test_a_stream_is_read_where_its_dialect_is_known(path: str) -> None:
    streamed, whole = passed(path, {"stream": True}), passed(path, {})
    assert streamed.request.streams
    assert isinstance(streamed.decoder, PassthroughStream)
    assert (whole.request.streams, whole.decoder) == (False, None)


def test_a_path_that_has_no_streams_is_none_whatever_the_caller_asks() -> None:
    asked = passed(EMBEDDINGS, {"stream": True})
    assert (asked.request.streams, asked.decoder) == (False, None)


def test_a_form_keeps_its_bytes_and_its_boundary() -> None:
    content_type = b"multipart/form-data; boundary=edge"
    body = b'--edge\r\ncontent-disposition: form-data; name="model"\r\n\r\nours\r\n--edge--\r\n'
    asked = Asked("/v1/audio/transcriptions", "ours", {}, form=Form(content_type, body))
    sent = OpenAICompatible().prepare(asked, "theirs").request
    assert (sent.body, sent.content_type) == (body.replace(b"ours", b"theirs"), content_type)
    assert not sent.streams


def test_who_adds_nothing_concedes_nothing() -> None:
    assert OllamaClient().concede(EngineError("no such field", status=400)) is False


def test_a_whole_answer_that_is_streamed_here_is_asked_for_with_all_that_is_counted() -> None:
    fields = {"messages": [], "stream": False, "stream_options": {"include_usage": False}}
    assert for_a_stream(fields) == {"messages": [], "stream": True, "stream_options": {"include_usage": True}}
    assert fields["stream"] is False


TOLD: dict[type[Adapter], tuple[str, list[bytes], Load]] = {
    VLLMClient: (
        "/metrics",
        [
            b'vllm:num_requests_running{engine="0"} 3.0',
            b'vllm:num_requests_running{engine="1"} 4.0',
            b'vllm:num_requests_waiting{engine="0"} 0.0',
            b'vllm:num_requests_waiting{engine="1"} 2.0',
            b'vllm:num_requests_waiting_by_reason{engine="0",reason="capacity"} 9.0',
            b'vllm:kv_cache_usage_perc{engine="0"} 0.5',
            b'vllm:kv_cache_usage_perc{engine="1"} 0.75',
        ],
        Load(7, 2, 0.75),
    ),
    LlamaCppClient: ("/metrics", [b"llamacpp:requests_deferred 1", b"llamacpp:requests_processing 2"], Load(2, 1)),
    SGLangClient: (
        "/metrics",
        [
            b'sglang:num_running_reqs{model_name="m"} 8',
            b'sglang:num_queue_reqs{model_name="m"} 4',
            b"sglang:token_usage{} 0.28",
        ],
        Load(8, 4, 0.28),
    ),
    TrtLLMClient: (
        "/prometheus/metrics",
        [
            b"trtllm_num_requests_running 5",
            b"trtllm_num_requests_waiting 0",
            b"trtllm_kv_cache_utilization 0.1",
        ],
        Load(5, 0, 0.1),
    ),
}


@table("adapter", list(TOLD))
def test_how_busy_an_engine_is_is_read_of_its_own_figures(adapter: type[Any]) -> None:
    path, said, load = TOLD[adapter]
    made: Backend = adapter()
    request = made.load()
    assert request is not None
    assert (request.method, request.path, request.body) == (b"GET", path, b"")
    assert made.read_load(b"\n".join(said)) == load
    assert made.read_load(b"") is None


@table("adapter", [OpenAICompatible, OllamaClient])
def test_an_engine_that_tells_nobody_is_not_asked(adapter: type[Any]) -> None:
    made: Backend = adapter()
    assert made.load() is None
    assert made.read_load(b"vllm:num_requests_waiting 1") is None


def test_without_how_many_wait_nothing_is_known() -> None:
    assert TrtLLMClient().read_load(b"trtllm_kv_cache_utilization 0.1\n") is None
    assert VLLMClient().read_load(b"vllm:num_requests_waiting 1\n") == Load(None, 1, None)


@given(st.lists(st.sampled_from([b"vllm:num_requests_waiting", b"vllm:num_requests_running"]) | st.binary(max_size=20)))
def test_whatever_an_engine_says_of_its_load_is_read(pieces: list[bytes]) -> None:
    for said in (b"".join(pieces), b" ".join(pieces), b"\n".join(pieces), b" 9e99\n".join(pieces)):
        load = VLLMClient().read_load(said)
        assert load is None or (load.waiting is not None and load.waiting >= 0)
