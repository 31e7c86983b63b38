"""What keys may still do: the bounds, for any arrivals, and what a refused or a broken call leaves behind."""

from __future__ import annotations

import random
from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hayate.access.counters import Past
from hayate.access.grants import Asked, Grant, Grants
from hayate.access.principals import Principal
from hayate.access.terms import Terms
from hayate.errors import InvalidRequest, RateLimited
from hayate.settings import RateLimits
from hayate.wire.paths import CHAT
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


def end(grant: Grant, inputs: int = 0, outputs: int = 0, *, taken: bool = True) -> None:
    grant.end(Usage(inputs, outputs, exact=True), taken=taken)


def headers(grant: Grant) -> dict[str, str]:
    return {name.decode().removeprefix("x-ratelimit-"): value.decode() for name, value in grant.headers()}


def test_a_key_without_limits_is_let_through_and_told_nothing(grants: Grants) -> None:
    grant = enter(grants, who())
    assert not grant.counts
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


def test_what_a_call_wants_matters_where_tokens_are_limited_or_models_have_limits(grants: Grants) -> None:
    once = RateLimits(requests_per_minute=1, concurrency=1)
    for limits, of_models, matters in (
        (NO_DEFAULT, {}, False),
        (once, {}, False),
        (RateLimits(output_tokens_per_minute=1), {}, True),
        (once, {"smart": once}, True),
    ):
        principal = Principal(str(limits) + str(of_models), "games", terms=Terms(limits=limits, model_limits=of_models))
        assert grants.grant(principal, NO_DEFAULT).reserves == matters


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
    grants.estimates.learn_prompt("qwen", CHAT, 300, 80)
    grants.estimates.learn_answer(game.id, "fast", 20)
    after = enter(grants, game)
    after.reserve(asked(size=300, max_output=50))
    learned = (80 + 1) + 40  # 3.75 bytes a token, 20 tokens an answer
    assert headers(after)["remaining-tokens"] == str(1000 - 100 - learned)


@pytest.mark.parametrize("unseen", [True, False])
def test_what_an_engine_did_unseen_for_a_client_that_left_stays_booked(grants: Grants, unseen: bool) -> None:
    game = who(RateLimits(tokens_per_minute=1000, input_tokens_per_minute=1000, output_tokens_per_minute=1000))
    grant = enter(grants, game)
    grant.reserve(asked(size=1500, max_output=50))
    grant.end(Usage(), taken=True, unseen=unseen)
    after = enter(grants, game)
    after.reserve(asked(size=3, max_output=1))
    assert headers(after)["remaining-tokens"] == str(1000 - (501 + 50 if unseen else 0) - 2 - 1)


@pytest.mark.parametrize("strict", [True, None])
@pytest.mark.parametrize(
    ("usage", "counted"), [(Usage(10, 5, exact=True), True), (Usage(10, 5), False), (Usage(), True)]
)
def test_a_strict_key_has_used_all_that_it_might_have_where_no_engine_has_counted(
    grants: Grants, strict: bool | None, usage: Usage, counted: bool
) -> None:
    """An answer that was cut off may be longer than what came of it."""
    game = who(RateLimits(tokens_per_minute=1000, strict=strict))
    grant = enter(grants, game)
    grant.reserve(asked(size=300, max_output=50))
    reserved = 1000 - int(headers(grant)["remaining-tokens"])
    grant.end(usage, taken=True)
    after = enter(grants, game)
    used = usage.prompt_tokens + usage.completion_tokens if counted or not strict else reserved
    assert headers(after)["remaining-tokens"] == str(1000 - used)


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


def test_a_call_that_is_refused_before_any_engine_was_asked_has_used_nothing(grants: Grants) -> None:
    game = who(
        RateLimits(requests_per_minute=1, tokens_per_minute=160),
        model_limits={"fast": RateLimits(requests_per_minute=1)},
    )
    for _ in range(5):
        grant = enter(grants, game)
        grant.reserve(asked())
        end(grant, taken=False)
    grant = enter(grants, game)
    grant.reserve(asked())
    end(grant, 10, 10)
    with pytest.raises(RateLimited):
        enter(grants, game)


def test_tokens_that_no_engine_counted_are_given_back(grants: Grants) -> None:
    game = who(RateLimits(tokens_per_minute=160))
    for _ in range(5):
        grant = enter(grants, game)
        grant.reserve(asked())
        end(grant)


def test_an_overshoot_is_carried_as_a_debt(grants: Grants, clock: Clock) -> None:
    game = who(RateLimits(tokens_per_minute=1000))
    grant = enter(grants, game)
    grant.reserve(asked())
    clock.at += 100
    end(grant, 100, 1500)
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


