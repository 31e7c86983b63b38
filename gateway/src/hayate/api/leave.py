"""What a key says of its calls, put into the request, and leave for what the call will use.

A key may name the models that it may call and what its calls say unless they say otherwise: both are looked at before the
request is checked (`fill`), so that what is added is checked like everything else. How long answers may get, and what the
call will use, can only be told afterwards (`admit`), when every number is written as one.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from hayate.access.grants import Asked, Grant
from hayate.access.terms import FREE, SAYS_NOTHING, Terms
from hayate.api.gateway import Gateway
from hayate.downstream.client import Client
from hayate.errors import InvalidRequest, UnknownModel
from hayate.fleet.deployment import Deployment
from hayate.wire.numbers import LIMITS, largest_limit
from hayate.wire.paths import CHAT, COUNT_TOKENS, MESSAGES, RESPONSES, TEXT
from hayate.wire.without_media import media_in

_LIMITS_OF: Final = {
    CHAT: ("max_tokens", "max_completion_tokens"),
    TEXT: ("max_tokens",),
    MESSAGES: ("max_tokens",),
    RESPONSES: ("max_output_tokens",),
}
"""What each path that writes text calls the limit on an answer, for every engine; other names some engines pass over."""
TEMPLATE_TOKENS: Final = 512
"""What a model's template adds to a conversation at most, its own system prompt and words about tools included."""
MEDIA_TOKENS: Final = 16_384
"""Of one picture at most, however few bytes it has."""
MAX_SHOWN: Final = 100
"""Characters of a name that is none: whoever sent it may have sent a megabyte."""


def fill(terms: Terms, path: str, fields: dict[str, Any], *, system: bool = True) -> None:
    """Puts what the key says into a request; its words before all others only if `system`. Raises UnknownModel, naming what the
    key may call.
    """
    if terms is FREE:
        return
    defaults = terms.defaults
    if defaults is SAYS_NOTHING:
        check_right(terms, fields.get("model"))
        return
    if defaults.model is not None and not fields.get("model"):
        fields["model"] = defaults.model
    check_right(terms, fields.get("model"))
    limits = _LIMITS_OF.get(path)
    if limits is not None and defaults.max_tokens is not None and all(fields.get(name) is None for name in LIMITS):
        fields[limits[0]] = default_limit(terms)
    if system:
        put_system(terms, path, fields)


def default_limit(terms: Terms) -> int | None:
    """How many tokens an answer has at most where the request names no limit; None: as many as the engine likes."""
    return min(filter(None, (terms.defaults.max_tokens, terms.max_output_tokens)), default=None)


def put_system(terms: Terms, path: str, fields: dict[str, Any]) -> None:
    """Puts the key's own words before all others of a request, if it has any."""
    if terms.defaults.system is not None:
        _put_first(terms.defaults.system, path, fields)


def model_of_form(terms: Terms, model: str | None) -> str | None:
    """The model that a form means, which the key's default is where it names none. Raises UnknownModel."""
    meant = model or terms.defaults.model
    check_right(terms, meant)
    return meant


def check_right(terms: Terms, model: Any) -> None:
    """Raises UnknownModel when the key may not call the model, which it is told as if there were none of that name."""
    if terms.models is not None and model not in terms.models:
        name = model if isinstance(model, str) and model else "default"
        if name not in terms.models:
            raise _no_model(terms, name)


async def check_model(gateway: Gateway, terms: Terms, model: str | None) -> None:
    """Raises UnknownModel when there is no model of this name; a key for some models is told of those and no others."""
    try:
        await gateway.relay.check_model(model)
    except UnknownModel:
        if terms.models is None:
            raise
        raise _no_model(terms, model or "default") from None


def _no_model(terms: Terms, name: str) -> UnknownModel:
    names, shown = ", ".join(terms.models or ()), name if len(name) <= MAX_SHOWN else name[:MAX_SHOWN] + "…"
    return UnknownModel(
        f"This key may not call a model named {shown!r}, or there is none. It may call: {names}.",
        f"このAPIキーでは {shown!r} というモデルを使えないか、そのモデルがありません。使えるモデル: {names}。",
        param="model",
    )


def admit(gateway: Gateway, client: Client, grant: Grant, path: str, size: int, fields: dict[str, Any]) -> None:
    """Leave for the tokens of a call that has been checked; its answer says what is left. `size` is that of its request as it
    came, in bytes. Raises RateLimited, InvalidRequest.
    """
    most = grant.principal.terms.max_output_tokens
    if most is None and not grant.counts:
        return
    limit = _bind(most, path, fields)
    if grant.counts:
        try:
            if grant.reserves:
                grant.reserve(_wanted(gateway, grant, path, size, fields, limit))
        finally:
            client.answer_headers += grant.headers()


