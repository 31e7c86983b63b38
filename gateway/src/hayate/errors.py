"""Every way a call can fail, as one tree. Each class carries its HTTP status, and its OpenAI `type` and `code`.

    GatewayError
    ├── RequestError            the caller can mend it
    │   ├── InvalidRequest      400   names the field
    │   │   └── UnsupportedField 400  the engine behind this model can't do it
    │   ├── ContextTooLong      400   the prompt does not fit the model's context
    │   ├── RefusedConfig       400   a reload's file has mistakes
    │   ├── NotAuthenticated    401
    │   ├── NotAllowed          403
    │   ├── UnknownModel        404   names what there is
    │   ├── UnknownKey          404
    │   ├── UnknownCall         404
    │   ├── UnknownConversation 404   or another project's, which is told the same
    │   ├── UnknownItem         404
    │   ├── UnknownResponse     404
    │   ├── UnknownPath         404
    │   ├── WrongMethod         405
    │   ├── ConversationLocked  409   another call goes on with it, and this one does not want to wait
    │   ├── ConversationFull    400   no more may be kept of it, or of its project
    │   ├── StreamGone          410   a stream that was lost can't be gone on with
    │   ├── ReadTimeout         408   the request arrived too slowly
    │   ├── BodyTooLarge        413
    │   ├── UrlTooLong          414
    │   ├── UnreadableCoding    415   names the content encoding that can't be read
    │   ├── HeadersTooLarge     431
    │   ├── RateLimited         429   says when to come back
    │   └── NotSupported        501   this engine has no such thing
    ├── CallStopped             503   the operator has ended the call
    ├── Overloaded              503   queue full, waited too long, or no healthy replica
    │   └── DeadlineUnmet       503   it would have to wait longer than it may
    ├── KeysUnknown             503   whose key it is can't be told at the moment
    ├── StoreGone               503   the database can't be reached
    ├── HistoryUnavailable      503   nor, therefore, the conversation that a call needs
    ├── ShuttingDown            503   the gateway is draining
    └── UpstreamError           5xx   an engine failed us (`upstream_errors`)

A client that leaves is not an error: the call is cancelled, recorded as 499 and never held against the replica.
Texts come in pairs, English and Japanese; which one is shown is the caller's choice (Accept-Language).
"""

from __future__ import annotations

from hayate.language import BilingualError

CLIENT_CLOSED = 499
"""The status recorded, never sent, for a client that left (nginx's number for it)."""


class GatewayError(BilingualError):
    """A failure with a status code."""

    status: int = 500
    type: str = "server_error"
    code: str | None = "server_error"

    def __init__(
        self, english: str, japanese: str = "", *, param: str | None = None, retry_after_s: float | None = None
    ) -> None:
        super().__init__(english, japanese)
        self.param = param
        self.retry_after_s = retry_after_s
        self.event_id: str | None = None
        """Of the event that tells it, in a dialect whose events have ids."""
        self.event_number = 0
        """Of that event, in one whose events are numbered."""


def let_go(error: BaseException) -> None:
    """Forgets what an error came through, and what it came of: it is only told from here on.

    Its traceback holds every frame on the way, and with them all that a call has; where one of those holds the error, nothing
    but the collector would ever free them.
    """
    each: BaseException | None = error
    while each is not None:
        following = each.__context__
        each.__traceback__ = each.__context__ = each.__cause__ = None
        each = following


class RequestError(GatewayError):
    """The caller can mend it."""

    status = 400
    type = "invalid_request_error"
    code: str | None = None


class InvalidRequest(RequestError):
    """A field is missing, of the wrong type, or out of range."""


class UnsupportedField(InvalidRequest):
    """The engine behind this model has no such field: it is named, never silently dropped."""

    code = "unsupported_parameter"


class ContextTooLong(RequestError):
    """The prompt does not fit the model's context."""

    code = "context_length_exceeded"


class RefusedConfig(RequestError):
    """The changed configuration has mistakes; the text names each. The old one still serves."""

    code = "invalid_config"


class NotAuthenticated(RequestError):
    """No key, or a wrong one."""

    status = 401
    code = "invalid_api_key"


class NotAllowed(RequestError):
    """The key is good, but not for this."""

    status = 403
    code = "permission_denied"


class UnknownModel(RequestError):
    """No alias, deployment or served model has this name."""

    status = 404
    code = "model_not_found"


class UnknownKey(RequestError):
    """No key has this id or name, or it is revoked."""

    status = 404
    code = "key_not_found"


class UnknownCall(RequestError):
    """No call of this name is under way."""

    status = 404
    code = "call_not_found"


class UnknownConversation(RequestError):
    """No conversation of this project has this id: it may be another's, or deleted."""

    status = 404
    code = "conversation_not_found"


class UnknownItem(RequestError):
    """The conversation has no item of this id."""

    status = 404
    code = "item_not_found"


class UnknownResponse(RequestError):
    """No response of this project with this id is kept."""

    status = 404
    code = "response_not_found"


class ConversationLocked(RequestError):
    """Another call goes on with this conversation, and this one does not want to wait for its turn."""

    status = 409
    code = "conversation_locked"


class ConversationFull(RequestError):
    """No more may be kept of this conversation, or of its project."""

    code = "conversation_full"


class UnknownPath(RequestError):
    """Nothing is served at this path."""

    status = 404
    code = "unknown_path"


class WrongMethod(RequestError):
    """The path is right, the method is not."""

    status = 405
    code = "method_not_allowed"


class CallStopped(GatewayError):
    """Somebody else than its client ended the call: the operator."""

    status = 503
    code = "call_stopped"


class StreamGone(RequestError):
    """A stream that was lost can't be gone on with; the prompt is not run again."""

    status = 410
    code = "stream_gone"


class ReadTimeout(RequestError):
    """The request's headers or body arrived too slowly."""

    status = 408
    code = "request_timeout"


class BodyTooLarge(RequestError):
    """The body is over the cap."""

    status = 413
    code = "request_too_large"


class UrlTooLong(RequestError):
    """The request target is over the cap."""

    status = 414
    code = "url_too_long"


class UnreadableCoding(RequestError):
    """The body's content encoding is none that the gateway reads, or the body is not in it (RFC 9110, 15.5.16)."""

    status = 415
    code = "unsupported_content_encoding"


class HeadersTooLarge(RequestError):
    """The header block is over the cap."""

    status = 431
    code = "headers_too_large"


class RateLimited(RequestError):
    """The key's rate limit is used up."""

    status = 429
    type = "rate_limit_error"
    code = "rate_limit_exceeded"


class NotSupported(RequestError):
    """The engine behind this model has no such endpoint or field."""

    status = 501
    code = "not_supported"


class Overloaded(GatewayError):
    """The queue is full, the wait was too long, or no replica is healthy."""

    status = 503
    type = "overloaded"
    code = "overloaded"


class DeadlineUnmet(Overloaded):
    """The call would have to wait longer than it may (`X-Deadline-Ms`)."""

    code = "deadline_unmet"


class KeysUnknown(GatewayError):
    """Whose key it is can't be told: the store can't be read."""

    status = 503
    type = "overloaded"
    code = "keys_unreadable"


class StoreGone(GatewayError):
    """The database can't be read or written; nothing was changed."""

    status = 503
    code = "store_unreachable"


class HistoryUnavailable(GatewayError):
    """A conversation can't be read, or a turn of it can't be kept: the database is gone or behind. Calls without one go on."""

    status = 503
    code = "history_unavailable"


class ShuttingDown(GatewayError):
    """The gateway is draining."""

    status = 503
    type = "overloaded"
    code = "shutting_down"