@pytest.mark.parametrize("limits", [RateLimits(output_tokens_per_minute=200), RateLimits(tokens_per_minute=300)])
@pytest.mark.parametrize("most", [None, 5000])
def test_a_guess_that_could_never_fit_is_no_reason_to_refuse(
    grants: Grants, limits: RateLimits, most: int | None
) -> None:
    grant = enter(grants, who(limits))
    grant.reserve(asked(max_output=most))  # nobody knows yet how long this key's answers are
    end(grant, 100, 20)
    grants.estimates.learn_answer(grant.principal.id, "fast", 20)
    for _ in range(3):
        grant = enter(grants, who(limits))
        grant.reserve(asked(max_output=most))  # now it is known
        end(grant, 10, 5)
    with pytest.raises(InvalidRequest):
        enter(grants, who(limits)).reserve(asked(max_output=400, model="smart"))  # so much it asks for itself


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


def test_the_configuration_limits_models_of_keys_that_say_nothing(grants: Grants) -> None:
    defaults = {"smart": RateLimits(requests_per_minute=1)}

    def call(key: Principal) -> None:
        grant = grants.grant(key, NO_DEFAULT, defaults)
        grant.enter(grants.now())
        grant.reserve(asked(model="smart"))

    call(who())
    with pytest.raises(RateLimited):
        call(who())
    own = who(model_limits={"smart": RateLimits(requests_per_minute=2)})
    call(own)
    with pytest.raises(RateLimited):
        call(own)


def test_what_was_hit_is_counted(grants: Grants) -> None:
    game = who(RateLimits(requests_per_minute=1, concurrency=1, output_tokens_per_minute=60))
    grant = enter(grants, game)
    grant.reserve(asked())
    with pytest.raises(RateLimited):
        enter(grants, game)
    end(grant, 1, 60)
    with pytest.raises(RateLimited):
        enter(grants, game)
    assert grants.refused == {"requests": 1, "tokens": 0, "input tokens": 0, "output tokens": 0, "concurrency": 1}


def test_a_strict_key_without_a_limit_on_tokens_need_not_say_how_many(grants: Grants) -> None:
    enter(grants, who(RateLimits(requests_per_minute=1, strict=True))).reserve(asked(max_output=None))


def test_changed_limits_hold_for_what_was_counted_before(grants: Grants) -> None:
    for _ in range(5):
        enter(grants, who(RateLimits(requests_per_minute=10)))
    with pytest.raises(RateLimited):
        enter(grants, who(RateLimits(requests_per_minute=5)))
    enter(grants, who(RateLimits(requests_per_minute=6)))


def test_calls_before_a_restart_count(grants: Grants, clock: Clock) -> None:
    game = who(RateLimits(requests_per_minute=3, tokens_per_minute=1000))
    for age_s, model in ((5, "fast"), (30, "smart"), (59, "fast"), (70, "fast")):
        grants.remember(game.id, Past(model, int(clock.at) - age_s, 1, 100, 50))
    game = who(
        RateLimits(requests_per_minute=4, tokens_per_minute=1000),
        model_limits={"smart": RateLimits(requests_per_minute=2), "fast": RateLimits(output_tokens_per_minute=99)},
    )
    grant = enter(grants, game)
    grant.reserve(asked(model="smart"))
    assert headers(grant)["remaining-requests"] == "0"
    assert headers(grant)["remaining-tokens"] == str(1000 - 450 - 151)
    clock.at += 10
    grant = enter(grants, game)
    with pytest.raises(RateLimited, match="99 output tokens"):
        grant.reserve(asked(model="fast"))


def test_what_was_before_a_restart_is_forgotten_after_a_minute(grants: Grants, clock: Clock) -> None:
    game = who(RateLimits(requests_per_minute=1))
    grants.remember(game.id, Past("fast", int(clock.at), 1, 0, 0))
    grants.forget_past()
    enter(grants, game)


@dataclass
class Made:
    """A call that was let through: when, what it was given and what it took, until when it runs, and how many were let through
    until it was over.
    """

    at: float
    reserve: int
    used: int
    ends: float
    grant: Grant
    over_after: int = 2**32

    def over(self) -> int:
        return max(0, self.used - self.reserve)


def law_of(made: list[Made], limit: int, *, strict: bool) -> None:
    """At each call, the most that any minute may hold that ends with it: the limit and, unless the key is strict, what the calls
    that were under way took beyond their reserve.
    """
    for n, last in enumerate(made):
        minute = [each for each in made[: n + 1] if last.at - 60 < each.at]
        spare = 0 if strict else sum(each.over() for each in minute if each.over_after > n)
        assert sum(each.used for each in minute) <= limit + spare


