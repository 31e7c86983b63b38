"""What stands in braces in a command is filled in, and what the environment says is no template."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hayate.engines.placeholders import filled, literal, names_in
from tests.support.tables import table

VALUES = {"port": "8001", "model": "Qwen/{x}"}


@table(
    ("written", "meant"),
    [
        ("", ""),
        ("serve", "serve"),
        ("{port}", "8001"),
        ("http://127.0.0.1:{port}/{port}", "http://127.0.0.1:8001/8001"),
        ("{model}", "Qwen/{x}"),
        ("{{port}}", "{port}"),
        ("{{{port}}}", "{8001}"),
        ('{{"a": {{"b": 1}}}}', '{"a": {"b": 1}}'),
    ],
)
def test_placeholders_get_their_values_and_doubled_braces_are_braces(written: str, meant: str) -> None:
    assert filled(written, VALUES) == meant


@table(
    ("written", "names"),
    [
        ("{port}{model}{prt}", ("port", "model", "prt")),
        ("{{port}}", ()),
        ('{"a": 1}', ("{", "}")),
        ("{ port }", ("{", "}")),
        ("}", ("}",)),
        ("{{{", ("{",)),
    ],
)
def test_every_name_is_found_and_every_lone_brace(written: str, names: tuple[str, ...]) -> None:
    assert names_in(written) == names


def test_what_has_no_value_is_not_filled_in() -> None:
    with pytest.raises(KeyError):
        filled("{prt}", VALUES)
    with pytest.raises(ValueError, match=r"\{"):
        filled("{", VALUES)


@settings(deadline=None)
@given(st.text(alphabet="{}aport "))
def test_literal_text_stays_what_it_is_and_whatever_has_known_names_alone_is_filled(text: str) -> None:
    assert filled(literal(text), {}) == text
    assert names_in(literal(text)) == ()
    if set(names_in(text)) <= VALUES.keys():
        filled(text, VALUES)
