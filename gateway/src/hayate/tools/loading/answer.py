"""What a gateway told of its engines (`/admin/engines`), read from whatever version it is of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from hayate.language import Text
from hayate.tools.lenient import count_in, number_in, objects_in, text_in, texts_in
from hayate.tools.rates import rates

RESTING: Final = frozenset({"unloaded", "loading", "draining", "unloading"})
"""States in which a model is not there to be called, and nothing is wrong: a call waits for it."""


@dataclass(frozen=True, slots=True)
class Engine:
    """One deployment's model. Times are in seconds."""

    name: str
    backend: str
    how: str | None
    """How the gateway loads it; None: it does not."""
    state: str
    since_s: float | None
    why: str
    gpus: Sequence[str]
    memory_bytes: int | None
    pin: bool
    last_load_s: float | None
    in_flight: int | None
    waiting: int | None
    idle_s: float | None
    output_tokens: int | None
    last_error: Text | None
    retry_in_s: float | None
    pid: int | None
    has_log: bool

    @property
    def failed(self) -> bool:
        """Whether something is wrong with it."""
        return self.state in ("failed", "not_ready")


@dataclass(frozen=True, slots=True)
class Gpu:
    """What models share."""

    name: str
    memory_bytes: int | None
    used_bytes: int | None


def read_gpus(values: Mapping[str, Any]) -> list[Gpu]:
    """In the order of the gateway's configuration."""
    return [
        Gpu(text_in(each.get("name")) or "?", _size_in(each.get("memory_bytes")), _size_in(each.get("used_bytes"), 0))
        for each in objects_in(values.get("gpus"))
    ]


def read_engines(values: Mapping[str, Any]) -> list[Engine]:
    """In the order of the gateway's configuration."""
    return [read_engine(each) for each in objects_in(values.get("engines"))]


def read_engine(values: Mapping[str, Any]) -> Engine:
    """That of one."""
    return Engine(
        name=text_in(values.get("name")) or "?",
        backend=text_in(values.get("backend")) or "?",
        how=text_in(values.get("how")),
        state=text_in(values.get("state")) or "?",
        since_s=number_in(values.get("since_s")),
        why=text_in(values.get("why")) or "",
        gpus=texts_in(values.get("gpus")),
        memory_bytes=_size_in(values.get("memory_bytes")),
        pin=values.get("pin") is True,
        last_load_s=number_in(values.get("last_load_s")),
        in_flight=count_in(values.get("in_flight")),
        waiting=count_in(values.get("waiting")),
        idle_s=number_in(values.get("idle_s")),
        output_tokens=count_in(values.get("output_tokens")),
        last_error=_error_in(values.get("last_error")),
        retry_in_s=number_in(values.get("retry_in_s")),
        pid=count_in(values.get("pid")),
        has_log=values.get("has_log") is True,
    )


def tokens_per_s(before: Sequence[Engine], now: Sequence[Engine], took_s: float) -> dict[str, float]:
    """What each made a second between two answers, by name."""
    had, have = ({each.name: each.output_tokens for each in look} for look in (before, now))
    return rates(had, have, took_s)


def _size_in(value: object, least: int = 1) -> int | None:
    return value if type(value) is int and least <= value < 2**63 else None


def _error_in(value: object) -> Text | None:
    if not isinstance(value, dict):
        return None
    english, japanese = text_in(value.get("text")), text_in(value.get("text_ja"))
    return Text(english or japanese or "?", japanese or english or "?")