class Key:
    """One key at random: calls that run for a while, use less or more than they were given, break, and are refused."""

    def __init__(self, clock: Clock, limit: int, *, strict: bool, seed: int) -> None:
        self.clock, self.strict, self.dice = clock, strict, random.Random(seed)
        self.limit, self.requests = limit, max(1, limit // 20)
        self.grants = Grants(clock)
        self.principal = who(
            RateLimits(requests_per_minute=self.requests, tokens_per_minute=limit, strict=strict or None)
        )
        self.made: list[Made] = []
        self.running: list[Made] = []

    def pass_time(self, gap_s: float) -> None:
        until = self.clock.at + gap_s
        for each in sorted(self.running, key=lambda call: call.ends):
            if each.ends <= until:
                self.clock.at = max(self.clock.at, each.ends)
                self.finish(each)
        self.clock.at = until

    def finish(self, call: Made) -> None:
        self.running.remove(call)
        call.over_after = len(self.made)
        inputs = self.dice.randint(0, call.used)
        end(call.grant, inputs, call.used - inputs)

    def call(self, size: int, most: int, lasts_s: float) -> bool:
        """Whether it was let through. Some of them no engine is asked for."""
        grant = self.grants.grant(self.principal, NO_DEFAULT)
        wanted = asked(size=size, max_output=most if self.strict or self.dice.random() < 0.5 else None)
        inputs, outputs = self.grants.expected("a1b2c3d4e5f6", wanted, strict=self.strict)
        # A guess at an answer is cut to what the limit can let through at all.
        reserve = inputs + (outputs if outputs == wanted.max_output else min(outputs, max(0, self.limit - inputs)))
        try:
            grant.enter(self.clock.at)
            grant.reserve(wanted)
        except (RateLimited, InvalidRequest):
            end(grant, taken=False)
            return False
        if self.dice.random() < 0.1:
            end(grant, taken=False)
            return True
        # Strict: never beyond what was said. Else the engine makes what it likes.
        used = self.dice.randint(0, size) + self.dice.randint(0, most if self.strict else 3 * most)
        made = Made(self.clock.at, reserve, used, self.clock.at + lasts_s, grant)
        self.made.append(made)
        self.running.append(made)
        return True

    def restart(self) -> None:
        """All calls end, and another process goes on from what the record says of them."""
        for each in [*self.running]:
            self.finish(each)
        self.grants = Grants(self.clock)
        for each in self.made:
            self.grants.remember(self.principal.id, Past("fast", int(each.at), 1, each.used, 0))

    def check(self) -> None:
        assert worst_minute([(each.at, 1) for each in self.made]) <= self.requests
        law_of(self.made, self.limit, strict=self.strict)


calls = st.lists(
    st.tuples(
        st.one_of(st.just(0.0), st.floats(0, 2), st.floats(0, 70)),
        st.integers(1, 60),
        st.integers(1, 30),
        st.one_of(st.floats(0, 5), st.floats(0, 150)),
    ),
    max_size=150,
)


@given(
    limit=st.one_of(st.integers(1, 100), st.integers(1, 100_000)),
    strict=st.booleans(),
    arrivals=calls,
    restart_at=st.integers(0, 200),
    seed=st.integers(0, 2**32),
)
def test_no_minute_holds_more_than_the_limits_whatever_calls_do(
    limit: int, strict: bool, arrivals: list[tuple[float, int, int, float]], restart_at: int, seed: int
) -> None:
    key = Key(Clock(), limit, strict=strict, seed=seed)
    for n, (gap_s, size, most, lasts_s) in enumerate(arrivals):
        key.pass_time(gap_s)
        if n == restart_at:
            key.restart()
        key.call(max(1, limit * size // 100), max(1, limit * most // 100), lasts_s)
    key.check()


@given(
    limit=st.sampled_from((20, 500, 100_000)), strict=st.booleans(), most=st.integers(1, 30), seed=st.integers(0, 2**32)
)
def test_who_asks_for_more_gets_98_percent_of_it_less_one_call(limit: int, strict: bool, most: int, seed: int) -> None:
    """Each call takes what it was given, and the next is asked for until it goes; refusals on the way cost nothing."""
    clock, minutes = Clock(), 20
    grants, dice = Grants(clock), random.Random(seed)
    key = who(RateLimits(tokens_per_minute=limit, strict=strict or None))
    largest = max(2, limit * most // 100)
    until, passed = clock.at + minutes * 60, 0
    while clock.at < until:
        grant = enter(grants, key)
        size = dice.randint(1, largest - 1)
        wanted = Asked("fast", f"fresh-{size}", size, largest - size, None)  # nothing is learned of it
        reserve = grants.expected(key.id, wanted, strict=strict)
        try:
            grant.reserve(wanted)
        except RateLimited as refusal:
            end(grant, taken=False)
            clock.at += refusal.retry_after_s or 0
            continue
        grant.end(Usage(*reserve), taken=True)
        passed += sum(reserve)
    assert passed >= minutes * (0.98 * limit - largest)
