"""Whatever is wrong with values, and whatever way pydantic has of saying so, it is told in our words."""

from __future__ import annotations

import re
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError
from pydantic_core._pydantic_core import list_all_errors

from hayate.config.environment import SETTINGS
from hayate.config.load import examine
from hayate.config.mistakes import ConfigError, Findings
from hayate.config.models import Config
from hayate.config.validation import validated
from tests.support.tables import table
from tests.unit.config.test_wanted import EVERYWHERE

LIBRARY = [
    re.escape(each["message_template_python"]).replace("\\{", "{").replace("\\}", "}")
    for each in list_all_errors()
    if len(each["message_template_python"]) > 12
]
PYDANTIC = re.compile("|".join(re.sub(r"\{[^}]*\}", ".*", each) for each in LIBRARY if each != "Value error, {error}"))
BASE: dict[str, Any] = {"deployments": {"q": {"backend": "vllm", "replicas": ["http://a"]}}, "aliases": {"q": "q"}}

ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=12) | st.binary(max_size=4)
    | st.sampled_from(["8080", "10s", "http://a", "x: y", "vllm", "-1", "1e400", "q"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)  # fmt: skip


def put(values: Any, where: tuple[int | str, ...], given: Any) -> Any:
    """A copy of `values` with `given` at this place."""
    if not where:
        return given
    step, *rest = where
    if isinstance(step, int):
        return [put(None, tuple(rest), given)]
    inner = values if isinstance(values, dict) else {}
    return {**inner, step: put(inner.get(step), tuple(rest), given)}


def told(values: dict[str, Any]) -> tuple[Config | None, list[str]]:
    found = Findings()
    config = validated(values, found, lambda where, value: repr(value)[:40])
    return config, [
        line for each in found.all for line in each.told("f").en.splitlines() + each.told("f").ja.splitlines()
    ]


@settings(deadline=None, max_examples=200)
@given(st.lists(st.tuples(st.sampled_from(EVERYWHERE), ANYTHING), min_size=1, max_size=4))
def test_no_word_of_the_library_is_shown_for_any_value_at_any_place(given: list[tuple[Any, Any]]) -> None:
    values = BASE
    for where, value in given:
        values = put(values, where, value)
    config, lines = told(values)
    for line in lines:
        assert not PYDANTIC.search(line), line
        assert not re.search(r"pydantic|[Ii]nput should|valid (?:tuple|string|boolean|dictionary)|Value error", line), (
            line
        )
    try:
        Config.model_validate(values)
    except ValidationError:
        assert lines, "what the models refuse is told"
    if not lines:
        assert config is not None
        assert config == Config.model_validate(values)


@table("where", EVERYWHERE)
def test_every_place_has_words_for_what_does_not_belong_there(where: tuple[Any, ...]) -> None:
    for value in ({"x": {"y": 1}}, [[1]], b"\xff", 1 << 70, object()):
        _, lines = told(put(BASE, where, value))
        assert not any(PYDANTIC.search(line) for line in lines), lines


VARIABLES = (
    *SETTINGS,
    "LLM_BACKEND",
    "BACKEND_URL",
    "MODEL",
    "OLLAMA_CONTEXT_LENGTH",
    "OLLAMA_NUM_PARALLEL",
    "BACKEND_API_KEY",
    "HAYATE_DATA",
)
SAID = st.text(st.characters(exclude_categories=["Cs"]), max_size=20) | st.sampled_from(
    ["ollama", "http://a", "80", "a, b"]
)


@settings(deadline=None, max_examples=150)
@given(st.dictionaries(st.sampled_from(VARIABLES), SAID))
def test_whatever_the_environment_says_is_taken_or_told_by_its_name(env: dict[str, str]) -> None:
    try:
        examine(None, env)
    except ConfigError as error:
        for english, japanese in zip(error.english.splitlines(), error.japanese.splitlines(), strict=True):
            named = re.match(r"environment: ([A-Z_]+)(?: \(\S+\))?: ", english)
            assert named is not None, english
            assert named[1] in env
            assert japanese.startswith(f"環境変数{named[1]}")
            assert not PYDANTIC.search(english + japanese)


def test_the_words_of_the_library_would_be_known() -> None:
    with pytest.raises(ValidationError) as refused:
        Config.model_validate(
            {"deployments": {"q": {"backend": "x", "replicas": 7, "canary": []}}, "server": 7, "x": 1}
        )
    for each in refused.value.errors():
        assert PYDANTIC.search(each["msg"]), each["msg"]


def test_a_deployment_with_mistakes_hides_none_of_another() -> None:
    values = {
        "deployments": {
            "a": {"backend": "x", "replicas": [], "max_queued": -1},
            "b": {"backend": "vllm", "replicas": ["http://b"], "timeouts": {"connect_s": 0}},
        },
        "aliases": {"f": "nobody"},
        "server": {"workers": 2},
    }
    found = Findings()
    config = validated(values, found, lambda *_: None)
    assert {".".join(map(str, each.where)) for each in found.all} == {
        "deployments.a.backend",
        "deployments.a.replicas",
        "deployments.a.max_queued",
        "deployments.b.timeouts.connect_s",
        "aliases.f",
        "server.workers",
    }
    assert config is not None
    assert list(config.deployments) == ["b"], "what can be used can be looked at further"


def test_of_values_that_are_not_whole_nothing_is_said_to_be_missing() -> None:
    found = Findings()
    assert validated({"server": {"port": "x"}, "aliases": {"f": "q"}}, found, lambda *_: None, whole=False) is None
    assert [each.where for each in found.all] == [("server", "port")]
