"""A stand-in for Ollama's own API, from its documents and its server's routes (0.3x).

Its manners: NDJSON, streamed unless told otherwise; unknown fields are ignored, but a value of the wrong type is a 400 in Go's
words, and an option of the wrong type a 500; tool calls come whole, with their arguments as an object and without an id, and
must come back so; a prompt that does not fit is cut to half the window with 200, unless both `truncate` and `shift` are false;
without `num_ctx` the window is 4096; a model that was not pulled is a 404; an error after the first line is a line under 200.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import orjson
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from tests.support.standin import MODEL, Said, StandIn, answer, complete
from tests.support.standin_ollama_memory import Loaded, OutOfMemory

DEFAULT_NUM_CTX = 4096
TOO_LONG = (
    "the prompt is longer than the context length currently available to the model; shorten the prompt, adjust the context "
    "length in settings, or use a model with a longer context length"
)
TYPES: dict[str, tuple[type, ...]] = {
    "model": (str,),
    "messages": (list,),
    "prompt": (str,),
    "suffix": (str,),
    "stream": (bool,),
    "raw": (bool,),
    "format": (str, dict),
    "keep_alive": (str, int, float),
    "options": (dict,),
    "tools": (list,),
    "think": (bool, str),
    "truncate": (bool,),
    "shift": (bool,),
    "logprobs": (bool,),
    "top_logprobs": (int,),
}
MESSAGE_TYPES: dict[str, tuple[type, ...]] = {
    "role": (str,),
    "content": (str,),
    "thinking": (str,),
    "images": (list,),
    "tool_calls": (list,),
    "tool_name": (str,),
    "tool_call_id": (str,),
}
OPTION_TYPES: dict[str, tuple[type, ...]] = {
    "num_ctx": (int,),
    "num_predict": (int,),
    "seed": (int,),
    "top_k": (int,),
    "temperature": (int, float),
    "top_p": (int, float),
    "min_p": (int, float),
    "frequency_penalty": (int, float),
    "presence_penalty": (int, float),
    "repeat_penalty": (int, float),
    "stop": (list,),
}


class Refused(Exception):
    """An error answer."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status = status


def ollama(state: StandIn, loaded: Loaded | None = None) -> Starlette:
    """The application. `loaded`: the models that have been pulled, and how they come into memory."""
    models = loaded or Loaded({MODEL: 1})

    async def chat(request: Request) -> Response:
        body = await _parsed(state, request, models)
        _check_messages(body.get("messages") or [])
        if not body.get("messages"):
            return await _loading(models, body)
        return await _serve(state, models, body, _chat_answer(body), _ChatLines(body))

    async def generate(request: Request) -> Response:
        body = await _parsed(state, request, models)
        if not body.get("prompt"):
            return await _loading(models, body)
        said = complete(body.get("prompt", ""), **_limits(body))
        if body.get("raw") is not True and "suffix" not in body:
            raise Refused(500, "the stand-in has no template for a prompt")
        return await _serve(state, models, body, said, _GenerateLines(body))

    async def ps(_: Request) -> Response:
        return JSONResponse(
            {"models": [{"name": name, "model": name, "size_vram": 1} for name in await models.listed()]}
        )

    async def version(_: Request) -> Response:
        return JSONResponse({"version": "0.32.9"})

    async def tags(_: Request) -> Response:
        listed = [{"name": name, "model": name, "size": 1, "digest": "0", "details": {}} for name in models.sizes]
        return JSONResponse({"models": listed})

    async def show(request: Request) -> Response:
        model = (await request.json()).get("model")
        if model not in models.sizes:
            raise Refused(404, f"model '{model}' not found")
        return JSONResponse({"capabilities": ["completion", "tools"], "model_info": {}, "details": {}})

    async def embeddings(request: Request) -> Response:
        body = await request.json()
        texts = body["input"] if isinstance(body["input"], list) else [body["input"]]
        data = [{"object": "embedding", "embedding": [0.5, -0.5], "index": n} for n, _ in enumerate(texts)]
        usage = {"prompt_tokens": 3, "total_tokens": 3}
        return JSONResponse({"object": "list", "data": data, "model": body["model"], "usage": usage})

    async def refuse(_: Request, error: Exception) -> Response:
        assert isinstance(error, Refused)
        return JSONResponse({"error": str(error)}, error.status)

    routes = [
        Route("/api/chat", chat, methods=["POST"]),
        Route("/api/generate", generate, methods=["POST"]),
        Route("/api/version", version),
        Route("/api/ps", ps),
        Route("/api/tags", tags),
        Route("/api/show", show, methods=["POST"]),
        Route("/v1/embeddings", embeddings, methods=["POST"]),
    ]
    return Starlette(routes=routes, exception_handlers={Refused: refuse})


