"""Every shape of error that engines were seen to send becomes the one error it means."""

from __future__ import annotations

from typing import Any

import orjson
from hypothesis import given
from hypothesis import strategies as st

from hayate.errors import ContextTooLong, GatewayError, InvalidRequest, NotSupported
from hayate.reasons import Reason
from hayate.upstream_errors import EngineError, UpstreamBroke, UpstreamRefused
from hayate.wire.engine_errors import MAX_MESSAGE_CHARS, engine_error, parse_error, reason_of, words_of
from tests.support.tables import table

VLLM_TOO_LONG = {
    "error": {
        "message": "This model's maximum context length is 4096 tokens. However, your prompt contains at least 4097 input tokens.",
        "type": "BadRequestError",
        "param": "input_tokens",
        "code": 400,
    }
}
LLAMACPP_TOO_LONG = {
    "error": {
        "code": 400,
        "message": "request (6052 tokens) exceeds the available context size (4096 tokens), try increasing it",
        "type": "exceed_context_size_error",
        "n_prompt_tokens": 6052,
        "n_ctx": 4096,
    }
}
VLLM_UNKNOWN_MODEL = {
    "error": {"message": "The model `x` does not exist.", "type": "NotFoundError", "param": "model", "code": 404}
}
VLLM_DRAINING = {
    "error": {"message": "cannot schedule new futures after shutdown", "type": "InternalServerError", "code": 500}
}
LLAMACPP_LOADING = {"error": {"code": 503, "message": "Loading model", "type": "unavailable_error"}}
LLAMACPP_IMAGE = {
    "error": {
        "code": 500,
        "message": "image input is not supported - hint: if this is unexpected, you may need to provide the mmproj",
        "type": "server_error",
    }
}
TRTLLM_FLAT = {"object": "error", "message": "temperature must be >= 0", "type": "BadRequestError", "param": "temperature", "code": 400}  # fmt: skip  # noqa: E501


@table(
    ("status", "body", "kind", "ours"),
    [
        (400, VLLM_TOO_LONG, ContextTooLong, 400),
        (400, LLAMACPP_TOO_LONG, ContextTooLong, 400),
        (400, {"error": "prompt is too long"}, ContextTooLong, 400),
        (404, VLLM_UNKNOWN_MODEL, EngineError, 404),
        (400, TRTLLM_FLAT, EngineError, 400),
        (400, {"error": "extra fields not permitted"}, EngineError, 400),
        (422, {"detail": [{"loc": ["body", "n"], "msg": "wrong"}]}, EngineError, 422),
        (404, {"detail": "Not Found"}, NotSupported, 501),
        (405, {"detail": "Method Not Allowed"}, NotSupported, 501),
        (501, {"error": {"message": "no embeddings here", "code": 501}}, NotSupported, 501),
        (500, VLLM_DRAINING, UpstreamRefused, 503),
        (503, LLAMACPP_LOADING, UpstreamRefused, 503),
        (503, None, UpstreamRefused, 503),
        (429, {"error": {"message": "slow down"}}, UpstreamRefused, 429),
        (500, LLAMACPP_IMAGE, InvalidRequest, 400),
        (500, {"error": {"message": "CUDA error"}}, UpstreamBroke, 502),
        (502, "<html>Bad Gateway</html>", UpstreamBroke, 502),
        (401, {"error": "Unauthorized"}, UpstreamBroke, 502),
        (403, {"error": {"message": "no"}}, UpstreamBroke, 502),
        (500, None, UpstreamBroke, 502),
    ],
)
def test_each_shape_means_one_error(status: int, body: Any, kind: type[GatewayError], ours: int) -> None:
    error = parse_error(status, b"" if body is None else orjson.dumps(body), retry_after_s=3.0)
    assert type(error) is kind
    assert error.status == ours
    assert error.english
    assert error.japanese


def test_the_engines_words_param_and_code_reach_the_caller() -> None:
    error = parse_error(400, orjson.dumps(TRTLLM_FLAT))
    assert (error.english, error.param, error.code) == ("temperature must be >= 0", "temperature", None)
    named = engine_error(400, {"error": {"message": "no", "code": "bad_schema"}})
    assert named.code == "bad_schema"


