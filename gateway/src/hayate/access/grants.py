"""Leave for each call: the one object that everything asks how much a key may still do.

A call asks twice. Before its body is read, for itself (`Grants.grant`, `Grant.enter`): requests a minute, calls at once.
When it is known what it wants, for tokens (`Grant.reserve`): what it will probably use, or the most that it can where the
key is strict. What it really used is settled when it ends, however it ends; a call that is refused before any engine was
asked has used nothing. Windows (`policy.windows`) hold for any 60 s.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, NoReturn

from hayate.access.counters import NO_MODELS, OUTPUTS, REQUESTS, TOKENS, Counted, Counters, KeyCounters, Past, Table
from hayate.access.limit_headers import fresh_headers, nearest_headers
from hayate.access.principals import Principal
from hayate.errors import InvalidRequest, RateLimited
from hayate.policy.estimates import Estimates
from hayate.policy.windows import Window
from hayate.settings import RateLimits
from hayate.wire.http1 import Headers
from hayate.wire.paths import CHAT
from hayate.wire.usage import Usage

_KINDS: Final = (
    ("requests", "リクエスト"),
    ("tokens", "トークン"),
    ("input tokens", "入力トークン"),
    ("output tokens", "出力トークン"),
)
LIMITS: Final = (*(english for english, _ in _KINDS), "concurrency")
"""The kinds of limits."""


@dataclass(slots=True)
class Asked:
    """What a call wants: the size of its request, and the most that its answer may have."""

    model: str
    deployment: str
    size: int
    """Bytes."""
    max_output: int | None
    """Tokens, of all answers that it asks for; None where nothing is said."""
    context_tokens: int | None
    added: int = 0
    """Tokens that its prompt may have beyond one for each byte: of the model's template, and of pictures."""
    path: str = CHAT


class Grant:
    """One call's leave, from `Grants.grant` to `end`."""

    __slots__ = (
        "_booked",
        "_grants",
        "_held",
        "_key",
        "_model",
        "_strict",
        "counts",
        "principal",
        "reserves",
        "strict",
    )

    def __init__(self, grants: Grants, principal: Principal, key: KeyCounters | None) -> None:
        self.principal = principal
        self._key = key
        self.counts = key is not None
        """Whether there are limits to keep to: most keys have none."""
        self.reserves = key is not None and key.reserves
        """Whether `reserve` has anything to do: it may be that only requests are limited."""
        self.strict = key is not None and key.strict
        """Whether the call may have to reserve the most that it can use."""
        if key is not None:
            self._grants = grants
            self._model: Counters | None = None
            self._strict = False
            """Whether it has reserved the most that it can use."""
            self._booked: list[tuple[Window, int, int, int]] = []
            """Window, second, units and their kind."""
            self._held: tuple[Counters, ...] = ()
            """Where it counts as under way."""

    def enter(self, now: float) -> None:
        """Books the call itself. Raises RateLimited."""
        if self._key is None:
            return
        whole = self._key.whole
        if whole.concurrency is not None and whole.in_flight >= whole.concurrency:
            self._refuse_another(whole.concurrency)
        window = whole.each_call
        if window is not None:
            second = window.take(now, 1)
            if second < 0:
                _refuse(whole.requests, _ONE, now, self._grants.refused)
            self._booked.append((window, second, 1, REQUESTS))
        whole.in_flight += 1
        self._held = (whole,)

    def reserve(self, asked: Asked) -> None:
        """Books what the call will use. Raises RateLimited, or InvalidRequest for what can never fit; the call's request is
        then as if never made.
        """
        key = self._key
        if key is None:
            return
        grants, model = self._grants, None
        counted, strict = key.whole.tokens, key.whole.strict
        if key.by_model:
            model = self._model = grants.table.of_model(self.principal.id, key, asked.model)
            if model is not None:
                counted = (*counted, *model.tokens, *model.requests)
                strict = strict or model.strict
        try:
            inputs = outputs = 0
            if counted:
                inputs, outputs = grants.expected(self.principal.id, asked, strict=strict)
                if not strict and outputs != asked.max_output:
                    outputs = _at_most(outputs, inputs, counted)
            if model is not None and model.concurrency is not None and model.in_flight >= model.concurrency:
                self._refuse_another(model.concurrency)
            units, now = (1, inputs + outputs, inputs, outputs), grants.now()
            for window, kind in counted:  # all of them, or nothing of the call
                second = window.take(now, units[kind])
                if second < 0:
                    self._settle(_NOTHING)
                    _refuse(counted, units, now, grants.refused)
                self._booked.append((window, second, units[kind], kind))
        except (RateLimited, InvalidRequest):
            self._settle(_NOTHING)
            raise
        if model is not None:
            model.in_flight += 1
            self._held = *self._held, model
        self._strict = strict

    def end(self, usage: Usage, *, taken: bool, unseen: bool = False) -> None:
        """The call is over, however it ended: `usage` is what it used; `taken`: it was
        not refused before any engine was asked; `unseen`: its client left an engine that had shown nothing of its work.
        Called once.

        Where nobody knows what was used, what was booked stays: else whoever leaves in time could have any number of prompts
        read, and of answers made. So it does for a strict key wherever the engine has not counted.
        """
        if self._key is None:
            return
        for counters in self._held:
            counters.in_flight -= 1
        if unseen or (self._strict and not usage.exact and usage.begun):
            return
        inputs, outputs = usage.prompt_tokens, usage.completion_tokens
        self._settle((1, inputs + outputs, inputs, outputs) if taken else _NOTHING)

    def headers(self) -> Headers:
        """OpenAI's `x-ratelimit-*`, of the limit that is nearest."""
        if self._key is None:
            return []
        whole, model, booked = self._key.whole, self._model, self._booked
        if booked and model is None and whole.one_of_a_kind:
            return fresh_headers(whole)
        requests, tokens = whole.requests, whole.tokens
        if model is not None:
            requests, tokens = requests + model.requests, tokens + model.tokens
        return nearest_headers(requests, tokens, self._grants.now, fresh=bool(booked))

    def _refuse_another(self, limit: int) -> NoReturn:
        self._grants.refused["concurrency"] += 1
        raise RateLimited(
            f"This key may make {limit} calls at the same time, and they are under way. Try again when one has ended.",
            f"このキーで同時に実行できるのは{limit}件までです。実行中の呼び出しが終わってからもう一度お試しください。",
            retry_after_s=1,
        )

    def _settle(self, used: Sequence[int]) -> None:
        booked, self._booked = self._booked, []
        for window, second, units, kind in booked:
            more = used[kind] - units
            if more:
                window.settle(second, more, self._grants.now())


