"""What a gateway said of itself, read from whatever version: what it does not say is left open, what it says beyond is
passed over.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from hayate.language import Language
from hayate.tools.lenient import count_in, number_in, objects_in, text_in, texts_in
from hayate.tools.loading.answer import RESTING, Engine, read_engines

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
    loading: Engine | None = None
    """Of one whose model the gateway loads and unloads."""

    @property
    def resting(self) -> bool:
        """Whether its model is not there to be called, and nothing is wrong: a call waits until it is loaded."""
        return self.loading is not None and self.loading.state in RESTING

    @property
    def called(self) -> bool:
        """Whether its replicas are there to be called, so that it matters how they do."""
        return self.loading is None or not (self.resting or self.loading.failed)

    @property
    def state(self) -> str:
        """That of its model, as long as it is not loaded; else down without a replica that is ready, degraded with some that
        are not.
        """
        if self.loading is not None and not self.called:
            return self.loading.state
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
        """Ready when every replica is, but for those of models that are not loaded just now."""
        return "ready" if all(each.resting or each.state == "ready" for each in self.deployments) else "degraded"


def read_answer(values: Mapping[str, Any], language: Language = "en") -> Answer:
    """Of `/admin/status`; a reason that comes in both languages is read in this one."""
    aliases = values.get("aliases")
    loading = {each.name: each for each in read_engines(values) if each.how is not None}
    return Answer(
        version=text_in(values.get("version")),
        uptime_s=number_in(values.get("uptime_s")),
        aliases={name: texts_in(each) for name, each in aliases.items()} if isinstance(aliases, dict) else {},
        deployments=[_deployment(each, loading, language) for each in objects_in(values.get("deployments"))],
    )


def _deployment(values: Mapping[str, Any], loading: Mapping[str, Engine], language: Language) -> Deployment:
    name = text_in(values.get("name")) or "?"
    return Deployment(
        name=name,
        engine=text_in(values.get("engine")) or "?",
        model=text_in(values.get("model")),
        in_flight=count_in(values.get("in_flight")),
        queued=count_in(values.get("queued")),
        replicas=[_replica(each, language) for each in objects_in(values.get("replicas"))],
        loading=loading.get(name),
    )


def _replica(values: Mapping[str, Any], language: Language) -> Replica:
    error, reason = values.get("last_error"), values.get("reason")
    return Replica(
        url=text_in(values.get("url")) or "?",
        state=text_in(values.get("state")) or "?",
        ready=values.get("healthy") is True,
        reason=_in(reason, language),
        code=text_in(reason.get("code")) if isinstance(reason, dict) else None,
        advice=text_in(reason.get(f"advice_{language}")) if isinstance(reason, dict) else None,
        in_flight=count_in(values.get("in_flight")),
        last_error=LastError(_error_text(error, language), number_in(error.get("at")))
        if isinstance(error, dict)
        else None,
    )


def _error_text(error: Mapping[str, Any], language: Language) -> str:
    return text_in(error.get(f"text_{language}")) or _in(error.get("text"), language) or "?"


def _in(value: object, language: Language) -> str | None:
    """A text, or one that comes in both languages."""
    return text_in(value.get(language) or value.get("en")) if isinstance(value, dict) else text_in(value)
