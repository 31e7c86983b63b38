"""Leave for each call: the one object that everything asks how much a key may still do.

A call asks twice. Before its body is read, for itself (`Grants.enter`): requests a minute, calls at once. When it is known
what it wants, for tokens (`Grant.reserve`): what it will probably use, or the most that it can where the key is strict.
What it really used is settled when it ends, however it ends; a call that is refused has used nothing. Windows
(`policy.windows`) hold for any 60 s.
"""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final, NamedTuple

from hayate.access.principals import Principal
from hayate.access.terms import over
from hayate.errors import InvalidRequest, RateLimited
from hayate.policy.estimates import Estimates
from hayate.policy.windows import BUCKETS, Window
from hayate.settings import RateLimits
from hayate.wire.http1 import Headers
from hayate.wire.usage import Usage

MAX_COUNTED: Final = 10_000
"""Keys, and keys with models, whose counters are kept; those that count nothing are dropped first."""
UNLIMITED: Final = RateLimits()
LIMITS: Final = ("requests", "tokens", "input tokens", "output tokens", "concurrency")
"""The kinds of limits."""
NO_MODELS: Final[Mapping[str, RateLimits]] = MappingProxyType({})


class Asked(NamedTuple):
    """What a call wants: the size of its request, and the most that its answer may have."""

    model: str
    deployment: str
    size: int
    """Bytes."""
    max_output: int | None
    """Tokens, of all answers that it asks for; None where nothing is said."""
    context_tokens: int | None


class Past(NamedTuple):
    """A call of the last minute: when it began, on this process's clock, and its tokens."""

    began: float
    inputs: int
    outputs: int


class Counters:
    """What one key, or one key with one model, has used of its limits."""

    __slots__ = ("in_flight", "inputs", "limits", "outputs", "requests", "tokens")

    def __init__(self, limits: RateLimits) -> None:
        self.limits = limits
        self.requests = _window(limits.requests_per_minute)
        self.tokens = _window(limits.tokens_per_minute)
        self.inputs = _window(limits.input_tokens_per_minute)
        self.outputs = _window(limits.output_tokens_per_minute)
        self.in_flight = 0

    def change(self, limits: RateLimits) -> None:
        """Other limits, for what was counted so far too."""
        self.limits = limits
        self.requests = _changed(self.requests, limits.requests_per_minute)
        self.tokens = _changed(self.tokens, limits.tokens_per_minute)
        self.inputs = _changed(self.inputs, limits.input_tokens_per_minute)
        self.outputs = _changed(self.outputs, limits.output_tokens_per_minute)

    def of(self, kind: bytes) -> list[Window]:
        """The windows for requests, or for tokens."""
        all_of = (self.requests,) if kind == b"requests" else (self.tokens, self.inputs, self.outputs)
        return [each for each in all_of if each is not None]

    def restore(self, past: Past, now: float) -> None:
        """Counts a call of a process before this one."""
        for window, units in (
            (self.requests, 1),
            (self.tokens, past.inputs + past.outputs),
            (self.inputs, past.inputs),
            (self.outputs, past.outputs),
        ):
            if window is not None and past.began > now - BUCKETS + 1:
                window.settle(int(past.began), units, now)

    def is_idle(self, now: float) -> bool:
        """Whether it may be forgotten."""
        windows = (self.requests, self.tokens, self.inputs, self.outputs)
        return not self.in_flight and all(each is None or not each.reset_s(now) for each in windows)


@dataclass(slots=True)
class _Booking:
    window: Window
    second: int
    units: int


