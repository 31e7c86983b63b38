"""What is legal and odd in what keys may do and what it costs: limits that others make needless, names that nobody has."""

from __future__ import annotations

from collections.abc import Iterator

from hayate.config.environment import EMBEDDED
from hayate.config.mistakes import Mistake, Where
from hayate.config.models import Config
from hayate.language import Text
from hayate.settings import RateLimits

_TOKENS = ("tokens_per_minute", "input_tokens_per_minute", "output_tokens_per_minute")


def key_oddities(config: Config) -> Iterator[Mistake]:
    """Each with its place, in the order of the sections."""
    limits = config.limits
    yield from _among_each_other(("limits",), limits)
    if limits.concurrency is not None and limits.concurrency > config.server.max_connections:
        yield never(("limits", "concurrency"), f"server.max_connections: {config.server.max_connections}")
    for name, each in limits.models.items():
        where = ("limits", "models", name)
        yield from _among_each_other(where, each)
        for limit in ("requests_per_minute", *_TOKENS, "concurrency"):
            outer, inner = getattr(limits, limit), getattr(each, limit)
            if outer is not None and inner is not None and inner > outer:
                yield never((*where, limit), f"limits.{limit}: {outer}")
        yield from _unknown(config, where)


def record_oddities(config: Config) -> Iterator[Mistake]:
    """Of what is kept, each with its place."""
    for key, each in config.record.content.items():
        if each.days > config.store.calls_days:
            yield never(("record", "content", key, "days"), f"store.calls_days: {config.store.calls_days}")


def price_oddities(config: Config) -> Iterator[Mistake]:
    """Of what tokens cost, each with its place."""
    for name, each in config.prices.items():
        yield from _unknown(config, ("prices", name))
        if each.cached_input is not None and each.cached_input > each.input:
            yield Mistake(
                ("prices", name, "cached_input"),
                Text(
                    f"is more than {each.input}, the price of what no cache held",
                    f"キャッシュされていない入力の料金（{each.input}）より高くなっています",
                ),
            )
    if bool(config.prices) != (config.currency is not None):
        yield Mistake(
            ("prices",) if config.prices else ("currency",),
            Text(
                "prices and their currency belong together; one of them is missing",
                "pricesとcurrencyは両方とも指定してください。片方がありません",
            ),
        )


def never(where: Where, because: str) -> Mistake:
    """A limit that something else makes needless."""
    return Mistake(
        where,
        Text(
            f"is a limit that is never reached, or has no effect, because of {because}",
            f"{because}のため、この上限に達することはないか、効果がありません",
        ),
    )


def _among_each_other(where: Where, limits: RateLimits) -> Iterator[Mistake]:
    most = limits.tokens_per_minute
    for name in _TOKENS[1:]:
        value = getattr(limits, name)
        if most is not None and value is not None and value > most:
            yield never((*where, name), f"tokens_per_minute: {most}")


def _unknown(config: Config, where: Where) -> Iterator[Mistake]:
    """A name that no call can bring, as far as the file tells: engines may serve models of more names."""
    name = where[-1]
    known = {"default", "fast", "smart", EMBEDDED, *config.deployments, *config.aliases}
    if name not in known and name not in {each.model for each in config.deployments.values()}:
        yield Mistake(
            where,
            Text(
                "is the name of no deployment, alias or model here; it counts only where an engine serves a model of it",
                "この名前のデプロイメント、エイリアス、モデルはここにありません。"
                "エンジンがこの名前のモデルを提供している場合だけ有効です",
            ),
        )
