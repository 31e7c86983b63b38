"""Conversations as a person reads them."""

from __future__ import annotations

from hayate.wire.items import message
from hayate.wire.items_markdown import title_of


def test_a_title_is_what_a_user_said_first() -> None:
    assert title_of([message("system", "Be brief."), message("user", "Hello")]) == "Hello"
