"""What keys have used of their limits: the windows of each, and which of them are kept.

A key's windows are made when it first calls, with what it used in the minute before this process began (`remember`), and
go when they have been empty for a while: what is kept is bounded by the keys that called within the last minute.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType
from typing import Final, NamedTuple

from hayate.access.principals import Principal
from hayate.access.terms import FREE, Terms, over
from hayate.policy.windows import Window
from hayate.settings import RateLimits

REQUESTS, TOKENS, INPUTS, OUTPUTS = range(4)
"""The kinds of units that are counted."""
UNLIMITED: Final = RateLimits()
NO_MODELS: Final[Mapping[str, RateLimits]] = MappingProxyType({})
FEW: Final = 1000
"""Keys among which it is not worth looking for idle ones."""
LOOKS: Final = 2
"""At old keys for each new one: enough to drop them as fast as they come."""

Counted = tuple[Window, int]
"""A window, and the kind of units that it counts."""
Pair = tuple[bytes, bytes]
Said = tuple[list[Pair], list[tuple[bytes, Window]]]
"""Headers that are always the same; the name of each that says what is left, and of which window."""


class Past(NamedTuple):
    """What was used of a model in one second of this process's clock."""

    model: str
    second: int
    requests: int
    inputs: int
    outputs: int


class Counters:
    """What one key, or one key with one model, has used of its limits."""

    __slots__ = (
        "_windows",
        "concurrency",
        "each_call",
        "in_flight",
        "one_of_a_kind",
        "requests",
        "said",
        "strict",
        "tokens",
    )

    def __init__(self, limits: RateLimits) -> None:
        self.in_flight = 0
        self._windows: list[Window | None] = [None] * 4
        self.change(limits)

    def change(self, limits: RateLimits) -> None:
        """Other limits, for what was counted so far too."""
        self.concurrency = limits.concurrency
        each_of = (
            limits.requests_per_minute,
            limits.tokens_per_minute,
            limits.input_tokens_per_minute,
            limits.output_tokens_per_minute,
        )
        for kind, limit in enumerate(each_of):
            window = self._windows[kind]
            if window is None or limit is None:
                self._windows[kind] = None if limit is None else Window(limit)
            else:
                window.limit = limit
        counted = [(window, kind) for kind, window in enumerate(self._windows) if window is not None]
        self.requests: tuple[Counted, ...] = tuple(each for each in counted if each[1] == REQUESTS)
        self.tokens: tuple[Counted, ...] = tuple(each for each in counted if each[1] != REQUESTS)
        self.each_call = self._windows[REQUESTS]
        """In which every call is one."""
        self.one_of_a_kind = len(self.tokens) < 2
        """Whether there are no two limits on tokens of which one is nearer than the other."""
        self.strict = bool(limits.strict and self.tokens)
        self.said: Said | None = None
        """What of its headers does not change (`limit_headers`), once it has been said."""

    def restore(self, past: Iterable[Past], now: float) -> None:
        """Counts what was used before this process began."""
        counted = (*self.requests, *self.tokens)
        for each in past:
            units = each.requests, each.inputs + each.outputs, each.inputs, each.outputs
            for window, kind in counted:
                window.restore(each.second, units[kind], now)

    def is_idle(self, now: float) -> bool:
        """Whether nothing is counted."""
        return not self.in_flight and all(w is None or w.left(now) == w.limit for w in self._windows)


class KeyCounters:
    """What one key has used, with all models and with each that has limits of its own."""

    __slots__ = ("by_model", "default", "model_defaults", "models", "reserves", "strict", "terms", "whole")

    def __init__(self, terms: Terms, default: RateLimits, model_defaults: Mapping[str, RateLimits]) -> None:
        self.terms = terms
        self.default = default
        self.model_defaults = model_defaults
        self.models: dict[str, Counters] = {}
        self.whole = Counters(over(terms.limits, default))
        self._look()

    def follow(self, terms: Terms, default: RateLimits, model_defaults: Mapping[str, RateLimits]) -> None:
        """Other limits, of the key or of the configuration."""
        self.terms, self.default, self.model_defaults = terms, default, model_defaults
        self.whole.change(over(terms.limits, default))
        for model, counters in self.models.items():
            counters.change(self.limits_of(model))
        self._look()

    def limits_of(self, model: str) -> RateLimits:
        """Those that a model has beside the others."""
        return over(self.terms.model_limits.get(model, UNLIMITED), self.model_defaults.get(model, UNLIMITED))

    def _look(self) -> None:
        each_of = [self.limits_of(model) for model in (*self.terms.model_limits, *self.model_defaults)]
        self.by_model = bool(each_of or self.models)
        """Whether models may have limits of their own."""
        self.reserves = self.by_model or bool(self.whole.tokens)
        """Whether it matters what a call wants, and of which model."""
        self.strict = self.whole.strict or any(limits.strict for limits in each_of)
        """Whether some call may have to reserve the most that it can use."""

    def is_idle(self, now: float) -> bool:
        """Whether it may be forgotten."""
        return self.whole.is_idle(now) and all(each.is_idle(now) for each in self.models.values())


class Table:
    """The counters of all keys. One per gateway."""

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._keys: OrderedDict[str, KeyCounters] = OrderedDict()
        self._past: dict[str, list[Past]] = {}
        self._free: Terms = FREE
        self._default = UNLIMITED
        self._model_defaults = NO_MODELS
        """Terms without limits, and defaults without any: those that were seen last."""

    def __len__(self) -> int:
        return len(self._keys)

    def remember(self, key: str, past: Past) -> None:
        """What a key used before this process began."""
        self._past.setdefault(key, []).append(past)

    def forget_past(self) -> None:
        """A minute has gone since: it counts no more."""
        self._past = {}

    def of(
        self, principal: Principal, default: RateLimits, model_defaults: Mapping[str, RateLimits]
    ) -> KeyCounters | None:
        """A key's counters, by the limits that it has now; None where it has none and had none."""
        terms = principal.terms
        if terms is self._free and default is self._default and model_defaults is self._model_defaults:
            return None
        found = self._keys.get(principal.id)
        if found is not None:
            if terms is not found.terms or default is not found.default or model_defaults is not found.model_defaults:
                found.follow(terms, default, model_defaults)
            return found
        if not terms.model_limits and not model_defaults and over(terms.limits, default) == UNLIMITED:
            self._free, self._default, self._model_defaults = terms, default, model_defaults
            return None
        return self._add(principal.id, KeyCounters(terms, default, model_defaults))

    def of_model(self, key: str, counters: KeyCounters, model: str) -> Counters | None:
        """A key's counters of one model; None where that has no limits of its own."""
        found = counters.models.get(model)
        if found is None and (model in counters.terms.model_limits or model in counters.model_defaults):
            found = counters.models[model] = Counters(counters.limits_of(model))
            found.restore((each for each in self._past.get(key, ()) if each.model == model), self._now())
        return found

    def _add(self, key: str, counters: KeyCounters) -> KeyCounters:
        now = self._now()
        if len(self._keys) >= FEW:
            for _ in range(LOOKS):
                old, theirs = self._keys.popitem(last=False)
                if not theirs.is_idle(now):
                    self._keys[old] = theirs
        self._keys[key] = counters
        counters.whole.restore(self._past.get(key, ()), now)
        return counters
