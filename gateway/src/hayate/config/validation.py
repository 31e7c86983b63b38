"""From plain values to the models, and what is wrong with every one of them: what can't be used is told and taken away, and
the rest is looked at again, so that no mistake hides another.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Any

from pydantic import ValidationError

from hayate.config.aliases import alias_mistakes
from hayate.config.mistakes import Findings, Mistake, Told, Where
from hayate.config.models import Config
from hayate.config.places import place_of
from hayate.config.unknown_keys import not_an_option
from hayate.config.wanted import is_empty, is_needed, must_be
from hayate.config.yaml_file import MAX_NUMBER, TOO_LARGE

Shown = Callable[[Where, Any], str | None]
"""How a message shows a value, if at all."""
_UNKNOWN = ("extra_forbidden", "unexpected_keyword_argument")
_DECISIVE = ("backend", "model", "run", "replicas")
"""What a deployment is nothing without: with one of them wrong, its options can't be judged."""
_MAX_ROUNDS = 20


def validated(values: dict[str, Any], found: Findings, shown: Shown, *, whole: bool = True) -> Config | None:
    """What of `values` can be used, if there is something to serve; `found` gets every mistake. Of values that are not
    whole, nothing is known to be missing.
    """
    usable: Any = _copied(values)
    for mistake in _misread_numbers(values, shown):
        found.add(mistake)
        usable = _without(usable, mistake.where)
    usable = _with_sound_aliases(usable, found, whole)
    for _ in range(_MAX_ROUNDS):
        try:
            return Config.model_validate(usable)
        except ValidationError as error:
            told = sorted(_mistakes(error, shown), key=lambda each: each[1])
        for mistake, missing in told:
            if not (missing and (not whole or found.within(mistake.where))):
                found.add(mistake)
            usable = _without(usable, mistake.where)
        usable.pop("aliases", None)  # they may name what has just been taken away
        if not usable.get("deployments"):
            return None
    return None


def _with_sound_aliases(values: dict[str, Any], found: Findings, whole: bool) -> dict[str, Any]:
    """The values with those aliases alone whose shape the models have to judge, if there is anything wrong with one."""
    aliases, deployments = values.get("aliases"), values.get("deployments")
    if not isinstance(aliases, dict) or not isinstance(deployments, dict) or not deployments:
        return values
    wrong = list(alias_mistakes(aliases, deployments))
    for each in wrong:
        if whole:
            found.add(each)
    if not wrong:
        return values
    return {**values, "aliases": {name: each for name, each in aliases.items() if not _is_names(each)}}


def _is_names(targets: Any) -> bool:
    return isinstance(targets, str) or (isinstance(targets, list) and all(isinstance(each, str) for each in targets))


def _mistakes(error: ValidationError, shown: Shown) -> Iterator[tuple[Mistake, bool]]:
    """Each in our words, and whether it says that something isn't there."""
    for each in error.errors(include_url=False):
        given, kind = tuple(each["loc"]), each["type"]
        where, place = place_of(Config, given)
        said = each.get("ctx", {}).get("error")
        if isinstance(said, Told):
            yield Mistake(where, said.text), False
        elif kind in _UNKNOWN:
            where = (*where, given[len(where)])
            yield Mistake(where, not_an_option(Config, where)), False
        elif kind in ("missing", "too_short"):
            yield Mistake(where, is_needed(where, place)), True
        elif each["input"] is None:
            yield Mistake(where, is_empty(where, place)), True
        else:
            yield Mistake(where, must_be(where, place, shown(where, each["input"]))), False


def _misread_numbers(values: Any, shown: Shown, where: Where = ()) -> Iterator[Mistake]:
    """Numbers that pydantic would take and nobody means: true for 1, and more than can be reckoned with."""
    if isinstance(values, dict):
        for key, each in values.items():
            yield from _misread_numbers(each, shown, (*where, key))
        return
    if not isinstance(values, bool | str):
        return
    known, place = place_of(Config, where)
    if known != where or not place.is_number:
        return
    if isinstance(values, bool):
        yield Mistake(where, must_be(where, place, shown(where, values)))
    elif _magnitude(values) > MAX_NUMBER:
        yield Mistake(where, TOO_LARGE)


def _magnitude(text: str) -> float:
    try:
        number = abs(float(text))
    except ValueError:
        return 0
    return 0 if math.isnan(number) else number


def _copied(values: Any) -> Any:
    if isinstance(values, dict):
        return {key: _copied(each) for key, each in values.items()}
    return [_copied(each) for each in values] if isinstance(values, list) else values


def _without(values: Any, where: Where) -> Any:
    """The values without this place, a list as a whole; without the deployment or the GPU, where it is nothing without it."""
    if where[:1] == ("deployments",) and (len(where) == 2 or (len(where) > 2 and where[2] in _DECISIVE)):
        where = where[:2]
    if where[:1] == ("gpus",):
        where = where[:2]
    where = where[: next((n for n, step in enumerate(where) if isinstance(step, int)), len(where))]
    if not where:
        return {}
    inner = values
    for step in where[:-1]:
        inner = inner.get(step) if isinstance(inner, dict) else None
    if isinstance(inner, dict):
        inner.pop(where[-1], None)
    return values