def test_an_error_inside_a_stream_carries_its_own_status() -> None:
    assert engine_error(500, VLLM_TOO_LONG).status == 400
    assert isinstance(engine_error(500, VLLM_TOO_LONG), ContextTooLong)
    assert isinstance(engine_error(500, {"error": "it broke"}), UpstreamBroke)


def test_when_to_come_back_is_passed_on() -> None:
    refused = parse_error(503, orjson.dumps(LLAMACPP_LOADING), retry_after_s=7.0)
    assert refused.retry_after_s == 7.0


def test_the_gateways_own_key_is_the_operators_business() -> None:
    error = parse_error(401, b'{"error":"Unauthorized"}')
    assert "BACKEND_API_KEY" in error.english
    assert error.status != 401


@table("raw", [b"<html><body>nginx</body></html>", b"  <!DOCTYPE html>", b"\xff\xfe", b"{", b"[]", b"7", b'""'])
def test_what_is_no_error_of_an_engine_is_not_repeated(raw: bytes) -> None:
    error = parse_error(502, raw)
    assert error.status == 502
    assert "<" not in error.english


def test_a_plain_text_is_repeated_within_bounds() -> None:
    assert "out of memory" in parse_error(500, b"out of memory\n").english
    assert len(parse_error(400, b"x" * 100_000).english) <= MAX_MESSAGE_CHARS


json_values = st.recursive(
    # orjson reads a whole number beyond 64 bits as a float.
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["error", "message", "code", "detail", "type", "param"]), inner, max_size=4)
    ),
    max_leaves=8,
)


@given(st.integers(400, 599), json_values)
def test_any_json_becomes_an_error_that_says_something(status: int, body: Any) -> None:
    error = engine_error(status, body)
    assert 400 <= error.status < 600
    assert error.english


@given(st.integers(400, 599), st.binary(max_size=60))
def test_any_bytes_become_an_error(status: int, raw: bytes) -> None:
    assert parse_error(status, raw).english


@table(
    ("status", "body", "was_ready", "reason"),
    [
        (401, b"", True, Reason.WRONG_KEY),
        (403, b'{"error":"forbidden"}', False, Reason.WRONG_KEY),
        (503, b'{"error":{"message":"Loading model","code":503}}', True, Reason.LOADING),
        (503, b"", False, Reason.LOADING),
        (503, b"", True, Reason.REFUSED),
        (500, b'{"error":{"message":"CUDA out of memory. Tried to allocate 2 GiB"}}', True, Reason.OUT_OF_MEMORY),
        (500, b"ggml_backend_cuda_buffer_type_alloc_buffer: cudaMalloc failed", True, Reason.OUT_OF_MEMORY),
        (500, b'{"error":{"message":"EngineDeadError"}}', True, Reason.REFUSED),
        (400, b"<html><h1>400 The plain HTTP request was sent to HTTPS port</h1>", True, Reason.TLS_REFUSED),
        (400, b"Client sent an HTTP request to an HTTPS server.\n", True, Reason.TLS_REFUSED),
        (301, b"", False, Reason.NO_ENGINE),
        (418, b"\xff\xfe", True, Reason.REFUSED),
    ],
)
def test_why_a_probe_was_not_answered_well(status: int, body: bytes, was_ready: bool, reason: Reason) -> None:
    assert reason_of(status, body, was_ready=was_ready) is reason


@given(st.integers(200, 599), st.binary(max_size=6000), st.booleans())
def test_whatever_is_answered_there_is_a_reason_and_few_words(status: int, body: bytes, was_ready: bool) -> None:
    assert isinstance(reason_of(status, body, was_ready=was_ready), Reason)
    assert len(words_of(body)) <= MAX_MESSAGE_CHARS


def test_an_error_says_what_is_the_matter_with_its_engine() -> None:
    def told(status: int, message: str) -> object:
        return getattr(engine_error(status, {"error": {"message": message}}), "reason", None)

    assert told(503, "Loading model") is Reason.LOADING
    assert told(401, "Unauthorized") is Reason.WRONG_KEY
    assert told(500, "CUDA out of memory") is Reason.OUT_OF_MEMORY
    assert told(500, "it broke") is Reason.REFUSED
    assert told(429, "busy") is Reason.REFUSED
    assert told(400, "no such field") is None
