"""What a gateway said of itself, read from whatever version: what it does not say is left open, what it says beyond is
passed over.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from hayate.language import Language

Overall = Literal["ready", "degraded", "unreachable"]


@dataclass(frozen=True, slots=True)
class LastError:
    """What a replica last did wrong; `at` in seconds since 1970."""

    text: str
    at: float | None


@dataclass(frozen=True, slots=True)
class Replica:
    """One running engine."""

    url: str
    state: str
    ready: bool
    reason: str | None
    code: str | None
    """The reason for programs (`reasons.Reason`)."""
    advice: str | None
    in_flight: int | None
    last_error: LastError | None


@dataclass(frozen=True, slots=True)
class Deployment:
    """Interchangeable replicas of one model."""

    name: str
    engine: str
    model: str | None
    in_flight: int | None
    queued: int | None
    replicas: Sequence[Replica]

    @property
    def state(self) -> Literal["ready", "degraded", "down"]:
        """Down without a replica that is ready, degraded with some that are not."""
        ready = sum(each.ready for each in self.replicas)
        return "down" if not ready else "ready" if ready == len(self.replicas) else "degraded"


@dataclass(frozen=True, slots=True)
class Answer:
    """The whole of it."""

    version: str | None
    uptime_s: float | None
    aliases: Mapping[str, Sequence[str]]
    deployments: Sequence[Deployment]

    @property
    def overall(self) -> Overall:
        """Ready when every replica is."""
        return "ready" if all(each.state == "ready" for each in self.deployments) else "degraded"


def read_answer(values: Mapping[str, Any], language: Language = "en") -> Answer:
    """Of `/admin/status`; a reason that comes in both languages is read in this one."""
    aliases = values.get("aliases")
    return Answer(
        version=_text(values.get("version")),
        uptime_s=_number(values.get("uptime_s")),
        aliases={name: _texts(each) for name, each in aliases.items()} if isinstance(aliases, dict) else {},
        deployments=[_deployment(each, language) for each in _objects(values.get("deployments"))],
    )


def _deployment(values: Mapping[str, Any], language: Language) -> Deployment:
    return Deployment(
        name=_text(values.get("name")) or "?",
        engine=_text(values.get("engine")) or "?",
        model=_text(values.get("model")),
        in_flight=_count(values.get("in_flight")),
        queued=_count(values.get("queued")),
        replicas=[_replica(each, language) for each in _objects(values.get("replicas"))],
    )


def _replica(values: Mapping[str, Any], language: Language) -> Replica:
    error, reason = values.get("last_error"), values.get("reason")
    return Replica(
        url=_text(values.get("url")) or "?",
        state=_text(values.get("state")) or "?",
        ready=values.get("healthy") is True,
        reason=_in(reason, language),
        code=_text(reason.get("code")) if isinstance(reason, dict) else None,
        advice=_text(reason.get(f"advice_{language}")) if isinstance(reason, dict) else None,
        in_flight=_count(values.get("in_flight")),
        last_error=LastError(_error_text(error, language), _number(error.get("at")))
        if isinstance(error, dict)
        else None,
    )


def _error_text(error: Mapping[str, Any], language: Language) -> str:
    return _text(error.get(f"text_{language}")) or _in(error.get("text"), language) or "?"


def _in(value: object, language: Language) -> str | None:
    """A text, or one that comes in both languages."""
    return _text(value.get(language) or value.get("en")) if isinstance(value, dict) else _text(value)


def _text(value: object) -> str | None:
    return value if isinstance(value, str) and value else None


def _texts(value: object) -> list[str]:
    return [each for each in value if isinstance(each, str)] if isinstance(value, list) else []


def _number(value: object) -> float | None:
    return float(value) if type(value) in (int, float) and abs(float(value)) < 1e12 else None  # type: ignore[arg-type]


def _count(value: object) -> int | None:
    return value if type(value) is int else None


def _objects(value: object) -> list[Mapping[str, Any]]:
    return [each for each in value if isinstance(each, dict)] if isinstance(value, list) else []
