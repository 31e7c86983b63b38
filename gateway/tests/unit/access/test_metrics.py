"""What is told of keys and limits is how many and how often, and never whose."""

from __future__ import annotations

import pytest
from prometheus_client.parser import text_string_to_metric_families

from hayate.access.grants import Asked, Grants
from hayate.access.metrics import AccessMetrics
from hayate.access.principals import Principal
from hayate.access.terms import Terms
from hayate.errors import KeysUnknown, RateLimited
from hayate.settings import RateLimits
from tests.support.tables import table
from tests.unit.access.test_key_ring import Ring
from tests.unit.telemetry.records import exposed

LIMITS = {
    "requests": RateLimits(requests_per_minute=1),
    "tokens": RateLimits(tokens_per_minute=60),
    "input_tokens": RateLimits(input_tokens_per_minute=50),
    "output_tokens": RateLimits(output_tokens_per_minute=10),
    "concurrency": RateLimits(concurrency=1),
}


def numbers(ring: Ring, grants: Grants) -> dict[str, float]:
    text = exposed(AccessMetrics(ring.ring, grants, ring.clock))
    return {
        sample.labels.get("limit") or sample.name: sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


@table("kind", LIMITS)
@table("of_a_model", [False, True])
def test_a_limit_that_is_hit_is_counted_by_its_kind(kind: str, of_a_model: bool) -> None:
    ring, terms = Ring(), Terms(limits=LIMITS[kind])
    if of_a_model:
        terms = Terms(model_limits={"fast": LIMITS[kind]})
    grants, game = Grants(ring.clock), Principal("a1b2c3d4e5f6", "games", terms=terms)

    def call() -> None:
        grant = grants.grant(game, RateLimits())
        grant.enter(ring.clock())
        grant.reserve(Asked("fast", "qwen", 120, 10, None))

    call()
    assert sum(numbers(ring, grants)[each] for each in LIMITS) == 0
    for _ in range(2):
        with pytest.raises(RateLimited):
            call()
    assert {each: numbers(ring, grants)[each] for each in LIMITS} == {**dict.fromkeys(LIMITS, 0), kind: 2}
    assert game.id not in exposed(AccessMetrics(ring.ring, grants))


def test_keys_that_are_known_and_how_long_they_have_gone_on_without_the_store() -> None:
    ring = Ring()
    grants = Grants(ring.clock)
    made, _ = ring.add()
    assert ring.find(made) is not None
    assert (numbers(ring, grants)["hayate_keys_known"], numbers(ring, grants)["hayate_keys_stale_seconds"]) == (1, 0)
    other, _ = ring.add()
    ring.source.broken = True
    with pytest.raises(KeysUnknown):
        ring.find(other)
    ring.clock.at += 30
    assert (numbers(ring, grants)["hayate_keys_known"], numbers(ring, grants)["hayate_keys_stale_seconds"]) == (1, 30)
