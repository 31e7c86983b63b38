"""What is typed for a key, understood: lists, limits, moments. Each mistake names its option and the form. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, replace
from typing import Any, Final, get_args

from hayate.access.terms import FREE, Area, Defaults, Terms
from hayate.language import BilingualError
from hayate.settings import RateLimits
from hayate.tools.keys.options import TermsOptions
from hayate.wire.durations import moment_of, seconds_of

LIMITS: Final[Mapping[str, str]] = {
    "rpm": "requests_per_minute",
    "tpm": "tokens_per_minute",
    "input_tpm": "input_tokens_per_minute",
    "output_tpm": "output_tokens_per_minute",
    "concurrency": "concurrency",
}
NONE: Final = "none"
UNLIMITED: Final = RateLimits()
MOST: Final = 10**12
MAX_DIGITS: Final = 15
SHOWN: Final = 40
"""Characters of what was typed that are told back."""
NO_CHANGE: Final = ("key", "json", "config")
"""Options that change nothing of a key."""


class Mistyped(BilingualError):
    """An option's value is not of its form."""


def terms_of(options: TermsOptions, before: Terms = FREE) -> Terms:
    """`before`, with what was typed in place of what it said. Raises Mistyped."""
    terms = before
    if options.models is not None:
        terms = replace(terms, models=_names("--models", options.models))
    if options.areas is not None:
        terms = replace(terms, areas=_areas(options.areas))
    said: dict[str, Any] = {}
    for name, limit in LIMITS.items():
        text = getattr(options, name)
        if text is not None:
            said[limit] = number("--" + name.replace("_", "-"), text)
    if options.strict is not None:
        said["strict"] = options.strict or None
    if said:
        terms = replace(terms, limits=replace(terms.limits, **said))
    if options.model_limit:
        limits = {**terms.model_limits, **dict(map(_model_limit, options.model_limit))}
        terms = replace(terms, model_limits={model: each for model, each in limits.items() if each != UNLIMITED})
    if options.weight is not None:
        terms = replace(terms, weight=options.weight)
    if options.max_output is not None:
        terms = replace(terms, max_output_tokens=number("--max-output", options.max_output))
    return replace(terms, defaults=_defaults(options, terms.defaults))


def check_some(options: TermsOptions) -> None:
    """Raises Mistyped where nothing is to change."""
    told = (getattr(options, each.name) for each in fields(options) if each.name not in NO_CHANGE)
    if all(each is None or each == [] for each in told):
        raise Mistyped(
            "Nothing is to change. `hayate key update -h` shows what can.",
            "変更する項目が指定されていません。指定できる項目は `hayate key update -h` で表示します。",
        )


def expiry(text: str, now: float) -> float | None:
    """A moment ahead, in seconds since 1970; None for `never`. Raises Mistyped."""
    if text.strip().lower() == "never":
        return None
    found = moment_of(text, now)
    if found is None or found <= now:
        raise Mistyped(
            f"--expires: {text!r} is no time ahead. Write how long (90d, 12h), a date (2027-01-31), or never.",
            f"--expires: {text!r} は将来の日時ではありません。期間（90d）、日付（2027-01-31）、またはneverで指定してください。",
        )
    return found


def grace(text: str) -> int:
    """A length of time in seconds. Raises Mistyped."""
    found = seconds_of(text)
    if found is None:
        raise Mistyped(
            f"--grace: {text!r} is no length of time. Write it as 24h, 30m or 0s.",
            f"--grace: {text!r} は時間の長さではありません。24h、30m、0sのように指定してください。",
        )
    return found


def number(option: str, text: str) -> int | None:
    """A whole number of at least 1; None for `none`. Raises Mistyped."""
    plain = text.strip().lower().replace(",", "").replace("_", "")
    if plain == NONE:
        return None
    if not plain.isascii() or not plain.isdigit() or len(plain) > MAX_DIGITS or not 1 <= int(plain) <= MOST:
        raise Mistyped(
            f"{option}: {text[:SHOWN]!r} will not do. Write a whole number of at least 1 (and at most {MOST:,}), or none.",
            f"{option}: {text[:SHOWN]!r} は指定できません。1以上{MOST:,}以下の整数、またはnoneを指定してください。",
        )
    return int(plain)


def _names(option: str, text: str) -> tuple[str, ...] | None:
    if text.strip().lower() == "all":
        return None
    names = tuple(dict.fromkeys(each.strip() for each in text.split(",") if each.strip()))
    if not names:
        raise Mistyped(
            f"{option}: no name is there. Write names with commas, or all.",
            f"{option}: 名前がありません。コンマ区切りの名前、またはallを指定してください。",
        )
    return names


def _areas(text: str) -> tuple[Area, ...]:
    known: tuple[Area, ...] = get_args(Area)
    wanted = [each.strip() for each in text.split(",") if each.strip()]
    if not wanted or not {*wanted} <= {*known}:
        names = ", ".join(known)
        raise Mistyped(
            f"--areas: {text!r} will not do. Write some of {names}, with commas.",
            f"--areas: {text!r} は指定できません。{names} から選び、コンマ区切りで指定してください。",
        )
    return tuple(each for each in known if each in wanted)


def _model_limit(text: str) -> tuple[str, RateLimits]:
    model, colon, rest = text.rpartition(":")
    if model.strip() and rest.strip().lower() == NONE:
        return model.strip(), UNLIMITED
    said: dict[str, Any] = {}
    for part in rest.split(","):
        name, equals, value = part.strip().partition("=")
        if not equals or name.replace("-", "_") not in LIMITS:
            colon = ""
            break
        said[LIMITS[name.replace("-", "_")]] = number(f"--model-limit {name}", value)
    if not model.strip() or not colon:
        raise Mistyped(
            f"--model-limit: {text!r} will not do. Write MODEL:rpm=10,tpm=1000 (or input-tpm, output-tpm, concurrency), "
            "or MODEL:none.",
            f"--model-limit: {text!r} は指定できません。モデル名:rpm=10,tpm=1000 のように"
            "（ほかにinput-tpm、output-tpm、concurrency）、またはモデル名:noneと指定してください。",
        )
    return model.strip(), RateLimits(**said)


def _defaults(options: TermsOptions, before: Defaults) -> Defaults:
    said: dict[str, Any] = {}
    if options.default_model is not None:
        said["model"] = options.default_model or None
    if options.system is not None:
        said["system"] = options.system or None
    if options.default_max_tokens is not None:
        said["max_tokens"] = number("--default-max-tokens", options.default_max_tokens)
    if options.store is not None:
        said["store"] = options.store
    if options.deadline_ms is not None:
        said["deadline_ms"] = number("--deadline-ms", options.deadline_ms)
    return replace(before, **said)
