"""A stand-in for trtllm-serve, from its request schema, its server and its response writers (TensorRT-LLM 1.x, PyTorch backend).

Its manners: unknown fields are a 400 for the whole request, told as the text of a list of Python objects; other errors are flat;
an unsaid tool choice is "none"; no chunk but the last has a `finish_reason`; `reasoning_content` is there and empty; a call
demanded by name has no id; an error in the middle cuts the connection; a client's leaving is looked for once a second.
"""

from __future__ import annotations

import itertools
from collections.abc import AsyncIterator
from typing import Any

import orjson
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.responses import JSONResponse, Response, StreamingResponse

from tests.support.standin import CONTEXT_TOKENS, MODEL, Said, StandIn, answer, complete, whole
from tests.support.trtllm_schema import Chat, NamedChoice, Sampling, Text


def flat(message: str, kind: str = "BadRequestError", status: int = 400) -> Response:
    """The server's error answer."""
    return JSONResponse({"object": "error", "message": message, "type": kind, "param": None, "code": status}, status)


def trtllm(state: StandIn) -> FastAPI:
    """The application."""
    app = FastAPI()
    numbers = itertools.count(2)

    @app.exception_handler(RequestValidationError)
    async def refuse(_: Request, error: RequestValidationError) -> Response:
        return JSONResponse({"error": str(error)}, 400)

    @app.get("/health")
    async def health() -> Response:
        return Response()

    @app.get("/v1/models")
    async def models() -> dict[str, Any]:
        card = {"id": MODEL, "object": "model", "created": 1, "owned_by": "tensorrt_llm"}
        return {"object": "list", "data": [card]}

    @app.post("/v1/chat/completions")
    async def chat(body: Chat, request: Request) -> Response:
        state.requests.append(orjson.loads(await request.body()))
        tools = None if body.tool_choice == "none" else body.tools
        said = answer(body.messages, tools=tools, limit=body.max_completion_tokens, stops=body.stops)
        named = body.tool_choice.function.name if isinstance(body.tool_choice, NamedChoice) else None
        return await _serve(state, request, body, said, _Chat(f"chatcmpl-{next(numbers)}", body, named))

    @app.post("/v1/completions")
    async def text(body: Text, request: Request) -> Response:
        state.requests.append(orjson.loads(await request.body()))
        prompt = body.prompt if isinstance(body.prompt, str) else str(body.prompt[0])
        said = complete(prompt, limit=body.max_tokens, stops=body.stops)
        return await _serve(state, request, body, said, _Text(f"cmpl-{next(numbers)}", body))

    return app


async def _serve(state: StandIn, request: Request, body: Sampling, said: Said, writer: _Chat | _Text) -> Response:
    if said.prompt_tokens > CONTEXT_TOKENS:
        return flat(
            f"The sum of prompt length ({said.prompt_tokens}.0), query length (0) should not exceed max_num_tokens "
            f"({CONTEXT_TOKENS})"
        )
    if body.stream:
        return StreamingResponse(_stream(state, said, writer, body), media_type="text/event-stream")
    if not await whole(state, said, request, poll_s=1.0):
        return Response()
    return flat("the engine failed", "InternalServerError", 500) if said.fault == "ERROR_MID" else writer.whole(said)


async def _stream(state: StandIn, said: Said, writer: _Chat | _Text, body: Sampling) -> AsyncIterator[bytes]:
    ended = False
    try:
        with state.serving():
            for event in writer.begin(said):
                yield event
            count = 0
            async for piece in said.spoken():
                count += 1
                if count > 3 and said.fault in ("ERROR_MID", "CUT_MID"):
                    ended = True
                    raise ConnectionError("the engine failed in the middle")
                last = count == len(said.pieces) and not said.calls
                yield writer.piece(piece, said.finish_reason if last else None)
            for event in writer.calls(said):
                yield event
            if body.stream_options and body.stream_options.include_usage:
                yield writer.usage(said)
            yield b"data: [DONE]\n\n"
        ended = True
    finally:
        state.aborted += not ended


def _usage(said: Said) -> dict[str, Any]:
    total = said.prompt_tokens + said.completion_tokens
    counts = {"prompt_tokens": said.prompt_tokens, "total_tokens": total, "completion_tokens": said.completion_tokens}
    return {**counts, "prompt_tokens_details": {"cached_tokens": 0}}


def _event(content: dict[str, Any], space: bytes = b"") -> bytes:
    return b"data: " + orjson.dumps(content) + space + b"\n\n"