async def _parsed(state: StandIn, request: Request, models: Loaded) -> dict[str, Any]:
    try:
        body = orjson.loads(await request.body())
    except orjson.JSONDecodeError:
        raise Refused(400, "invalid character looking for beginning of value") from None
    state.requests.append(body)
    _check_types("ChatRequest", body, TYPES)
    if body.get("model") not in models.sizes:
        raise Refused(404, f"model '{body.get('model')}' not found")
    for name, value in (body.get("options") or {}).items():
        if name in OPTION_TYPES and (type(value) not in OPTION_TYPES[name]):
            raise Refused(500, f'option "{name}" must be of type {OPTION_TYPES[name][0].__name__}')
    if isinstance(body.get("think"), str) and body["think"] not in ("high", "medium", "low"):
        raise Refused(400, f'invalid think value: "{body["think"]}"')
    return dict(body)


def _check_types(struct: str, value: dict[str, Any], types: dict[str, tuple[type, ...]]) -> None:
    for name, each in value.items():
        if name in types and each is not None and type(each) not in types[name]:
            wanted = types[name][0].__name__
            raise Refused(
                400,
                f"json: cannot unmarshal {type(each).__name__} into Go struct field {struct}.{name} of type {wanted}",
            )


def _check_messages(messages: list[Any]) -> None:
    for message in messages:
        _check_types("ChatRequest.messages", message, MESSAGE_TYPES)
        for image in message.get("images") or ():
            try:
                base64.b64decode(image, validate=True)
            except (binascii.Error, ValueError):
                raise Refused(400, "illegal base64 data at input byte 0") from None
        for call in message.get("tool_calls") or ():
            if not isinstance(call["function"]["arguments"], dict):
                raise Refused(
                    400,
                    "json: cannot unmarshal string into Go struct field ChatRequest.messages.tool_calls.function.arguments "
                    "of type api.ToolCallFunctionArguments",
                )


def _limits(body: dict[str, Any]) -> dict[str, Any]:
    options = body.get("options") or {}
    return {"limit": options.get("num_predict"), "stops": options.get("stop") or []}


async def _loading(models: Loaded, body: dict[str, Any]) -> Response:
    """No prompt: nothing but to load the model, or to unload it."""
    keep = body.get("keep_alive")
    done = {"model": body["model"], "created_at": "2026-11-22T00:00:00Z", "response": "", "done": True}
    if keep == 0:
        models.expire(body["model"])
        return JSONResponse({**done, "done_reason": "unload"})
    async with _used(models, body):
        return JSONResponse({**done, "done_reason": "load"})


@asynccontextmanager
async def _used(models: Loaded, body: dict[str, Any]) -> AsyncIterator[None]:
    try:
        async with models.used(body["model"], _window(body), body.get("keep_alive")):
            yield
    except OutOfMemory:
        raise Refused(500, "llama-server failed to load: cudaMalloc failed: out of memory") from None


def _window(body: dict[str, Any]) -> int:
    window = (body.get("options") or {}).get("num_ctx", DEFAULT_NUM_CTX)
    return int(window)


