"""A stand-in for SGLang's OpenAI-compatible server, from its protocol and its handlers.

Its manners: unknown fields are ignored; errors are flat; an error in a stream is an event with `error`, and `[DONE]` follows;
the end is a chunk of its own with `matched_stop`; reasoning comes apart as `reasoning_content`; a context that is too short is
named in tokens; whether the client of a whole answer is still there is looked at every 4 s.
"""

from __future__ import annotations

import itertools
from collections.abc import AsyncIterator
from typing import Any, Literal

import orjson
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, Field
from starlette.responses import JSONResponse, Response, StreamingResponse

from tests.support.standin import CONTEXT_TOKENS, MODEL, Said, StandIn, answer, complete, whole


class StreamOptions(BaseModel):
    include_usage: bool | None = False
    continuous_usage_stats: bool | None = False


class Sampling(BaseModel):
    """The fields that this stand-in looks at; the rest is ignored, as SGLang ignores it."""

    model: str = "default"
    n: int = 1
    stop: str | list[str] | None = None
    stream: bool = False
    stream_options: StreamOptions | None = None
    temperature: float | None = None
    seed: int | None = None
    priority: int | None = None

    @property
    def stops(self) -> list[str]:
        return [self.stop] if isinstance(self.stop, str) else list(self.stop or ())


class Message(BaseModel):
    role: Literal["system", "user", "assistant", "tool", "developer"]
    content: str | list[dict[str, Any]] | None = None


class Chat(Sampling):
    messages: list[Message]
    max_tokens: int | None = None
    max_completion_tokens: int | None = None
    logprobs: bool = False
    top_logprobs: int | None = None
    tools: list[dict[str, Any]] | None = None
    tool_choice: dict[str, Any] | Literal["auto", "required", "none"] | None = None
    separate_reasoning: bool = True


class Text(Sampling):
    prompt: str | list[str] | list[int]
    max_tokens: int = Field(default=16, ge=0)
    echo: bool = False


def flat(message: str, kind: str = "BadRequestError", status: int = 400) -> dict[str, Any]:
    """An error as SGLang writes it."""
    return {"object": "error", "message": message, "type": kind, "param": None, "code": status}


def sglang(state: StandIn) -> FastAPI:
    """The application."""
    app = FastAPI()
    numbers = itertools.count(1)

    @app.exception_handler(RequestValidationError)
    async def refuse(_: Request, error: RequestValidationError) -> Response:
        return JSONResponse(flat(str(error), "Bad Request"), 400)

    @app.get("/health")
    async def health() -> Response:
        return Response()

    @app.get("/get_model_info")
    async def model_info() -> dict[str, Any]:
        return {"model_path": MODEL, "is_generation": True, "preferred_sampling_params": None}

    @app.get("/v1/models")
    async def models() -> dict[str, Any]:
        card = {"id": MODEL, "object": "model", "created": 1, "owned_by": "sglang", "root": MODEL, "parent": None}
        adapters = [{**card, "id": name, "root": name, "parent": MODEL} for name in state.adapters]
        return {"object": "list", "data": [{**each, "max_model_len": CONTEXT_TOKENS} for each in (card, *adapters)]}

    @app.post("/v1/chat/completions")
    async def chat(body: Chat, request: Request) -> Response:
        state.requests.append(orjson.loads(await request.body()))
        tools = None if body.tool_choice == "none" else body.tools
        messages = [message.model_dump() for message in body.messages]
        limit = body.max_completion_tokens or body.max_tokens
        said = answer(messages, tools=tools, limit=limit, stops=body.stops)
        head = {"id": f"chatcmpl-{next(numbers)}", "object": "chat.completion", "created": 1, "model": body.model}
        return _serve(state, body, said, head) if body.stream else await _whole(state, body, said, head, request)

    @app.post("/v1/completions")
    async def text(body: Text, request: Request) -> Response:
        state.requests.append(orjson.loads(await request.body()))
        said = complete(str(body.prompt), limit=body.max_tokens, stops=body.stops)
        if body.echo:
            said.pieces.insert(0, str(body.prompt))
        head = {"id": f"cmpl-{next(numbers)}", "object": "text_completion", "created": 1, "model": body.model}
        return _serve(state, body, said, head) if body.stream else await _whole(state, body, said, head, request)

    return app


def _too_long(said: Said) -> Response | None:
    if said.prompt_tokens <= CONTEXT_TOKENS:
        return None
    return JSONResponse(
        flat(
            f"The input ({said.prompt_tokens} tokens) is longer than the model's context length ({CONTEXT_TOKENS} tokens)."
        ),
        400,
    )


