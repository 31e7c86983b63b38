"""What goes into a response becomes items."""

from __future__ import annotations

from hayate.wire.response_items import input_of, items_of_input


def test_a_text_is_a_users() -> None:
    assert input_of(items_of_input("Hello"))[0]["role"] == "user"
