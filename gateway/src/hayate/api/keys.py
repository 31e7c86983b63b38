"""The operator's keys, over HTTP: the same as `hayate key` (`access.key_admin`)."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from time import time
from typing import Annotated, Any, Final

from annotated_types import Ge, MinLen
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field
from starlette.requests import Request
from starlette.responses import Response

from hayate.access import key_admin
from hayate.access.key_admin import GRACE_S, KeyChange, KeyInfo
from hayate.access.key_oddities import oddities_of
from hayate.access.key_views import KeyAnswer, KeysAnswer, answer_of
from hayate.access.terms import FREE, Area, Defaults, Name, Terms, Weight
from hayate.api.bodies import PAGING, body_of, json_answer, paging
from hayate.api.gateway import Gateway
from hayate.api.operations import body, described
from hayate.errors import BodyTooLarge, StoreGone, UnknownKey, UnreadableCoding
from hayate.settings import AtLeastOne, RateLimits
from hayate.wire.error_bodies import language_of

_BY_ID: Final[dict[str, Any]] = {"path": {"key": "The key's id, or its name."}}
KeyName = Annotated[str, Field(json_schema_extra={"minLength": 1, "maxLength": key_admin.MAX_NAME_CHARS})]
"""Which `key_admin` checks, in better words."""
_CHANGES: Final = (BodyTooLarge, UnreadableCoding, StoreGone)


class TermsBody(BaseModel):
    """What a key may do; what is left out stays as it is (with a new key: free)."""

    model_config = ConfigDict(extra="forbid")

    models: Annotated[tuple[Name, ...], MinLen(1)] | None = None
    areas: Annotated[tuple[Area, ...], MinLen(1)] | None = None
    limits: RateLimits | None = None
    model_limits: dict[Name, RateLimits] | None = None
    weight: Weight | None = None
    max_output_tokens: AtLeastOne | None = None
    defaults: Defaults | None = None

    def on(self, terms: Terms) -> Terms:
        """Those terms, with what was sent in place of what they said; a field that was sent as null is free again."""
        sent = {name: getattr(self, name) for name in self.model_fields_set & Terms.__dataclass_fields__.keys()}
        return replace(terms, **{name: getattr(FREE, name) if value is None else value for name, value in sent.items()})


class NewKey(TermsBody):
    """POST /admin/keys."""

    name: KeyName
    project: KeyName | None = None
    expires_at: AwareDatetime | None = None


class ChangedKey(TermsBody):
    """PATCH /admin/keys/{id}."""

    name: KeyName | None = None
    project: KeyName | None = None
    expires_at: AwareDatetime | None = None


class Rotation(BaseModel):
    """POST /admin/keys/{id}/rotate."""

    model_config = ConfigDict(extra="forbid")

    grace_s: Annotated[float, Ge(0)] = GRACE_S


@described("A new key, which is shown this once.", KeyAnswer, 201, errors=_CHANGES, **body(NewKey))
async def create_key(request: Request, gateway: Gateway) -> Response:
    """POST /admin/keys: 201 with the key, which is shown this once."""
    asked = await body_of(request, gateway, NewKey)
    terms, now = asked.on(FREE), time()

    def make(connection: Any) -> tuple[Any, KeyInfo]:
        return key_admin.create(
            connection, name=asked.name, project=asked.project, expires_at=_s(asked.expires_at), terms=terms, now=now
        )

    made, info = await gateway.store.change(make)
    return json_answer(answer_of(info, now, key=made.key, warnings=_warnings(request, gateway, terms)), 201)


@described("The keys, the oldest first, those that were revoked too.", KeysAnswer, errors=(StoreGone,), query=PAGING)
async def list_keys(request: Request, gateway: Gateway) -> Response:
    """GET /admin/keys?after=…&limit=…: the oldest first."""
    after, limit = paging(request)
    found = await gateway.store.read(lambda c: key_admin.listed(c, after=after, limit=limit + 1))
    now = time()
    return json_answer(KeysAnswer(data=[answer_of(each, now) for each in found[:limit]], has_more=len(found) > limit))


@described("One key.", KeyAnswer, errors=(UnknownKey, StoreGone), **_BY_ID)
async def show_key(request: Request, gateway: Gateway) -> Response:
    """GET /admin/keys/{id or name}: one key."""
    wanted = request.path_params["key"]
    return json_answer(answer_of(await gateway.store.read(lambda c: key_admin.find(c, wanted)), time()))


@described(
    "Changes what is sent, in force within a second.",
    KeyAnswer,
    errors=(UnknownKey, *_CHANGES),
    **body(ChangedKey, required=False),
    **_BY_ID,
)
async def update_key(request: Request, gateway: Gateway) -> Response:
    """PATCH /admin/keys/{id}: changes what is sent."""
    asked, wanted, now = await body_of(request, gateway, ChangedKey), request.path_params["key"], time()

    def change(connection: Any) -> KeyInfo:
        key = key_admin.find(connection, wanted)
        return key_admin.update(
            connection,
            key,
            KeyChange(
                name=asked.name,
                project=asked.project,
                expires_at=_s(asked.expires_at),
                never_expires="expires_at" in asked.model_fields_set and asked.expires_at is None,
                terms=asked.on(key.terms),
            ),
            now,
        )

    info = await gateway.store.change(change)
    return json_answer(answer_of(info, now, warnings=_warnings(request, gateway, info.terms)))


@described("Ends a key, and its running calls.", KeyAnswer, errors=(UnknownKey, StoreGone), **_BY_ID)
async def revoke_key(request: Request, gateway: Gateway) -> Response:
    """DELETE /admin/keys/{id}: nobody's from now on; its running streams end."""
    wanted, now = request.path_params["key"], time()
    info = await gateway.store.change(lambda c: key_admin.revoke(c, key_admin.find(c, wanted), now))
    return json_answer(answer_of(info, now))


@described(
    "A new secret for a key, which is shown this once.",
    KeyAnswer,
    errors=(UnknownKey, *_CHANGES),
    **body(Rotation, required=False),
    **_BY_ID,
)
async def rotate_key(request: Request, gateway: Gateway) -> Response:
    """POST /admin/keys/{id}/rotate {"grace_s": …}: a new secret, shown this once."""
    asked, wanted, now = await body_of(request, gateway, Rotation), request.path_params["key"], time()
    made, info = await gateway.store.change(
        lambda c: key_admin.rotate(c, key_admin.find(c, wanted), grace_s=asked.grace_s, now=now)
    )
    return json_answer(answer_of(info, now, key=made.key))


def _warnings(request: Request, gateway: Gateway, terms: Terms) -> tuple[str, ...]:
    language = language_of(request.scope["headers"])
    return tuple(each.of(language) for each in oddities_of(terms, gateway.relay.fleet.has))


def _s(at: datetime | None) -> float | None:
    return None if at is None else at.timestamp()
