"""How keys are shown: to the operator over HTTP, and by `hayate key --json`. Fields are only ever added."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields
from datetime import UTC, datetime
from typing import Any

from pydantic import BaseModel

from hayate.access.key_admin import KeyInfo


class KeyAnswer(BaseModel):
    """A key as it is shown. `key` itself only in the answer that made it."""

    id: str
    name: str
    project: str
    state: str
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None
    old_key_until: datetime | None
    models: tuple[str, ...] | None
    areas: tuple[str, ...]
    limits: dict[str, Any]
    model_limits: dict[str, dict[str, Any]]
    weight: int
    max_output_tokens: int | None
    defaults: dict[str, Any]
    warnings: tuple[str, ...] = ()
    key: str | None = None


class KeysAnswer(BaseModel):
    """A page of keys."""

    data: list[KeyAnswer]
    has_more: bool


def answer_of(info: KeyInfo, now: float, *, key: str | None = None, warnings: Sequence[str] = ()) -> KeyAnswer:
    """A key as it is shown, to the operator and by `hayate key --json`."""
    terms = info.terms
    return KeyAnswer(
        id=info.id,
        name=info.name,
        project=info.project,
        state=info.state(now),
        created_at=datetime.fromtimestamp(info.created_at, UTC),
        expires_at=_at(info.expires_at),
        revoked_at=_at(info.revoked_at),
        old_key_until=_at(info.old_until if (info.old_until or 0) > now else None),
        models=terms.models,
        areas=terms.areas,
        limits=said(terms.limits),
        model_limits={model: said(limits) for model, limits in terms.model_limits.items()},
        weight=terms.weight,
        max_output_tokens=terms.max_output_tokens,
        defaults=said(terms.defaults),
        warnings=tuple(warnings),
        key=key,
    )


def said(values: Any) -> dict[str, Any]:
    """What a dataclass of optional values says, without what it leaves open."""
    return {each.name: value for each in fields(values) if (value := getattr(values, each.name)) is not None}


def _at(seconds: float | None) -> datetime | None:
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC)