class Grant:
    """One call's leave, from `Grants.enter` to `end`."""

    __slots__ = (
        "_asked",
        "_counters",
        "_entered",
        "_grants",
        "_inputs",
        "_model",
        "_model_limits",
        "_outputs",
        "_requests",
        "_tokens",
        "principal",
    )

    def __init__(
        self,
        grants: Grants,
        principal: Principal,
        counters: Counters | None,
        model_limits: Mapping[str, RateLimits],
    ) -> None:
        self.principal = principal
        self._grants = grants
        self._counters = counters
        self._model_limits = model_limits
        self._model: Counters | None = None
        self._entered = False
        self._asked: Asked | None = None
        self._requests: list[_Booking] = []
        self._tokens: list[_Booking] = []
        self._inputs: list[_Booking] = []
        self._outputs: list[_Booking] = []

    @property
    def counts(self) -> bool:
        """Whether the key has limits: most have none."""
        return self._counters is not None

    @property
    def counts_tokens(self) -> bool:
        """Whether `reserve` has anything to do."""
        return self._counters is not None or bool(self.principal.terms.model_limits or self._model_limits)

    def reserve(self, asked: Asked) -> None:
        """Books what the call will use. Raises RateLimited, or InvalidRequest for what can never fit; the call's request is
        then as if never made.
        """
        grants, terms, now = self._grants, self.principal.terms, self._grants.now()
        self._asked = asked
        limits = over(terms.model_limits.get(asked.model, UNLIMITED), self._model_limits.get(asked.model, UNLIMITED))
        if limits != UNLIMITED:
            self._model = grants.counters((self.principal.id, asked.model), limits)
        counted = [each for each in (self._counters, self._model) if each is not None]
        strict = any(each.limits.strict and each.of(b"tokens") for each in counted)
        inputs, outputs = grants.expected(self.principal.id, asked, strict=strict)
        wanted = [
            *((each.tokens, inputs + outputs, "tokens", self._tokens) for each in counted),
            *((each.inputs, inputs, "input tokens", self._inputs) for each in counted),
            *((each.outputs, outputs, "output tokens", self._outputs) for each in counted),
        ]
        if self._model is not None:
            wanted.append((self._model.requests, 1, "requests", self._requests))
        try:
            _check(wanted, now, grants.refused)
            if self._model is not None:
                _check_concurrency(self._model, grants.refused)
        except (RateLimited, InvalidRequest):
            self._model = None
            _settle(self._requests, 0, now)
            self._requests = []
            raise
        for window, units, _, booked in wanted:
            if window is not None:
                booked.append(_Booking(window, window.book(now, units), units))
        if self._model is not None:
            self._model.in_flight += 1

    def end(self, usage: Usage, deployment: str, *, whole: bool) -> None:
        """The call is over, however it ended: `usage` is what it used, nothing where no engine took it; `whole`: its answer
        came to its end. Called once.
        """
        asked, grants = self._asked, self._grants
        if asked is not None and usage.exact:
            grants.estimates.learn_prompt(deployment, asked.size, usage.prompt_tokens)
            if whole:
                grants.estimates.learn_answer(self.principal.id, asked.model, usage.completion_tokens)
        now = grants.now()
        if self._entered and self._counters is not None:
            self._counters.in_flight -= 1
        if self._model is not None:
            self._model.in_flight -= 1
        _settle(self._tokens, usage.prompt_tokens + usage.completion_tokens, now)
        _settle(self._inputs, usage.prompt_tokens, now)
        _settle(self._outputs, usage.completion_tokens, now)

    def headers(self) -> Headers:
        """OpenAI's `x-ratelimit-*`, of the limit that is nearest."""
        now = self._grants.now()
        headers: Headers = []
        for kind, windows in (
            (b"requests", [each.window for each in self._requests]),
            (b"tokens", [each.window for each in (*self._tokens, *self._inputs, *self._outputs)]),
        ):
            # What was refused has booked nothing; it is told of the key's own limits.
            near = windows or ([] if self._counters is None else self._counters.of(kind))
            if near:
                nearest = min(near, key=lambda each: each.left(now) / each.limit)
                headers += (
                    (b"x-ratelimit-limit-" + kind, b"%d" % nearest.limit),
                    (b"x-ratelimit-remaining-" + kind, b"%d" % nearest.left(now)),
                    (b"x-ratelimit-reset-" + kind, duration(nearest.reset_s(now))),
                )
        return headers

    def enter(self, now: float) -> None:
        """Books the call itself. Raises RateLimited."""
        counters = self._counters
        if counters is None:
            return
        refused = self._grants.refused
        _check_concurrency(counters, refused)
        _check([(counters.requests, 1, "requests", self._requests)], now, refused)
        if counters.requests is not None:
            self._requests.append(_Booking(counters.requests, counters.requests.book(now, 1), 1))
        counters.in_flight += 1
        self._entered = True