def _serve(state: StandIn, body: Chat | Text, said: Said, head: dict[str, Any]) -> Response:
    return _too_long(said) or StreamingResponse(_stream(state, body, said, head), media_type="text/event-stream")


async def _stream(state: StandIn, body: Chat | Text, said: Said, head: dict[str, Any]) -> AsyncIterator[bytes]:
    chat = isinstance(body, Chat)
    if chat:
        head = {**head, "object": "chat.completion.chunk"}
    ended, count = False, 0
    options = body.stream_options or StreamOptions()

    def event(part: dict[str, Any], reason: str | None = None, /, **more: Any) -> bytes:
        whole = {"delta": {"role": None, "content": None, "reasoning_content": None, "tool_calls": None, **part}}
        choice = {
            "index": 0,
            **(whole if chat else part),
            "logprobs": None,
            "finish_reason": reason,
            "matched_stop": None,
        }
        counts = _usage(said, count) if options.continuous_usage_stats else None
        return b"data: " + orjson.dumps({**head, "choices": [{**choice, **more}], "usage": counts}) + b"\n\n"

    try:
        with state.serving():
            if chat:
                yield event({"role": "assistant", "content": ""})
            if said.reasoning:
                yield event({"reasoning_content": said.reasoning})
            async for piece in said.spoken():
                count += 1
                if count > 3 and said.fault == "CUT_MID":
                    ended = True
                    raise ConnectionError("killed")
                if count > 3 and said.fault == "ERROR_MID":
                    yield (
                        b"data: "
                        + orjson.dumps({"error": flat("the engine failed", "InternalServerError", 500)})
                        + b"\n\n"
                    )
                    break
                more = (
                    {"logprobs": _logprobs([piece], body.top_logprobs)}
                    if isinstance(body, Chat) and body.logprobs
                    else {}
                )
                yield event({"content": piece} if chat else {"text": piece}, **more)
            else:
                for n, arguments in enumerate(said.calls):
                    yield event({"tool_calls": [_call(n, arguments)]})
                reason = "tool_calls" if said.calls else said.finish_reason
                yield event({} if chat else {"text": ""}, reason, matched_stop=151645 if reason == "stop" else None)
                if options.include_usage:
                    yield b"data: " + orjson.dumps({**head, "choices": [], "usage": _usage(said)}) + b"\n\n"
            yield b"data: [DONE]\n\n"
        ended = True
    finally:
        state.aborted += not ended


async def _whole(state: StandIn, body: Chat | Text, said: Said, head: dict[str, Any], request: Request) -> Response:
    if refused := _too_long(said):
        return refused
    if not await whole(state, said, request, poll_s=4.0):
        return Response()
    if said.fault == "ERROR_MID":
        return JSONResponse(flat("the engine failed", "InternalServerError", 500), 500)
    text = "".join(said.pieces)
    choice: dict[str, Any] = {"index": 0, "logprobs": None, "finish_reason": said.finish_reason, "matched_stop": None}
    if isinstance(body, Chat):
        calls = [{**_call(n, arguments), "index": None} for n, arguments in enumerate(said.calls)] or None
        message = {
            "role": "assistant",
            "content": text,
            "reasoning_content": said.reasoning or None,
            "tool_calls": calls,
        }
        choice |= {"message": message, "finish_reason": "tool_calls" if calls else said.finish_reason}
        if body.logprobs:
            choice["logprobs"] = _logprobs(said.pieces, body.top_logprobs)
    else:
        choice["text"] = text
    return JSONResponse({**head, "choices": [choice], "usage": _usage(said), "metadata": {"weight_version": "default"}})


def _call(index: int, arguments: dict[str, str]) -> dict[str, Any]:
    function = {"name": "get_weather", "arguments": orjson.dumps(arguments).decode()}
    return {"id": f"call_{index:024x}", "index": index, "type": "function", "function": function}


def _logprobs(pieces: list[str], top: int | None) -> dict[str, Any]:
    tokens = [{"token": piece, "logprob": -0.25, "bytes": list(piece.encode())} for piece in pieces]
    return {"content": [{**each, "top_logprobs": [each] * (top or 0)} for each in tokens]}


def _usage(said: Said, so_far: int | None = None) -> dict[str, Any]:
    completion = said.completion_tokens if so_far is None else so_far
    total = said.prompt_tokens + completion
    counts = {"prompt_tokens": said.prompt_tokens, "total_tokens": total, "completion_tokens": completion}
    return {**counts, "prompt_tokens_details": None, "reasoning_tokens": 0}
