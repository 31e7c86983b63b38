"""Reading an engine's error body, whatever its shape, into one of ours.

Shapes seen: `{"error":{message,type,param,code}}` (vLLM, llama.cpp, SGLang), `{"error":"text"}` (vLLM's 401, Ollama,
Triton, trtllm-serve's validation), `{object,message,type,param,code}` flat (trtllm-serve), `{"detail":…}` (FastAPI),
`{code,msg}`, and pages and plain text of what stands before an engine.
"""

from __future__ import annotations

import html
import re
from typing import Any

import orjson

from hayate.errors import ContextTooLong, GatewayError, InvalidRequest, NotSupported
from hayate.language import one_line
from hayate.reasons import Reason
from hayate.upstream_errors import EngineError, UpstreamBroke, UpstreamRefused

_TOO_LONG = re.compile(
    r"maximum context length|exceeds? the (available )?context|context_length_exceeded|exceeds maximum input length"
    r"|input length exceeds|prompt is too long|longer than the (maximum|context|model's context)|max_seq_len|max_num_tokens",
    re.IGNORECASE,
)
_LOADING = re.compile(r"Loading model|model is loading", re.IGNORECASE)
_SHUTTING_DOWN = re.compile(r"cannot schedule new futures after shutdown|server is shutting down", re.IGNORECASE)
_NO_MEMORY = re.compile(r"out of memory|OutOfMemory|failed to allocate|cudaMalloc failed", re.IGNORECASE)
"""PyTorch's words (vLLM, SGLang, TensorRT-LLM) and ggml's (llama.cpp, Ollama)."""
_PLAIN_AT_TLS = re.compile(r"HTTP request was sent to (an )?HTTPS|HTTP request to an HTTPS server", re.IGNORECASE)
"""What servers answer to plain HTTP where they speak TLS: nginx and Apache, Go."""
_NOT_SUPPORTED = re.compile(r"(image|audio|video) input is not supported", re.IGNORECASE)
MAX_MESSAGE_CHARS = 2000
_LOOKED_AT_BYTES = 4096
"""How much of a page is looked through for its words."""
_UNSEEN = re.compile(r"<(script|style)\b.{0,4096}?</\1\s*>|<[^<>]*>", re.IGNORECASE | re.DOTALL)
_OVERLOADED = (429, 503, 529)
"""529 is Anthropic's word for it."""


def engine_error(status: int, body: Any, *, retry_after_s: float | None = None) -> GatewayError:
    """The error for an engine's answer with `status` (or, inside a stream, 500) and its parsed `body`."""
    found = _fields(body)
    message = str(found.get("message") or f"The engine answered with status {status}.")[:MAX_MESSAGE_CHARS]
    param = found.get("param") if isinstance(found.get("param"), str) else None
    code = found.get("code")
    if isinstance(code, int) and status == 500 and 400 <= code < 600:
        status = code
    if _turned_away(message) or status in _OVERLOADED:
        refused = UpstreamRefused(
            f"The engine takes no calls now: {message}",
            f"エンジンが今は呼び出しを受け付けていません: {message}",
            retry_after_s=retry_after_s,
        )
        if _LOADING.search(message):
            refused.reason = Reason.LOADING
        if status == 429:
            refused.status, refused.type, refused.code = 429, "rate_limit_error", "rate_limit_exceeded"
        return refused
    if found.get("type") == "exceed_context_size_error" or (status < 500 and _TOO_LONG.search(message)):
        return ContextTooLong(
            message, f"プロンプトがモデルのコンテキスト長を超えています: {message}", param=param or "messages"
        )
    if status == 501 or (status in (404, 405) and not param and "model" not in message):
        return NotSupported(
            "The engine behind this model has no such endpoint, or was started without it.",
            "このモデルのエンジンには、このエンドポイントがないか、無効になっています。",
        )
    if status in (401, 403):
        broke = UpstreamBroke(
            "The engine refused the gateway's own key: set BACKEND_API_KEY (or the deployment's api_key).",
            "エンジンがゲートウェイのキーを拒否しました。BACKEND_API_KEY（またはデプロイメントのapi_key）を設定してください。",
        )
        broke.reason = Reason.WRONG_KEY
        return broke
    if 400 <= status < 500:
        named = code if isinstance(code, str) else "model_not_found" if status == 404 else None
        return verdict(message, status=status, param=param, code=named)
    if _NOT_SUPPORTED.search(message):
        return InvalidRequest(
            f"The engine cannot do this: {message}", f"エンジンがこの要求に対応していません: {message}", param=param
        )
    broke = UpstreamBroke(
        f"The engine failed: {message}", f"エンジンで障害が起きました: {message}", retry_after_s=retry_after_s
    )
    broke.reason = Reason.OUT_OF_MEMORY if _NO_MEMORY.search(message) else Reason.REFUSED
    return broke


def reason_of(status: int, raw: bytes, *, was_ready: bool) -> Reason:
    """Why a probe was answered with `status` and this body: the engine lives and does not serve. One that has never been
    ready and says 503 is not there yet.
    """
    if status in (401, 403):
        return Reason.WRONG_KEY
    message = words_of(raw)
    if _PLAIN_AT_TLS.search(message):
        return Reason.TLS_REFUSED
    if _NO_MEMORY.search(message):
        return Reason.OUT_OF_MEMORY
    if _LOADING.search(message) or (status == 503 and not was_ready):
        return Reason.LOADING
    return Reason.NO_ENGINE if 300 <= status < 400 else Reason.REFUSED


def _turned_away(message: str) -> bool:
    return bool(_LOADING.search(message) or _SHUTTING_DOWN.search(message))


def verdict(text: str, *, status: int, param: str | None, code: str | None = None) -> EngineError:
    """What the engine found wrong with the request, in its own words."""
    return EngineError(text, f"エンジンがエラーを返しました: {text}", status=status, param=param, code=code)


def parse_error(status: int, raw: bytes, *, retry_after_s: float | None = None) -> GatewayError:
    """The same, from the body's bytes."""
    try:
        body = orjson.loads(raw)
    except orjson.JSONDecodeError:
        body = text_of_page(raw) or None
    return engine_error(status, body, retry_after_s=retry_after_s)


def words_of(raw: bytes) -> str:
    """What an error body says, whatever its shape; short."""
    try:
        body = orjson.loads(raw[:_LOOKED_AT_BYTES])
    except orjson.JSONDecodeError:
        return text_of_page(raw)
    return text_of_page(str(_fields(body).get("message") or "").encode())


def text_of_page(raw: bytes) -> str:
    """The words of an answer that is no JSON: plain text, or what a page would show."""
    text = raw[:_LOOKED_AT_BYTES].decode("utf-8", "replace")
    if text.lstrip().startswith("<"):
        text = html.unescape(_UNSEEN.sub(" ", text))
    return one_line(text)[:MAX_MESSAGE_CHARS]


def _fields(body: Any) -> dict[str, Any]:
    if isinstance(body, str):
        return {"message": body}
    if not isinstance(body, dict):
        return {}
    error = body.get("error", body)
    if isinstance(error, str):
        return {"message": error}
    if not isinstance(error, dict):
        return {}
    if "message" not in error:
        said = next((error[name] for name in ("detail", "msg") if error.get(name)), None)
        if said is not None:
            return {
                "message": said if isinstance(said, str) else orjson.dumps(said).decode(),
                "code": error.get("code"),
            }
    return error
