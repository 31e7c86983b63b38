"""What the document of the surface says of the paths that calls take: what is checked of a request, whatever its engine, and
every way in which a call can end.

What an engine answers passes through, so an answer's shape is the engine's: the document says no more of it than the
gateway sees to.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from hayate.api.operations import ANYTHING, EVENTS, JSON, NOTHING, Content, Operation
from hayate.errors import (
    BodyTooLarge,
    CallStopped,
    ContextTooLong,
    ConversationFull,
    ConversationLocked,
    DeadlineUnmet,
    GatewayError,
    HistoryUnavailable,
    InvalidRequest,
    NotSupported,
    Overloaded,
    RateLimited,
    ShuttingDown,
    UnknownConversation,
    UnknownModel,
    UnknownResponse,
    UnreadableCoding,
    UnsupportedField,
)
from hayate.upstream_errors import EngineError, UpstreamError, UpstreamRefused, UpstreamTimeout
from hayate.wire import request_schemas as schemas
from hayate.wire.paths import CHAT, COUNT_TOKENS, EMBEDDINGS, MESSAGES, RESPONSES, SPEECH, TRANSLATIONS
from hayate.wire.paths import TEXT as TEXTS

TRANSCRIPTIONS: Final = "/v1/audio/transcriptions"
GENERATE: Final = "/generate_stream"
ENDINGS: Final = (
    InvalidRequest,
    UnsupportedField,
    ContextTooLong,
    UnknownModel,
    BodyTooLarge,
    UnreadableCoding,
    RateLimited,
    EngineError,
    NotSupported,
    Overloaded,
    DeadlineUnmet,
    UpstreamError,
    UpstreamRefused,
    UpstreamTimeout,
    CallStopped,
    ShuttingDown,
)
"""How a call may end that has no answer, beside what its guard and its connection say."""
OF_KEPT: Final = (UnknownConversation, ConversationLocked, ConversationFull, HistoryUnavailable)
"""How one may end beside, that goes on with a conversation."""
_NAMES: Final = {"X-Conversation-Id": "The same as `conversation`, for programs that can't say it in the body."}
_WAITS: Final = {
    "X-Deadline-Ms": "When the answer is of no use any more: a call that would have to wait longer is refused at once.",
    "X-Hayate-Priority": "`low` lets the other calls of this key, and everybody's, go before.",
    "X-Hayate-Queue": "`events` has a stream that waits told its place, as a comment.",
}
_OBJECT: Final = {"type": "object", "description": "What the engine answers."}
_JSON: Final = {"description": "What the engine answers."}
_OTHER: Final = {"description": "Whatever else an engine answers passes through, too."}
_EVENTS: Final = {"description": "Server-sent events; an error that comes late is one of them."}
_SAYS: Final = {
    CHAT: "A chat's next message.",
    TEXTS: "The continuation of a text.",
    EMBEDDINGS: "Texts as vectors, by engines that have embeddings.",
    RESPONSES: "OpenAI's responses: by engines that have them, else made of their chat.",
    MESSAGES: "Anthropic's messages, by engines that have them.",
    COUNT_TOKENS: "How many tokens a message would be, by engines that tell.",
    "/v1/rerank": "Documents in the order of their worth, by engines that rank.",
    SPEECH: "A text spoken, by engines that speak.",
    TRANSCRIPTIONS: "What a recording says, by engines that listen.",
    TRANSLATIONS: "What a recording says, in English, by engines that listen.",
    "/tokenize": "A text as the numbers of its tokens, by engines that tell.",
    "/detokenize": "The text of tokens, by engines that tell.",
}


def call_operation(path: str, method: str) -> Operation:
    """What is told of a call at this path."""
    if path == GENERATE:
        return _generate(method)
    errors, headers = _of_kept(path)
    return Operation(says=_SAYS[path], answers={200: _answers(path)}, errors=errors, body=_body(path), headers=headers)


def _of_kept(path: str) -> tuple[tuple[type[GatewayError], ...], Mapping[str, str]]:
    """How a call at this path may end, and the headers that change it."""
    if path not in schemas.KEPT_PATHS:
        return ENDINGS, _WAITS
    return (*ENDINGS, *OF_KEPT, *((UnknownResponse,) if path == RESPONSES else ())), {**_NAMES, **_WAITS}


def _answers(path: str) -> Content:
    if path in (SPEECH, TRANSCRIPTIONS, TRANSLATIONS):
        return {ANYTHING: {"description": "In the form that was asked for, as the engine makes it."}}
    if path in (CHAT, TEXTS):
        return {JSON: _OBJECT, EVENTS: _EVENTS}
    return {JSON: _JSON, EVENTS: _EVENTS, ANYTHING: _OTHER}


def _body(path: str) -> Content:
    if path in (TRANSCRIPTIONS, TRANSLATIONS):
        return {"multipart/form-data": schemas.form_of("The recording.")}
    return {JSON: schemas.body_of(path)}


def _generate(method: str) -> Operation:
    more: dict[str, Any] = {"body": {JSON: schemas.generate_body()}}
    if method == "GET":
        fields = {name: schemas.in_query(schema) for name, schema in schemas.generate_fields().items()}
        fields["prompt"] = {**fields["prompt"], "required": True}
        more = {"query": fields}
    return Operation(
        says="A chat's next message as a browser's EventSource reads it.",
        answers={200: {EVENTS: _EVENTS}, 204: NOTHING},
        errors=(*ENDINGS, *OF_KEPT),
        headers={
            **_NAMES,
            **_WAITS,
            "Last-Event-ID": "Which a browser sends that has lost the stream: the prompt is not run again, and 204 says that "
            "it is over.",
        },
        **more,
    )