def _chat_answer(body: dict[str, Any]) -> Said:
    said = answer(body["messages"], tools=body.get("tools"), **_limits(body))
    if said.calls:
        said.finish_reason = "stop"
    return said


async def _serve(
    state: StandIn, models: Loaded, body: dict[str, Any], said: Said, lines: _ChatLines | _GenerateLines
) -> Response:
    window = _window(body)
    if said.prompt_tokens > window:
        if body.get("truncate") is False and body.get("shift") is False:
            raise Refused(400, TOO_LONG)
        said.prompt_tokens = window // 2
    if body.get("stream", True) is False:
        raise Refused(500, "the stand-in streams only")
    held = AsyncExitStack()
    await held.enter_async_context(_used(models, body))
    return StreamingResponse(_stream(state, held, said, lines), media_type="application/x-ndjson")


async def _stream(
    state: StandIn, held: AsyncExitStack, said: Said, lines: _ChatLines | _GenerateLines
) -> AsyncIterator[bytes]:
    ended = False
    try:
        async with held:
            held.enter_context(state.serving())
            if said.reasoning:
                yield lines.line(thinking=said.reasoning)
            count = 0
            async for piece in said.spoken():
                count += 1
                if count > 3 and said.fault == "CUT_MID":
                    ended = True
                    raise ConnectionError("killed")
                if count > 3 and said.fault == "ERROR_MID":
                    ended = True
                    yield orjson.dumps({"error": "the engine failed"}) + b"\n"
                    return
                yield lines.line(piece)
            for arguments in said.calls:
                yield lines.line(calls=[{"function": {"name": "get_weather", "arguments": arguments}}])
            yield lines.done(said)
        ended = True
    finally:
        state.aborted += not ended


class _Lines:
    def __init__(self, body: dict[str, Any]) -> None:
        self._body = body

    def _written(self, piece: str, content: dict[str, Any]) -> bytes:
        line = {"model": self._body["model"], "created_at": "2026-11-22T00:00:00.000000001Z", **content, "done": False}
        if self._body.get("logprobs") and piece:
            token = {"token": piece, "logprob": -0.25, "bytes": list(piece.encode())}
            line["logprobs"] = [{**token, "top_logprobs": [token] * self._body.get("top_logprobs", 0)}]
        return orjson.dumps(line) + b"\n"

    def _counts(self, said: Said) -> dict[str, Any]:
        return {
            "done": True,
            "done_reason": said.finish_reason,
            "total_duration": 1,
            "load_duration": 1,
            "prompt_eval_count": said.prompt_tokens,
            "prompt_eval_duration": 1,
            "eval_count": said.completion_tokens,
            "eval_duration": 1,
        }


class _ChatLines(_Lines):
    """/api/chat's lines."""

    def line(self, piece: str = "", *, thinking: str = "", calls: list[dict[str, Any]] | None = None) -> bytes:
        message: dict[str, Any] = {"role": "assistant", "content": piece}
        if thinking:
            message["thinking"] = thinking
        if calls:
            message["tool_calls"] = calls
        return self._written(piece, {"message": message})

    def done(self, said: Said) -> bytes:
        message = {"role": "assistant", "content": ""}
        line = {"model": self._body["model"], "created_at": "2026-11-22T00:00:01Z", "message": message}
        return orjson.dumps({**line, **self._counts(said)}) + b"\n"


class _GenerateLines(_Lines):
    """/api/generate's lines."""

    def line(self, piece: str = "", *, thinking: str = "", calls: list[dict[str, Any]] | None = None) -> bytes:
        return self._written(piece, {"response": piece})

    def done(self, said: Said) -> bytes:
        line = {"model": self._body["model"], "created_at": "2026-11-22T00:00:01Z", "response": ""}
        return orjson.dumps({**line, **self._counts(said), "context": [1, 2, 3]}) + b"\n"
