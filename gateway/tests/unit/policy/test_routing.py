"""The least loaded replica that may be asked; the deployments behind a name."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hayate.errors import UnknownModel
from hayate.policy.ceiling import Ceiling
from hayate.policy.routing import FIRST_NAMES, least_in_flight, resolve, with_first_names
from tests.support.tables import table


@dataclass(eq=False)
class Candidate:
    in_flight: int
    healthy: bool = True
    ceiling: Ceiling = field(default_factory=Ceiling)

    def available(self, now: float) -> bool:
        return self.healthy


def test_the_fewest_in_flight_is_taken_and_ties_go_to_the_first() -> None:
    a, b, c = Candidate(2), Candidate(1), Candidate(1)
    assert least_in_flight([a, b, c], set(), 0.0) is b


def test_replicas_fill_alike_for_the_places_that_each_has() -> None:
    small, large = Candidate(3), Candidate(10)
    small.ceiling.configure(4)
    large.ceiling.configure(16)
    assert least_in_flight([small, large], set(), 0.0) is large
    large.in_flight = 13
    assert least_in_flight([small, large], set(), 0.0) is small


def test_what_was_tried_or_is_out_is_passed_over() -> None:
    a, b, c = Candidate(0, healthy=False), Candidate(1), Candidate(2)
    assert least_in_flight([a, b, c], {b}, 0.0) is c
    assert least_in_flight([a, b, c], {b, c}, 0.0) is None
    assert least_in_flight([], set(), 0.0) is None


@given(st.lists(st.tuples(st.integers(0, 5), st.booleans(), st.booleans()), max_size=8))
def test_the_choice_is_always_the_least_of_what_may_be_asked(facts: list[tuple[int, bool, bool]]) -> None:
    replicas = [Candidate(in_flight, healthy) for in_flight, healthy, _ in facts]
    tried = {replica for replica, (_, _, was_tried) in zip(replicas, facts, strict=True) if was_tried}
    chosen = least_in_flight(replicas, tried, 0.0)
    open_to = [replica for replica in replicas if replica.healthy and replica not in tried]
    if chosen is None:
        assert not open_to
    else:
        assert chosen in open_to
        assert chosen.in_flight == min(replica.in_flight for replica in open_to)


ALIASES = {"fast": ("qwen",), "smart": ("bakeneko", "qwen"), "default": ("qwen",)}
SERVED = {"qwen": {"Qwen/Qwen2.5-7B-Instruct"}, "bakeneko": {"rinna/bakeneko"}, "twin": {"rinna/bakeneko"}}


@table(
    ("name", "targets"),
    [
        ("fast", ["qwen"]),
        ("smart", ["bakeneko", "qwen"]),
        (None, ["qwen"]),
        ("", ["qwen"]),
        ("default", ["qwen"]),
        ("twin", ["twin"]),
        ("Qwen/Qwen2.5-7B-Instruct", ["qwen"]),
        ("rinna/bakeneko", ["bakeneko", "twin"]),
    ],
)
def test_a_name_is_an_alias_a_deployment_or_an_engines_own(name: str | None, targets: list[str]) -> None:
    assert list(resolve(name, ALIASES, SERVED)) == targets


def test_the_first_names_are_the_first_deployment() -> None:
    assert with_first_names({}, ("qwen", "bakeneko")) == dict.fromkeys(FIRST_NAMES, ("qwen",))
    assert with_first_names({}, ()) == {}


def test_who_configures_aliases_gets_those_and_a_default() -> None:
    assert with_first_names({"fast": ("b",)}, ("a", "b")) == {"default": ("a",), "fast": ("b",)}
    assert with_first_names({"default": ("b",)}, ("a", "b")) == {"default": ("b",)}


def test_a_deployment_or_an_engines_own_model_of_a_first_name_goes_before() -> None:
    assert with_first_names({}, ("a", "smart")) == {"default": ("a",), "fast": ("a",)}
    assert with_first_names({}, ("a", "b"), {"fast", "other"}) == {"default": ("a",), "smart": ("a",)}
    assert with_first_names({}, ("a",), {"default"})["default"] == ("a",), (
        "what readiness is about does not change hands"
    )


@pytest.mark.parametrize("name", ["gpt-5", "FAST", "qwen2", "x" * 5000])
def test_an_unknown_name_is_told_what_there_is(name: str) -> None:
    with pytest.raises(UnknownModel) as unknown:
        resolve(name, ALIASES, SERVED)
    assert unknown.value.param == "model"
    assert unknown.value.status == 404
    for known in (*ALIASES, *SERVED):
        assert known in unknown.value.english
        assert known in unknown.value.japanese
    assert len(unknown.value.english) < 400