def _wanted(gateway: Gateway, grant: Grant, path: str, size: int, fields: dict[str, Any], limit: int | None) -> Asked:
    model, answers, added = fields.get("model"), _answers(path, fields), 0
    route = gateway.relay.fleet.route(model)
    if path in _WITH_SYSTEM:
        system = grant.principal.terms.defaults.system
        if system is not None:
            size += len(system.encode())
        if grant.strict:
            added = TEMPLATE_TOKENS + MEDIA_TOKENS * _media(fields)
    if answers:
        context, output = route[0].context_tokens if len(route) == 1 else _largest(route), limit
        if answers > 1:
            context = None if context is None else context * answers
            output = None if limit is None else limit * answers
    else:  # where no text is written, any number of texts may be read, each as long as the context
        context, output = None, 0
    return Asked(model or "default", route[0].name, size, output, context, added, path)


def _largest(route: Sequence[Deployment]) -> int | None:
    """Of their contexts, for the call may go to any of them; None where one is not known."""
    contexts = [each.context_tokens for each in route]
    known = [each for each in contexts if each is not None]
    return max(known) if len(known) == len(contexts) else None


def _answers(path: str, fields: dict[str, Any]) -> int:
    """How many texts the call asks for, each with the limit on an answer: none where none is written."""
    if path not in _LIMITS_OF:
        return 0
    each = max(fields.get("n") or 1, fields.get("best_of") or 1) if "n" in fields or "best_of" in fields else 1
    if path != TEXT:
        return each
    lists = [value for name in ("prompt", "prompt_embeds") if isinstance(value := fields.get(name), list)]
    # A list of numbers is one prompt, in tokens.
    prompts = sum(1 if value and isinstance(value[0], int) else len(value) for value in lists)
    return each * max(1, prompts)


def _media(fields: dict[str, Any]) -> int:
    """Pictures and the like among the messages: one that is named by its address has hardly any bytes here."""
    messages = [each for name in ("messages", "input") if isinstance(value := fields.get(name), list) for each in value]
    return sum(media_in(each.get("content")) for each in messages if isinstance(each, dict))


def _bind(most: int | None, path: str, fields: dict[str, Any]) -> int | None:
    """The limit on an answer, which the engine is told under a name that it goes by: what is counted, or may not be
    exceeded, is what it keeps to.
    """
    name, names = largest_limit(fields), _LIMITS_OF.get(path, ())
    limit: int | None = most if name is None else fields[name]
    if limit is not None and most is not None and limit > most:
        raise InvalidRequest(
            f"'{name}' is {limit}, but answers to this key have at most {most} tokens.",
            f"'{name}' が {limit} ですが、このAPIキーの回答は最大{most}トークンです。",
            param=name,
        )
    if limit and names and name not in names and all(fields.get(each) is None for each in names):
        fields[names[0]] = limit
    return limit


_WITH_SYSTEM: Final = frozenset({CHAT, MESSAGES, COUNT_TOKENS, RESPONSES})
"""Where there are conversations to put something before."""


def _put_first(system: str, path: str, fields: dict[str, Any]) -> None:
    """The key's own words before all others; a request that is not as it should be is left to its check."""
    if path == CHAT:
        messages = fields.get("messages")
        if isinstance(messages, list) and messages:
            fields["messages"] = _with_first(system, messages)
    elif path in (MESSAGES, COUNT_TOKENS):
        given = fields.get("system")
        if isinstance(given, list):
            fields["system"] = [{"type": "text", "text": system}, *given]
        elif given is None or isinstance(given, str):
            fields["system"] = f"{system}\n\n{given}" if given else system
    elif path == RESPONSES:
        given = fields.get("instructions")
        if given is None or isinstance(given, str):
            fields["instructions"] = f"{system}\n\n{given}" if given else system


def _with_first(system: str, messages: list[Any]) -> list[Any]:
    """With a system message of these words; one that is first already begins with them: many models' templates know one."""
    first = messages[0]
    theirs = first.get("content") if isinstance(first, dict) and first.get("role") == "system" else None
    if isinstance(theirs, str):
        return [{**first, "content": f"{system}\n\n{theirs}"}, *messages[1:]]
    if isinstance(theirs, list):
        return [{**first, "content": [{"type": "text", "text": system}, *theirs]}, *messages[1:]]
    return [{"role": "system", "content": system}, *messages]
