"""How a call names a conversation."""

from __future__ import annotations

from typing import Any

import pytest

from hayate.errors import InvalidRequest, UnknownConversation
from hayate.wire.conversation_field import Named, named, truncates
from tests.support.tables import table

ID = "conv_" + "a" * 32


@table(
    ("value", "header", "found"),
    [
        (ID, None, Named(ID)),
        ("new", None, Named(None)),
        (None, b"new", Named(None)),
        (None, ID.encode(), Named(ID)),
        (ID, b"new", Named(ID)),
        ({"id": "new"}, None, Named(None)),
        ({"id": ID, "wait": False, "regenerate": True, "truncation": "disabled"}, None, Named(ID, False, True, False)),
        ({"id": ID, "truncation": "auto"}, b"new", Named(ID)),
    ],
)
def test_it_is_named(value: Any, header: bytes | None, found: Named) -> None:
    assert named(value, header) == found


@table(
    ("value", "param"),
    [
        (7, "conversation"),
        ([], "conversation"),
        ("", "conversation"),
        ({}, "conversation"),
        ({"id": 7}, "conversation.id"),
        ({"id": None}, "conversation.id"),
        ({"id": ID, "other": 1}, "conversation"),
        ({"id": ID, "wait": 1}, "conversation.wait"),
        ({"id": ID, "regenerate": "yes"}, "conversation.regenerate"),
        ({"id": ID, "truncation": "none"}, "conversation.truncation"),
        ({"id": ID, "truncation": None}, "conversation.truncation"),
        ({"id": "new", "regenerate": True}, "conversation.regenerate"),
    ],
)
def test_what_it_must_be(value: Any, param: str) -> None:
    with pytest.raises(InvalidRequest) as told:
        named(value, None)
    assert told.value.param == param
    assert told.value.japanese != told.value.english


@pytest.mark.parametrize(
    ("value", "header"), [("x", None), ("conv_" + "a" * 99, None), ("conv_ä", None), (None, b"\xff")]
)
def test_what_can_be_no_id_is_nobodys(value: Any, header: bytes | None) -> None:
    with pytest.raises(UnknownConversation):
        named(value, header)


def test_whether_turns_may_be_left_out() -> None:
    assert (truncates(None, "truncation"), truncates("auto", "truncation"), truncates("disabled", "truncation")) == (
        True,
        True,
        False,
    )
    with pytest.raises(InvalidRequest, match="truncation"):
        truncates(True, "truncation")
