"""What a key may do is one value: kept as it was said, open where nothing was said, and never more than was meant."""

from __future__ import annotations

import json
from dataclasses import fields

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hayate.access.terms import AREAS, FREE, MAX_WEIGHT, Defaults, Terms, over, terms_of, text_of
from hayate.settings import RateLimits
from tests.support.tables import table

names = st.text(min_size=1, max_size=10)
numbers = st.none() | st.integers(1, 10**12)
limits = st.builds(
    RateLimits,
    **{each.name: numbers for each in fields(RateLimits) if each.name != "strict"},
    strict=st.none() | st.booleans(),
)
all_terms = st.builds(
    Terms,
    models=st.none() | st.lists(names, max_size=3).map(tuple),
    areas=st.lists(st.sampled_from(AREAS), unique=True).map(tuple),
    limits=limits,
    model_limits=st.dictionaries(names, limits, max_size=2),
    weight=st.integers(1, MAX_WEIGHT),
    max_output_tokens=numbers,
    defaults=st.builds(Defaults, model=st.none() | names, system=st.none() | names, max_tokens=numbers),
)


@given(all_terms)
def test_what_is_kept_is_read_as_it_was_said(terms: Terms) -> None:
    assert terms_of(text_of(terms)) == terms


def test_nothing_that_was_not_said_is_kept() -> None:
    assert text_of(FREE) == "{}"
    assert terms_of("{}") == FREE
    terms = Terms(models=("fast",), limits=RateLimits(requests_per_minute=60))
    assert json.loads(text_of(terms)) == {"models": ["fast"], "limits": {"requests_per_minute": 60}}


def test_what_a_newer_release_knows_more_does_no_harm() -> None:
    kept = '{"models": ["fast"], "colour": "red", "limits": {"requests_per_minute": 5, "per_moon": 1}, "defaults": {"x": 1}}'
    assert terms_of(kept) == Terms(models=("fast",), limits=RateLimits(requests_per_minute=5))


@table(
    "kept",
    [
        "", "null", "[]", "{", '{"areas": ["telepathy"]}', '{"models": "fast"}', '{"models": [""]}', '{"weight": 0}',
        '{"weight": 101}', '{"limits": {"requests_per_minute": 0}}', '{"max_output_tokens": -1}', '{"limits": 7}',
    ],
)  # fmt: skip
def test_what_can_not_be_read_is_no_terms_and_not_taken_for_free_ones(kept: str) -> None:
    with pytest.raises(ValueError, match="validation error"):
        terms_of(kept)


def test_only_names_that_are_named_may_be_called_and_all_where_none_is() -> None:
    some = Terms(models=("fast", "Qwen/Qwen3-8B"))
    assert some.may_call("fast")
    assert some.may_call("Qwen/Qwen3-8B")
    for other in ("", "fas", "FAST", "fast ", "Qwen/Qwen3", "default"):
        assert not some.may_call(other)
        assert FREE.may_call(other)
    assert not Terms(models=()).may_call("fast")


@given(limits, limits)
def test_what_a_key_leaves_open_the_configuration_decides_each_limit_for_itself(
    mine: RateLimits, all_: RateLimits
) -> None:
    found = over(mine, all_)
    for each in fields(RateLimits):
        said = getattr(mine, each.name)
        assert getattr(found, each.name) == (getattr(all_, each.name) if said is None else said)


def test_a_key_that_says_nothing_has_the_very_same_limits_as_every_other() -> None:
    default = RateLimits(requests_per_minute=5)
    assert over(RateLimits(), default) is default
