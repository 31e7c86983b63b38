"""/v1/responses on engines that have none: the request as a chat's, and the chat's answer as a response, streamed or whole."""

from __future__ import annotations

import secrets
from typing import Any, Protocol

from hayate.backends.base import Asked, Assembly, Clock, Prepared, WholeAnswer
from hayate.errors import InvalidRequest
from hayate.wire.chat_to_responses import Makes, ResponsesStream
from hayate.wire.engine_json import write
from hayate.wire.openai_stream import OpenAIStream
from hayate.wire.paths import CHAT
from hayate.wire.replies import as_events, completion_events
from hayate.wire.response_object import ResponseObject, settings_of
from hayate.wire.responses_to_chat import chat_fields, renamed


class HasChat(Protocol):
    """An adapter, as far as it is asked here."""

    name: str
    heeds_parallel_tool_calls: bool
    always_streams: bool

    def prepare(self, asked: Asked, served_model: str | None) -> Prepared:
        """A chat as the engine takes it."""


def through_chat(adapter: HasChat, asked: Asked, served_model: str | None, now: Clock) -> Prepared:
    """The response as a chat. Raises InvalidRequest and UnsupportedField, in the names of the response's fields.

    Log probabilities come as a stream always: in one piece a whole answer may hold more of them than can be read at once.
    """
    fields = asked.fields
    chat, offered = chat_fields(adapter.name, fields, limits_calls=adapter.heeds_parallel_tool_calls)
    streams = asked.streams or adapter.always_streams or "logprobs" in chat
    if streams:
        chat |= {"stream": True, "stream_options": {"include_usage": True}}
    try:
        prepared = adapter.prepare(Asked(CHAT, asked.model, chat, streams), served_model)
    except InvalidRequest as error:
        raise renamed(error) from None
    prepared.tools_omitted = offered.omitted
    answer = ResponseObject(_new_id("resp"), int(now()), settings_of(fields, served_model or asked.model or "default"))
    makes, one_call = Makes(_new_id, now, offered.names), fields.get("parallel_tool_calls") is False
    prepared.to_events = completion_events
    if prepared.decoder is None:
        prepared.retell = _Retelling(answer, makes, one_call=one_call)
        return prepared
    stream = ResponsesStream(prepared.decoder, answer, makes, quiet=not asked.streams, one_call=one_call)
    prepared.decoder = stream
    prepared.assembly = None if asked.streams else Assembly(_Whole(stream))
    return prepared


class _Whole:
    """The response of a stream that nobody else wants to read."""

    __slots__ = ("_stream",)

    def __init__(self, stream: ResponsesStream) -> None:
        self._stream = stream

    def add(self, event: dict[str, Any]) -> None:
        """Nothing: the stream itself keeps what it says."""

    def answer(self) -> dict[str, Any]:
        """The response. Raises ValueError when the stream has not come to its end."""
        return self._stream.response


class _Retelling:
    """A whole chat.completion as a response: by way of the events that it amounts to, so that both ways make the same."""

    __slots__ = ("_answer", "_makes", "_one_call")

    def __init__(self, answer: ResponseObject, makes: Makes, *, one_call: bool) -> None:
        self._answer = answer
        self._makes = makes
        self._one_call = one_call

    def __call__(self, whole: WholeAnswer) -> WholeAnswer:
        """Raises GatewayError, and one of `UNREADABLE` for what is no completion."""
        inner = OpenAIStream(keep_usage=True)
        stream = ResponsesStream(inner, self._answer, self._makes, quiet=True, one_call=self._one_call)
        stream.feed(as_events(whole.body, completion_events))
        if stream.failure is not None:
            raise stream.failure
        return WholeAnswer(write(stream.response), whole.usage, stream.finish_reason)


def _new_id(prefix: str) -> str:
    return f"{prefix}_{secrets.token_hex(16)}"
