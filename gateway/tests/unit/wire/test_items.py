"""Items: what begins a turn, what stands before all, what they are called."""

from __future__ import annotations

from hayate.wire.items import begins_turn, is_head, message, new_id, text_of


def test_a_turn_begins_where_the_caller_speaks_again() -> None:
    user, assistant = message("user", "Hello"), message("assistant", "Hi")

    assert begins_turn(user, None)
    assert begins_turn(user, assistant)
    assert not begins_turn(user, user)
    assert not begins_turn(assistant, user)
    assert is_head(message("system", "Be brief."))
    assert not is_head(user)


def test_names_tell_the_kind() -> None:
    assert new_id(message("user", "x")).startswith("msg_")
    assert len(new_id({"type": "web_search_call"})) == len("item_") + 32
    assert text_of(message("user", "東京")) == "東京"
