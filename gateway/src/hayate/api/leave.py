"""What a key says of its calls, put into the request, and leave for what the call will use.

A key may name the models that it may call and what its calls say unless they say otherwise: both are looked at before the
request is checked (`fill`), so that what is added is checked like everything else. How long answers may get, and what the
call will use, can only be told afterwards (`admit`), when every number is written as one.
"""

from __future__ import annotations

from typing import Any

from hayate.access.grants import Asked, Grant
from hayate.access.terms import FREE, Terms
from hayate.api.gateway import Gateway
from hayate.downstream.client import Client
from hayate.errors import InvalidRequest, UnknownModel
from hayate.wire.numbers import LIMITS, largest_limit
from hayate.wire.paths import CHAT, MESSAGES, RESPONSES, TEXT

_LIMIT_OF = {CHAT: "max_tokens", TEXT: "max_tokens", MESSAGES: "max_tokens", RESPONSES: "max_output_tokens"}
"""What each path calls the limit on an answer."""


def fill(terms: Terms, path: str, fields: dict[str, Any]) -> None:
    """Puts what the key says into a request. Raises UnknownModel, naming what the key may call."""
    if terms is FREE:
        return
    defaults = terms.defaults
    if defaults.model is not None and not fields.get("model"):
        fields["model"] = defaults.model
    check_right(terms, fields.get("model"))
    limit = _LIMIT_OF.get(path)
    if limit is not None and defaults.max_tokens is not None and all(fields.get(name) is None for name in LIMITS):
        fields[limit] = defaults.max_tokens
    if defaults.system is not None:
        _put_first(defaults.system, path, fields)


def check_right(terms: Terms, model: Any) -> None:
    """Raises UnknownModel when the key may not call the model, which it is told as if there were none of that name."""
    name = model if isinstance(model, str) and model else "default"
    if not terms.may_call(name):
        names = ", ".join(terms.models or ())
        raise UnknownModel(
            f"This key may not call a model named {name!r}. It may call: {names}.",
            f"このAPIキーでは {name!r} というモデルを使えません。使えるモデル: {names}。",
            param="model",
        )


def admit(gateway: Gateway, client: Client, grant: Grant, path: str, size: int, fields: dict[str, Any]) -> None:
    """Leave for the tokens of a call that has been checked; its answer says what is left. `size` is that of its request, in
    bytes. Raises RateLimited, InvalidRequest.
    """
    most = grant.principal.terms.max_output_tokens
    if most is not None:
        _cap(most, path, fields)
    if grant.counts_tokens:
        _reserve(gateway, client, grant, fields.get("model"), size, fields)


def _reserve(
    gateway: Gateway, client: Client, grant: Grant, model: str | None, size: int, fields: dict[str, Any]
) -> None:
    first = gateway.relay.fleet.route(model)[0]
    most = largest_limit(fields)
    count = fields.get("n") or 1
    output = None if most is None else most.tokens * count
    try:
        grant.reserve(Asked(model or "default", first.name, size, output, first.context_tokens))
    finally:
        client.answer_headers += grant.headers()


def _cap(most: int, path: str, fields: dict[str, Any]) -> None:
    asked, limit = largest_limit(fields), _LIMIT_OF.get(path)
    if asked is None:
        if limit is not None:
            fields[limit] = most
    elif asked.tokens > most:
        raise InvalidRequest(
            f"'{asked.field}' is {asked.tokens}, but answers to this key have at most {most} tokens.",
            f"'{asked.field}' が {asked.tokens} ですが、このAPIキーの回答は最大{most}トークンです。",
            param=asked.field,
        )


def _put_first(system: str, path: str, fields: dict[str, Any]) -> None:
    """The key's own words before all others; a request that is not as it should be is left to its check."""
    if path == CHAT:
        messages = fields.get("messages")
        if isinstance(messages, list):
            fields["messages"] = [{"role": "system", "content": system}, *messages]
            _join(fields["messages"])
    elif path == MESSAGES:
        given = fields.get("system")
        if isinstance(given, list):
            fields["system"] = [{"type": "text", "text": system}, *given]
        elif given is None or isinstance(given, str):
            fields["system"] = f"{system}\n\n{given}" if given else system
    elif path == RESPONSES:
        given = fields.get("instructions")
        if given is None or isinstance(given, str):
            fields["instructions"] = f"{system}\n\n{given}" if given else system


def _join(messages: list[Any]) -> None:
    """Two system messages at the start become one: many models' templates know only one."""
    if len(messages) > 1 and isinstance(messages[1], dict) and messages[1].get("role") == "system":
        theirs = messages[1].get("content")
        if isinstance(theirs, str):
            messages[:2] = [{"role": "system", "content": f"{messages[0]['content']}\n\n{theirs}"}]
