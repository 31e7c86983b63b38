"""Ids of what is kept: looked at before anything is looked for, told back short."""

from __future__ import annotations

import re

import pytest

from hayate.errors import GatewayError
from hayate.wire import history_ids
from hayate.wire.history_ids import (
    is_conversation_id,
    is_item_id,
    is_response_id,
    unknown_conversation,
    unknown_item,
    unknown_response,
)
from tests.support.tables import table

HEX = "0123456789abcdef" * 2


@table(
    ("text", "conversation", "item", "response"),
    [
        (f"conv_{HEX}", True, True, False),
        (f"resp_{HEX}", False, True, True),
        (f"msg_{HEX}", False, True, False),
        ("conv_" + "a" * 59, True, True, False),
        ("conv_" + "a" * 60, False, True, False),
        ("resp_" + "a" * 75, False, True, True),
        ("a" * 81, False, False, False),
        ("conv_", False, True, False),
        ("", False, False, False),
        (f"conv_{HEX}\n", False, False, False),
        ("conv_会話", False, False, False),
        ("conv_a/b", False, False, False),
        ("conv_a b", False, False, False),
        ("conv_a'--", False, False, False),
        ("conv_\x00", False, False, False),
        ("CONV_a", False, True, False),
    ],
)
def test_what_has_another_form_is_none(text: str, conversation: bool, item: bool, response: bool) -> None:
    assert (is_conversation_id(text), is_item_id(text), is_response_id(text)) == (conversation, item, response)
    told = (history_ids.CONVERSATION, history_ids.ITEM, history_ids.RESPONSE)
    if "\n" not in text:  # which Python's $ overlooks, and JSON Schema's does not
        assert [re.search(each, text) is not None for each in told] == [conversation, item, response]


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (unknown_conversation("conv_x", param="conversation"), "conversation_not_found"),
        (unknown_item("msg_x", param="after"), "item_not_found"),
        (unknown_response("resp_x", param="previous_response_id"), "response_not_found"),
    ],
)
def test_one_that_leads_nowhere_is_a_404_that_names_it_in_both_languages(error: GatewayError, code: str) -> None:
    assert (error.status, error.code) == (404, code)
    assert error.param
    for text in (error.english, error.japanese):
        assert "_x'" in text
    assert not error.japanese.isascii()


@pytest.mark.parametrize("make", [unknown_conversation, unknown_item, unknown_response])
def test_a_long_one_is_told_back_short_and_on_one_line(make: type) -> None:
    for wanted in ("x" * 1_000_000, "\x1b[2J\n" * 10):
        text = str(make(wanted))
        assert len(text) < 600
        assert text.isprintable()
