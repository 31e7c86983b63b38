"""What the configuration says for keys that say nothing: of a key as a whole, and of a key with one model."""

from __future__ import annotations

import pytest

from hayate.access.counters import UNLIMITED
from hayate.access.grants import Asked, Grant, Grants
from hayate.access.principals import Principal
from hayate.access.terms import Terms
from hayate.errors import InvalidRequest, RateLimited
from hayate.settings import RateLimits
from hayate.wire.usage import Usage

OF_SMART = {"smart": RateLimits(requests_per_minute=2, concurrency=1)}


def who(key: str = "a1b2c3d4e5f6", **terms: object) -> Principal:
    return Principal(key, "games", terms=Terms(**terms))  # type: ignore[arg-type]


@pytest.fixture
def grants() -> Grants:
    return Grants(lambda: 1000.0)


def call(grants: Grants, model: str, principal: Principal, default: RateLimits = UNLIMITED) -> Grant:
    grant = grants.grant(principal, default, OF_SMART)
    grant.enter(grants.now())
    try:
        grant.reserve(Asked(model, "qwen", 300, None, None))
    except BaseException:
        grant.end(Usage(), taken=True)
        raise
    return grant


def end(grant: Grant) -> None:
    grant.end(Usage(3, 5, exact=True), taken=True)


def test_a_key_that_says_nothing_has_the_limits_of_the_model(grants: Grants) -> None:
    for _ in range(2):
        end(call(grants, "smart", who()))
    with pytest.raises(RateLimited, match="2 requests a minute"):
        call(grants, "smart", who())
    end(call(grants, "fast", who()))


def test_each_key_has_them_for_itself(grants: Grants) -> None:
    for key in ("a1b2c3d4e5f6", "b1b2c3d4e5f6"):
        for _ in range(2):
            end(call(grants, "smart", who(key)))


def test_what_a_key_says_of_the_model_goes_before_and_what_it_leaves_open_stays(grants: Grants) -> None:
    principal = who(model_limits={"smart": RateLimits(requests_per_minute=4)})
    for _ in range(2):
        end(call(grants, "smart", principal))
    third = call(grants, "smart", principal)
    with pytest.raises(RateLimited, match="1 calls at the same time"):
        call(grants, "smart", principal)
    end(third)
    end(call(grants, "smart", principal))
    with pytest.raises(RateLimited, match="4 requests a minute"):
        call(grants, "smart", principal)


def test_strict_asks_for_a_limit_only_where_tokens_are_limited(grants: Grants) -> None:
    end(call(grants, "fast", who(), RateLimits(strict=True, requests_per_minute=9)))
    with pytest.raises(InvalidRequest, match="max_tokens"):
        call(grants, "fast", who("b1b2c3d4e5f6"), RateLimits(strict=True, tokens_per_minute=9))
