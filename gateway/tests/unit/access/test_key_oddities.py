"""What is legal of a key and probably not meant is told in a line each, in both languages."""

from __future__ import annotations

import pytest

from hayate.access.key_oddities import oddities_of
from hayate.access.terms import FREE, Defaults, Terms
from hayate.settings import RateLimits

THERE = {"fast", "smart", "default"}


def told(terms: Terms) -> list[str]:
    found = oddities_of(terms, THERE.__contains__)
    assert all(each.en != each.ja for each in found)
    return [each.en for each in found]


@pytest.mark.parametrize(
    "terms",
    [
        FREE,
        Terms(models=("fast", "smart")),
        Terms(models=("fast",), defaults=Defaults(model="fast", max_tokens=10), max_output_tokens=10),
        Terms(model_limits={"smart": RateLimits(concurrency=1)}),
    ],
)
def test_what_fits_together_is_not_odd(terms: Terms) -> None:
    assert told(terms) == []


@pytest.mark.parametrize(
    "terms",
    [
        Terms(models=("fast", "ghost")),
        Terms(model_limits={"ghost": RateLimits(concurrency=1)}),
        Terms(defaults=Defaults(model="ghost")),
        Terms(models=("ghost",), defaults=Defaults(model="ghost")),
    ],
)
def test_a_model_that_nobody_has_is_named_once(terms: Terms) -> None:
    (only,) = told(terms)
    assert only == "No alias, deployment or model is named 'ghost' at the moment."


def test_a_model_that_the_key_may_not_call_is_named() -> None:
    (only,) = told(Terms(models=("fast",), defaults=Defaults(model="smart")))
    assert "may not call 'smart'" in only
    (only,) = told(Terms(models=("fast",), model_limits={"smart": RateLimits(concurrency=1)}))
    assert "may not call 'smart'" in only


def test_a_default_above_the_limit_is_told() -> None:
    (only,) = told(Terms(max_output_tokens=10, defaults=Defaults(max_tokens=11)))
    assert "at most 10 tokens" in only