class Grants:
    """What keys may still do. One per gateway."""

    def __init__(self, now: Callable[[], float], estimates: Estimates | None = None) -> None:
        self.now = now
        self.estimates = estimates or Estimates()
        self.refused = dict.fromkeys(LIMITS, 0)
        """How often each kind of limit was hit."""
        self._counted: OrderedDict[tuple[str, str], Counters] = OrderedDict()
        self._past: dict[tuple[str, str], list[Past]] = {}

    def remember(self, key: str, model: str, past: Past) -> None:
        """A call of the last minute, before this process began: it counts for whoever has limits."""
        for whose in ((key, ""), (key, model)):
            self._past.setdefault(whose, []).append(past)

    def grant(
        self, principal: Principal, default: RateLimits, model_defaults: Mapping[str, RateLimits] = NO_MODELS
    ) -> Grant:
        """A call's leave, not yet entered. `default`, `model_defaults`: what the configuration says for keys that say nothing."""
        limits = over(principal.terms.limits, default)
        counters = None if limits == UNLIMITED else self.counters((principal.id, ""), limits)
        return Grant(self, principal, counters, model_defaults)

    def counters(self, whose: tuple[str, str], limits: RateLimits) -> Counters:
        """Of a key, or of a key with a model; with these limits from now on."""
        found = self._counted.get(whose)
        if found is None:
            found = self._counted[whose] = Counters(limits)
            for past in self._past.pop(whose, ()):
                found.restore(past, self.now())
            if len(self._counted) > MAX_COUNTED:
                self._drop_idle()
        elif found.limits is not limits and found.limits != limits:
            found.change(limits)
        return found

    def expected(self, key: str, asked: Asked, *, strict: bool) -> tuple[int, int]:
        """Tokens that a call will use, of its prompt and of its answer: what is likely, or the most where `strict`. Raises
        InvalidRequest where there is no telling.
        """
        context = asked.context_tokens
        if not strict:
            inputs = self.estimates.prompt_tokens(asked.deployment, asked.size)
            likely = math.ceil(2 * self.estimates.answer_tokens(key, asked.model))
            outputs = likely if asked.max_output is None else min(likely, asked.max_output)
        else:
            inputs = asked.size  # a token is a byte at least
            most = context if asked.max_output is None else asked.max_output
            if most is None:
                raise InvalidRequest(
                    "This key counts strictly: give 'max_tokens', the most that the answer may have.",
                    "このキーのトークン数は厳密に管理されています。回答の上限を 'max_tokens' で指定してください。",
                    param="max_tokens",
                )
            outputs = most
        return (inputs if context is None else min(inputs, context)), outputs

    def _drop_idle(self) -> None:
        """Looks through the older half, once for each so many that came."""
        now = self.now()
        for whose in list(self._counted)[: MAX_COUNTED // 2]:
            if self._counted[whose].is_idle(now):
                del self._counted[whose]


Wanted = tuple[Window | None, int, str, list[_Booking]]
_JA: Final = {
    "requests": "リクエスト",
    "tokens": "トークン",
    "input tokens": "入力トークン",
    "output tokens": "出力トークン",
}


def duration(seconds: float) -> bytes:
    """As OpenAI writes one: `17ms`, `1s`, `6m0s`."""
    if seconds < 1:
        return b"%dms" % math.ceil(seconds * 1000)
    minutes, rest = divmod(math.ceil(seconds), 60)
    return b"%dm%ds" % (minutes, rest) if minutes else b"%ds" % rest


def _check(wanted: list[Wanted], now: float, refused: dict[str, int]) -> None:
    waits: list[tuple[float, Window, str]] = []
    for window, units, kind, _ in wanted:
        if window is None or window.fits(now, units):
            continue
        if units > window.limit:
            raise InvalidRequest(
                f"This call may use {units} {kind}, but this key has {window.limit} {kind} a minute in all. "
                "Ask for less, or have the limit raised.",
                f"この呼び出しでは最大{units}{_JA[kind]}が必要ですが、このキーの上限は1分間に{window.limit}{_JA[kind]}です。"
                "要求を小さくするか、上限の引き上げを管理者に依頼してください。",
            )
        waits.append((window.wait_s(now, units), window, kind))
    if waits:
        wait_s, window, kind = max(waits, key=lambda each: each[0])
        refused[kind] += 1
        raise RateLimited(
            f"This key has {window.limit} {kind} a minute, and they are used up. Try again in {wait_s:.1f} s.",
            f"このキーの上限（1分間に{window.limit}{_JA[kind]}）に達しました。{wait_s:.1f}秒後にもう一度お試しください。",
            retry_after_s=wait_s,
        )


def _check_concurrency(counters: Counters, refused: dict[str, int]) -> None:
    limit = counters.limits.concurrency
    if limit is not None and counters.in_flight >= limit:
        refused["concurrency"] += 1
        raise RateLimited(
            f"This key may make {limit} calls at the same time, and they are under way. Try again when one has ended.",
            f"このキーで同時に実行できるのは{limit}件までです。実行中の呼び出しが終わってからもう一度お試しください。",
            retry_after_s=1,
        )


def _settle(bookings: list[_Booking], used: int, now: float) -> None:
    for each in bookings:
        if used != each.units:
            each.window.settle(each.second, used - each.units, now)


def _window(limit: int | None) -> Window | None:
    return None if limit is None else Window(limit)


def _changed(window: Window | None, limit: int | None) -> Window | None:
    if window is None or limit is None:
        return _window(limit)
    window.limit = limit
    return window
