"""How an error is told: one renderer per dialect, whole and inside a stream, English or Japanese as the caller reads."""

from __future__ import annotations

import math
from typing import Any, ClassVar, Protocol

import orjson

from hayate.errors import GatewayError, Overloaded
from hayate.language import Language, accepted_language
from hayate.upstream_errors import UpstreamRedirected
from hayate.wire import sse
from hayate.wire.content_coding import CODINGS
from hayate.wire.http1 import Headers, header

JSON: Headers = [(b"content-type", b"application/json")]


class Dialect(Protocol):
    """One client-facing wire format's errors."""

    name: ClassVar[str]
    """What the body of an error is called in the document of the surface."""
    schema: ClassVar[dict[str, Any]]
    """Such a body, as JSON Schema."""

    def body(self, error: GatewayError, language: Language) -> bytes:
        """The JSON body of an error answer."""

    def status(self, error: GatewayError) -> int:
        """The HTTP status by which this dialect's clients know such an error."""

    def status_of(self, kind: type[GatewayError]) -> int:
        """That of errors of a kind which say nothing else themselves."""

    def frame(self, error: GatewayError, language: Language) -> bytes:
        """The event that ends a stream which has begun."""


def _object(**members: dict[str, Any]) -> dict[str, Any]:
    """An object with these members and no others."""
    return {"type": "object", "properties": members, "required": [*members], "additionalProperties": False}


def openai_error(error: GatewayError, language: Language) -> dict[str, Any]:
    """OpenAI's error object. All four members are there in every error, null where there is nothing to say, as OpenAI has them."""
    return {"error": {"message": error.text(language), "type": error.type, "param": error.param, "code": error.code}}


class OpenAIDialect:
    """`{"error":{message,type,param,code}}`; in a stream a `data:` event with the same."""

    name: ClassVar = "Error"
    schema: ClassVar = _object(
        error=_object(
            message={"type": "string"},
            type={"type": "string"},
            param={"type": ["string", "null"], "description": "The field at fault."},
            code={"type": ["string", "null"], "description": "What happened, for programs."},
        )
    )

    def body(self, error: GatewayError, language: Language) -> bytes:
        """The error object and nothing beside it."""
        return orjson.dumps(openai_error(error, language))

    def status(self, error: GatewayError) -> int:
        """The error's own: OpenAI's statuses are HTTP's."""
        return error.status

    def status_of(self, kind: type[GatewayError]) -> int:
        """The kind's own."""
        return kind.status

    def frame(self, error: GatewayError, language: Language) -> bytes:
        """An event without a name: OpenAI's clients look into each for `error`."""
        return sse.render(self.body(error, language))


class GenerateDialect(OpenAIDialect):
    """/generate_stream: the same body; in a stream `event: error`."""

    def frame(self, error: GatewayError, language: Language) -> bytes:
        """A named event, because EventSource has listeners by name."""
        return sse.render(self.body(error, language), event="error", event_id=error.event_id)


class ResponsesDialect(OpenAIDialect):
    """/v1/responses: the same body; in a stream an `error` event of its own shape."""

    def frame(self, error: GatewayError, language: Language) -> bytes:
        """OpenAI's ResponseErrorEvent, which is flat, unlike its error body."""
        event = {
            "type": "error",
            "code": error.code,
            "message": error.text(language),
            "param": error.param,
            "sequence_number": error.event_number,
        }
        return sse.render(orjson.dumps(event), event="error")


class AnthropicDialect:
    """`{"type":"error","error":{type,message}}`; overload is 529 there."""

    name: ClassVar = "AnthropicError"
    schema: ClassVar = _object(
        type={"const": "error"}, error=_object(type={"type": "string"}, message={"type": "string"})
    )
    _TYPES: ClassVar = {
        400: "invalid_request_error",
        401: "authentication_error",
        403: "permission_error",
        404: "not_found_error",
        413: "request_too_large",
        429: "rate_limit_error",
        501: "not_found_error",
        503: "overloaded_error",
        504: "timeout_error",
    }  # fmt: skip

    def body(self, error: GatewayError, language: Language) -> bytes:
        """Its type is told from the status, where none of its own fits: Anthropic has fewer kinds of errors than we."""
        kind = self._TYPES.get(error.status, "invalid_request_error" if error.status < 500 else "api_error")
        return orjson.dumps({"type": "error", "error": {"type": kind, "message": error.text(language)}})

    def status(self, error: GatewayError) -> int:
        """529 for overload, as Anthropic's clients expect."""
        return 529 if isinstance(error, Overloaded) else error.status

    def status_of(self, kind: type[GatewayError]) -> int:
        """The same of a kind."""
        return 529 if issubclass(kind, Overloaded) else kind.status

    def frame(self, error: GatewayError, language: Language) -> bytes:
        """Named `error`, which Anthropic's clients raise as an exception."""
        return sse.render(self.body(error, language), event="error")


OPENAI = OpenAIDialect()
GENERATE = GenerateDialect()
RESPONSES = ResponsesDialect()
ANTHROPIC = AnthropicDialect()


def error_headers(error: GatewayError) -> Headers:
    """What goes with an error: when to come back, and how to authenticate."""
    headers: Headers = [*JSON]
    if error.retry_after_s is not None:
        headers.append((b"retry-after", b"%d" % max(1, math.ceil(error.retry_after_s))))
    if error.status == 401:
        headers.append((b"www-authenticate", b"Bearer"))
    if isinstance(error, UpstreamRedirected) and error.location is not None:
        headers.append((b"location", error.location.encode("ascii", "replace")))
    if error.status == 415:
        headers.append((b"accept-encoding", ", ".join(CODINGS).encode()))
    if error.status in (408, 413, 431):
        headers.append((b"connection", b"close"))
    return headers


def language_of(headers: Headers) -> Language:
    """What the caller reads, as its Accept-Language says."""
    return accepted_language((header(headers, b"accept-language") or b"").decode("latin-1"))