class _Chat:
    """Chat answers as the server writes them: in chunks nothing that is null."""

    def __init__(self, answer_id: str, body: Chat, named: str | None) -> None:
        self._head = {"id": answer_id, "object": "chat.completion.chunk", "created": 1, "model": body.model}
        self._body = body
        self._named = named

    def begin(self, said: Said) -> list[bytes]:
        events = [_event({**self._head, "choices": [{"index": 0, "delta": {"role": "assistant"}}]}, b" ")]
        if said.reasoning:
            delta = {"content": "", "reasoning_content": said.reasoning}
            events.append(_event({**self._head, "choices": [{"index": 0, "delta": delta}]}))
        return events

    def piece(self, piece: str, reason: str | None) -> bytes:
        choice: dict[str, Any] = {"index": 0, "delta": {"content": piece, "reasoning_content": ""}}
        if self._body.logprobs:
            choice["logprobs"] = self._logprobs([piece])
        return self._choice(choice, reason)

    def calls(self, said: Said) -> list[bytes]:
        if self._named and said.calls:
            call = {
                "type": "function",
                "index": 0,
                "function": {"name": self._named, "arguments": _json(said.calls[0])},
            }
            return [self._choice({"index": 0, "delta": {"tool_calls": [call]}}, "stop")]
        events = []
        for index, arguments in enumerate(said.calls):
            for start in (True, False):
                function = {"name": "get_weather", "arguments": ""} if start else {"arguments": _json(arguments)}
                call = {"type": "function", "index": index, "function": function}
                if start:
                    call["id"] = f"chatcmpl-tool-{index}"
                last = index == len(said.calls) - 1 and not start
                delta = {"content": "", "reasoning_content": "", "tool_calls": [call]}
                events.append(self._choice({"index": 0, "delta": delta}, "tool_calls" if last else None))
        return events

    def usage(self, said: Said) -> bytes:
        return _event({**self._head, "choices": [], "usage": _usage(said)})

    def whole(self, said: Said) -> Response:
        calls = [
            {
                "id": f"chatcmpl-tool-{n}",
                "type": "function",
                "function": {"name": "get_weather", "arguments": _json(each)},
            }
            for n, each in enumerate(said.calls)
        ]
        content = "" if self._named else "".join(said.pieces)
        message = {
            "role": "assistant",
            "content": content,
            "reasoning_content": said.reasoning,
            "reasoning": None,
            "tool_calls": calls,
        }
        reason = "tool_calls" if calls and not self._named else said.finish_reason
        choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": reason, "stop_reason": None}
        if self._body.logprobs:
            choice["logprobs"] = self._logprobs(said.pieces)
        return JSONResponse({**self._head, "object": "chat.completion", "choices": [choice], "usage": _usage(said)})

    def _choice(self, choice: dict[str, Any], reason: str | None) -> bytes:
        return _event({**self._head, "choices": [{**choice, **({"finish_reason": reason} if reason else {})}]})

    def _logprobs(self, pieces: list[str]) -> dict[str, Any]:
        top = self._body.top_logprobs or 0
        tokens = [{"token": piece, "logprob": -0.25, "bytes": list(piece.encode())} for piece in pieces]
        return {"content": [{**each, "top_logprobs": [each] * top} for each in tokens]}


class _Text:
    """Text completions: here even what is null is written."""

    def __init__(self, answer_id: str, body: Text) -> None:
        self._head = {"id": answer_id, "object": "text_completion", "created": 1, "model": body.model}

    def begin(self, said: Said) -> list[bytes]:
        return []

    def piece(self, piece: str, reason: str | None) -> bytes:
        choice = {
            "index": 0,
            "text": piece,
            "token_ids": None,
            "logprobs": None,
            "finish_reason": reason,
            "stop_reason": None,
        }
        return _event({**self._head, "choices": [choice], "usage": None})

    def calls(self, said: Said) -> list[bytes]:
        return []

    def usage(self, said: Said) -> bytes:
        return _event({**self._head, "choices": [], "usage": _usage(said)})

    def whole(self, said: Said) -> Response:
        choice = {"index": 0, "text": "".join(said.pieces), "logprobs": None, "finish_reason": said.finish_reason}
        return JSONResponse({**self._head, "choices": [choice], "usage": _usage(said)})


def _json(arguments: dict[str, str]) -> str:
    return orjson.dumps(arguments).decode()