class Grants:
    """What keys may still do. One per gateway."""

    def __init__(self, now: Callable[[], float], estimates: Estimates | None = None) -> None:
        self.now = now
        self.estimates = estimates or Estimates()
        self.table = Table(now)
        self.refused = dict.fromkeys(LIMITS, 0)
        """How often each kind of limit was hit."""

    def remember(self, key: str, past: Past) -> None:
        """What a key used before this process began counts, if it has limits, until `forget_past`."""
        self.table.remember(key, past)

    def forget_past(self) -> None:
        """To be called when a minute has gone."""
        self.table.forget_past()

    def grant(
        self, principal: Principal, default: RateLimits, model_defaults: Mapping[str, RateLimits] = NO_MODELS
    ) -> Grant:
        """A call's leave, not yet entered. `default`, `model_defaults`: what the configuration says for keys that say nothing."""
        return Grant(self, principal, self.table.of(principal, default, model_defaults))

    def expected(self, key: str, asked: Asked, *, strict: bool) -> tuple[int, int]:
        """Tokens that a call will use, of its prompt and of its answer: what is likely, or the most where `strict`. Raises
        InvalidRequest where there is no telling.
        """
        context = asked.context_tokens
        if not strict:
            inputs = self.estimates.prompt_tokens(asked.deployment, asked.path, asked.size)
            likely, most = 2 * self.estimates.answer_tokens(key, asked.model), asked.max_output
            outputs = most if most is not None and most < likely else math.ceil(likely)
        else:
            inputs = asked.size + asked.added  # a token of text is a byte at least
            most = context if asked.max_output is None else asked.max_output
            if most is None:
                raise InvalidRequest(
                    "This key counts strictly: give 'max_tokens', the most that the answer may have.",
                    "このキーのトークン数は厳密に管理されています。回答の上限を 'max_tokens' で指定してください。",
                    param="max_tokens",
                )
            outputs = most
        return inputs if context is None or inputs < context else context, outputs


_ONE: Final = (1, 0, 0, 0)
_NOTHING: Final = (0, 0, 0, 0)


def _at_most(outputs: int, inputs: int, counted: Sequence[Counted]) -> int:
    """A guess at an answer, cut to what the limits can let through at all: a guess is no reason to refuse a call for ever."""
    for window, kind in counted:
        if kind == TOKENS:
            outputs = min(outputs, window.limit - inputs)
        elif kind == OUTPUTS:
            outputs = min(outputs, window.limit)
    return max(0, outputs)


def _refuse(counted: Sequence[Counted], units: Sequence[int], now: float, refused: dict[str, int]) -> NoReturn:
    waits: list[tuple[float, Window, int]] = []
    for window, kind in counted:
        english, japanese = _KINDS[kind]
        if units[kind] > window.limit:
            raise InvalidRequest(
                f"This call may use {units[kind]} {english}, but this key has {window.limit} {english} a minute in all. "
                "Ask for less, or have the limit raised.",
                f"この呼び出しでは最大{units[kind]}{japanese}が必要ですが、このキーの上限は1分間に{window.limit}{japanese}です。"
                "要求を小さくするか、上限の引き上げを管理者に依頼してください。",
            )
        waits.append((window.wait_s(now, units[kind]), window, kind))
    wait_s, window, kind = max(waits, key=lambda each: each[0])
    english, japanese = _KINDS[kind]
    refused[english] += 1
    raise RateLimited(
        f"This key has {window.limit} {english} a minute, and they are used up. Try again in {wait_s:.1f} s.",
        f"このキーの上限（1分間に{window.limit}{japanese}）に達しました。{wait_s:.1f}秒後にもう一度お試しください。",
        retry_after_s=wait_s,
    )
