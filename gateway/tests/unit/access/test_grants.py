"""What keys may still do: the bounds, for any arrivals, and what a refused or a broken call leaves behind."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hayate.access.grants import Asked, Grant, Grants, Past, duration
from hayate.access.principals import Principal
from hayate.access.terms import Terms
from hayate.errors import InvalidRequest, RateLimited
from hayate.settings import RateLimits
from hayate.wire.usage import Usage
from tests.unit.policy.test_windows import worst_minute

NO_DEFAULT = RateLimits()


class Clock:
    """Moved by hand."""

    def __init__(self) -> None:
        self.at = 1000.0

    def __call__(self) -> float:
        return self.at


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def grants(clock: Clock) -> Grants:
    return Grants(clock)


def who(limits: RateLimits | None = None, **terms: object) -> Principal:
    return Principal("a1b2c3d4e5f6", "games", terms=Terms(limits=limits or NO_DEFAULT, **terms))  # type: ignore[arg-type]


def asked(size: int = 300, max_output: int | None = 50, model: str = "fast", context: int | None = None) -> Asked:
    return Asked(model, "qwen", size, max_output, context)


def enter(grants: Grants, principal: Principal, default: RateLimits = NO_DEFAULT) -> Grant:
    grant = grants.grant(principal, default)
    grant.enter(grants.now())
    return grant


def end(grant: Grant, inputs: int = 0, outputs: int = 0, *, whole: bool = True) -> None:
    grant.end(Usage(inputs, outputs, exact=True), "qwen", whole=whole)


def headers(grant: Grant) -> dict[str, str]:
    return {name.decode().removeprefix("x-ratelimit-"): value.decode() for name, value in grant.headers()}


def test_a_key_without_limits_is_let_through_and_told_nothing(grants: Grants) -> None:
    grant = enter(grants, who())
    assert not grant.counts_tokens
    assert grant.headers() == []
    end(grant)


def test_the_configuration_limits_keys_that_say_nothing_and_only_those(grants: Grants) -> None:
    default = RateLimits(requests_per_minute=1)
    enter(grants, who(), default)
    with pytest.raises(RateLimited):
        enter(grants, who(), default)
    own = Principal("other", "bots", terms=Terms(limits=RateLimits(requests_per_minute=2)))
    for _ in range(2):
        enter(grants, own, default)


def test_requests_are_refused_beyond_the_limit_and_told_when_to_come_back(grants: Grants, clock: Clock) -> None:
    game = who(RateLimits(requests_per_minute=2))
    first = enter(grants, game)
    assert headers(first) == {"limit-requests": "2", "remaining-requests": "1", "reset-requests": "1m1s"}
    clock.at += 10
    enter(grants, game)
    refused = grants.grant(game, NO_DEFAULT)
    with pytest.raises(RateLimited) as error:
        refused.enter(clock.at)
    assert error.value.retry_after_s == pytest.approx(51)
    assert headers(refused)["remaining-requests"] == "0"
    clock.at += 51
    enter(grants, game)


def test_calls_at_once(grants: Grants) -> None:
    game = who(RateLimits(concurrency=2))
    first, second = enter(grants, game), enter(grants, game)
    third = grants.grant(game, NO_DEFAULT)
    with pytest.raises(RateLimited, match="at the same time"):
        third.enter(grants.now())
    end(third)
    end(first)
    enter(grants, game)
    end(second)


def test_tokens_are_reserved_and_settled_to_what_was_used(grants: Grants) -> None:
    game = who(RateLimits(tokens_per_minute=1000))
    grant = enter(grants, game)
    grant.reserve(asked(size=300, max_output=50))
    assert headers(grant)["remaining-tokens"] == str(1000 - 101 - 50)
    end(grant, 80, 20)
    after = enter(grants, game)
    after.reserve(asked(size=300, max_output=50))
    learned = (80 + 1) + 40  # 3.75 bytes a token, 20 tokens an answer
    assert headers(after)["remaining-tokens"] == str(1000 - 100 - learned)


def test_a_call_refused_for_its_tokens_has_used_no_request_either(grants: Grants) -> None:
    game = who(RateLimits(requests_per_minute=2, tokens_per_minute=200))
    first = enter(grants, game)
    first.reserve(asked())
    for _ in range(5):
        refused = enter(grants, game)
        with pytest.raises(RateLimited, match="tokens a minute"):
            refused.reserve(asked())
        end(refused)
    end(first, 10, 10)
    last = enter(grants, game)
    last.reserve(asked())


def test_a_call_that_broke_before_any_engine_took_it_has_used_no_tokens(grants: Grants) -> None:
    game = who(RateLimits(tokens_per_minute=160))
    for _ in range(5):
        grant = enter(grants, game)
        grant.reserve(asked())
        end(grant, whole=False)


def test_an_overshoot_is_carried_as_a_debt(grants: Grants, clock: Clock) -> None:
    game = who(RateLimits(tokens_per_minute=1000))
    grant = enter(grants, game)
    grant.reserve(asked())
    clock.at += 100
    end(grant, 100, 1500, whole=False)
    clock.at += 50
    refused = enter(grants, game)
    with pytest.raises(RateLimited):
        refused.reserve(asked())
    end(refused)
    clock.at += 11
    enter(grants, game).reserve(asked())


def test_what_can_never_fit_is_a_mistake_that_names_the_limit(grants: Grants) -> None:
    grant = enter(grants, who(RateLimits(input_tokens_per_minute=100)))
    with pytest.raises(InvalidRequest, match="100 input tokens a minute in all"):
        grant.reserve(asked(size=900))


def test_a_strict_key_reserves_the_most_and_must_say_how_much_that_is(grants: Grants) -> None:
    strict = who(RateLimits(tokens_per_minute=1000, strict=True))
    grant = enter(grants, strict)
    with pytest.raises(InvalidRequest, match="max_tokens"):
        grant.reserve(asked(max_output=None))
    end(grant)
    grant = enter(grants, strict)
    grant.reserve(asked(size=300, max_output=400))
    assert headers(grant)["remaining-tokens"] == "300"
    end(grant)
    grant = enter(grants, strict)
    grant.reserve(asked(size=5000, max_output=None, context=500))  # no more than the model's context
    assert headers(grant)["remaining-tokens"] == "0"


def test_a_key_with_a_model_has_limits_beside_those_of_the_key(grants: Grants) -> None:
    game = who(RateLimits(requests_per_minute=10), model_limits={"smart": RateLimits(requests_per_minute=1)})
    enter(grants, game).reserve(asked(model="smart"))
    refused = enter(grants, game)
    with pytest.raises(RateLimited):
        refused.reserve(asked(model="smart"))
    end(refused)
    for _ in range(9):
        enter(grants, game).reserve(asked(model="fast"))
    with pytest.raises(RateLimited):
        enter(grants, game)


def test_calls_at_once_of_a_model(grants: Grants) -> None:
    game = who(model_limits={"smart": RateLimits(concurrency=1)})
    first = enter(grants, game)
    first.reserve(asked(model="smart"))
    second = enter(grants, game)
    with pytest.raises(RateLimited):
        second.reserve(asked(model="smart"))
    end(second)
    end(first)
    enter(grants, game).reserve(asked(model="smart"))


def test_changed_limits_hold_for_what_was_counted_before(grants: Grants) -> None:
    for _ in range(5):
        enter(grants, who(RateLimits(requests_per_minute=10)))
    with pytest.raises(RateLimited):
        enter(grants, who(RateLimits(requests_per_minute=5)))
    enter(grants, who(RateLimits(requests_per_minute=6)))


def test_calls_before_a_restart_count(grants: Grants, clock: Clock) -> None:
    game = who(RateLimits(requests_per_minute=3, tokens_per_minute=1000))
    for age_s in (5, 30, 59, 70):
        grants.remember(game.id, "fast", Past(clock.at - age_s, 100, 50))
    grant = enter(grants, who(RateLimits(requests_per_minute=4, tokens_per_minute=1000)))
    grant.reserve(asked())
    assert headers(grant)["remaining-requests"] == "0"
    assert headers(grant)["remaining-tokens"] == str(1000 - 450 - 151)


@pytest.mark.parametrize(
    ("seconds", "said"), [(0, b"0ms"), (0.0169, b"17ms"), (1, b"1s"), (59.2, b"1m0s"), (359.5, b"6m0s")]
)
def test_durations_are_written_as_openai_does(seconds: float, said: bytes) -> None:
    assert duration(seconds) == said


calls = st.lists(
    st.tuples(st.floats(0, 8), st.integers(1, 900), st.integers(1, 200), st.floats(0, 100), st.booleans()),
    max_size=150,
)


@given(st.integers(200, 3000), st.booleans(), calls, st.integers(0, 2**32))
def test_no_minute_holds_more_than_the_limits_whatever_calls_do(
    limit: int, strict: bool, arrivals: list[tuple[float, int, int, float, bool]], seed: int
) -> None:
    """Strict: never more than the limit. Else at most what calls needed beyond their reserve on top."""
    clock, rng = Clock(), random.Random(seed)
    grants = Grants(clock)
    key = who(RateLimits(requests_per_minute=limit // 20, tokens_per_minute=limit, strict=strict or None))
    running: list[tuple[float, Grant, int, int, bool, int]] = []
    used: list[list[float]] = []
    sent, overshoot = [], 0
    for gap, size, most, lasts, whole in arrivals:
        clock.at += gap
        for each in sorted(running, key=lambda call: call[0]):
            ends, grant, inputs, outputs, came_whole, index = each
            if ends <= clock.at:
                end(grant, inputs, outputs, whole=came_whole)
                running.remove(each)
                used[index][1] = inputs + outputs
        grant = grants.grant(key, NO_DEFAULT)
        try:
            grant.enter(clock.at)
        except RateLimited:
            end(grant)
            continue
        wanted = asked(size=size, max_output=most)
        reserve = sum(grants.expected(key.id, wanted, strict=strict))
        try:
            grant.reserve(wanted)
        except (RateLimited, InvalidRequest):
            end(grant)
            continue
        sent.append((clock.at, 1))
        inputs, outputs = rng.randint(1, size), rng.randint(0, most)
        used.append([clock.at, inputs + outputs])
        overshoot += max(0, inputs + outputs - reserve)
        running.append((clock.at + lasts, grant, inputs, outputs, whole, len(used) - 1))
    assert worst_minute(sent) <= limit // 20
    worst = worst_minute([(at, int(units)) for at, units in used])
    assert worst <= limit if strict else worst <= limit + overshoot
