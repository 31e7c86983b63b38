"""The names that a chat has for a response's tools: each its own, and each leads back."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hayate.wire.http1 import Headers
from hayate.wire.tool_names import MOST_CHARS, Called, ToolNames, flat_name, tell_omitted
from tests.support.tables import table

NAMES = st.text("ab_.", min_size=1, max_size=5) | st.text("a_", min_size=60, max_size=70)
TOOLS = st.builds(Called, NAMES, st.none() | NAMES | st.just("functions"), st.booleans())


@table(
    ("namespace", "name", "flat"),
    [
        (None, "f", "f"),
        (None, "f.g", "f.g"),
        ("functions", "f", "f"),
        ("multi_agent_v1", "spawn_agent", "multi_agent_v1__spawn_agent"),
        ("mcp__demo__", "f", "mcp__demo__f"),
        ("a.b", "c d", "a_b__c_d"),
    ],
)
def test_a_namespace_stands_before_the_name(namespace: str | None, name: str, flat: str) -> None:
    assert flat_name(name, namespace) == flat


def test_a_long_name_is_cut_and_is_still_its_own() -> None:
    long = [flat_name(f"{'x' * 80}{n}", "mcp__demo") for n in range(3)]
    assert {len(name) for name in long} == {MOST_CHARS}
    assert len(set(long)) == 3
    assert flat_name(f"{'x' * 80}0", "mcp__demo") == long[0], "the same in every turn"
    assert flat_name("x" * 80, None) == "x" * 80, "what the caller says itself is left to the engine"


@given(st.lists(TOOLS, unique=True))
def test_every_tool_has_a_name_of_its_own_that_leads_back(tools: list[Called]) -> None:
    names = ToolNames()
    said = [names.add(tool) for tool in tools]
    assert len(set(said)) == len(tools)
    assert [names.called(name) for name in said] == tools
    assert [names.of(tool) for tool in tools] == [names.add(tool) for tool in tools] == said
    for tool, name in zip(tools, said, strict=True):
        if tool.namespace not in (None, "functions"):
            assert re.fullmatch(r"[\w-]{1,64}", name)


def test_what_is_offered_no_more_keeps_its_name() -> None:
    assert ToolNames().of(Called("spawn", "agents")) == "agents__spawn"


def test_a_model_may_leave_the_namespace_out_where_that_is_clear() -> None:
    names = ToolNames()
    for tool in (Called("a", "x"), Called("b", "x"), Called("b", "y"), Called("c", "x"), Called("c")):
        names.add(tool)
    assert names.called("a") == Called("a", "x")
    assert names.called("b") == Called("b"), "which one?"
    assert names.called("c") == Called("c")
    assert names.called("?") == Called("?")


@pytest.mark.parametrize(("omitted", "told"), [((), []), (("web_search", "mcp"), [b"web_search, mcp"])])
def test_what_is_left_out_is_said_in_place_of_what_was_said_before(omitted: tuple[str, ...], told: list[bytes]) -> None:
    headers: Headers = [(b"x-request-id", b"1"), (b"x-hayate-tools-omitted", b"before")]
    tell_omitted(headers, omitted)
    assert headers == [(b"x-request-id", b"1"), *((b"x-hayate-tools-omitted", each) for each in told)]
