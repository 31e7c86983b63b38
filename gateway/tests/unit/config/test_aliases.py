"""Aliases lead to deployments, by way of other aliases too, however many ways there are."""

from __future__ import annotations

from typing import Any

from hayate.config.aliases import alias_mistakes, expanded
from tests.support.tables import table


@table(
    ("aliases", "meant"),
    [
        ({"fast": "q"}, {"fast": ("q",)}),
        ({"a": ["b", "q"], "b": ["r", "q"]}, {"a": ("r", "q"), "b": ("r", "q")}),
        ({"a": "b", "b": "c", "c": "q"}, dict.fromkeys("abc", ("q",))),
        ({"q": "q"}, {"q": ("q",)}),
        ({"a": "b", "b": "a"}, {"a": ("b",), "b": ("a",)}),
        ({"a": 7, "b": "a"}, {"a": 7, "b": ("a",)}),
        ({"a": [1, "q"]}, {"a": (1, "q")}),
    ],
)
def test_each_has_what_it_leads_to(aliases: dict[str, Any], meant: dict[str, Any]) -> None:
    assert expanded(aliases) == meant


def test_many_ways_to_one_deployment_are_no_more_work_than_the_aliases_are() -> None:
    levels = 40
    aliases = {f"{side}{n}": [f"a{n + 1}", f"b{n + 1}"] for n in range(levels) for side in "ab"}
    aliases |= {f"{side}{levels}": ["q"] for side in "ab"}
    assert expanded(aliases)["a0"] == ("q",)
    assert list(alias_mistakes(aliases, {"q": {}})) == []


def test_a_chain_without_end_is_no_fault_of_ours() -> None:
    aliases = {f"a{n}": f"a{n + 1}" for n in range(5000)} | {"a5000": "q"}
    assert len(expanded(aliases)) == 5001


@table(
    ("aliases", "said"),
    [
        ({"a": "x"}, "no deployment named x; there are q, r"),
        ({"a": []}, "write one of q, r"),
        ({"a": "b", "b": ["q", "a"]}, "goes in a circle: a -> b -> a"),
        ({"q": "r"}, "rename one of them"),
        ({"a": "model-of-q"}, "did you mean q?"),
        ({"a": "a"}, "no deployment named a"),
    ],
)
def test_what_leads_nowhere_is_told(aliases: dict[str, Any], said: str) -> None:
    found = list(alias_mistakes(aliases, {"q": {"model": "model-of-q"}, "r": {}}))
    assert said in found[0].text.en
    assert found[0].where[0] == "aliases"


@table("aliases", [None, 7, [], {"a": 7}, {"a": {"b": 1}}, {"a": [1]}])
def test_what_has_no_shape_is_left_to_the_models(aliases: Any) -> None:
    assert list(alias_mistakes(aliases, {"q": {}})) == []
