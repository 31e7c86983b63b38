"""What goes along with a call, and what a call must say."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from hayate.errors import InvalidRequest
from hayate.history.along import Along, along, without_answer
from hayate.history.cache import Cached
from hayate.history.dialects import CHATS, OF_PATH, Dialect, Said
from hayate.store.conversations import Conversation, Loaded, Stored
from hayate.wire.items import Item, answers_tools, message
from hayate.wire.paths import MESSAGES, RESPONSES

SYSTEM = message("system", "head")
CALL: Item = {"type": "function_call", "call_id": "c1", "name": "f", "arguments": "{}", "status": "completed"}
OUTPUT: Item = {"type": "function_call_output", "call_id": "c1", "output": "out"}


def stored(*turns: Sequence[Item], head: Sequence[Item] = ()) -> tuple[Stored, ...]:
    items = [(0, each) for each in head] + [(n, each) for n, turn in enumerate(turns, 1) for each in turn]
    return tuple(
        Stored(place, f"item_{place}", turn, place, _is_answer(each), {**each, "id": f"item_{place}"})
        for place, (turn, each) in enumerate(items, 1)
    )


def _is_answer(item: Item) -> bool:
    return item.get("role") == "assistant" or (item["type"] != "message" and not answers_tools(item))


def turn_of(n: int) -> list[Item]:
    return [message("user", f"q{n}"), message("assistant", f"a{n}")]


def cached(
    *turns: Sequence[Item], head: Sequence[Item] = (), notes: str | None = None, tokens: int | None = 50, first: int = 1
) -> Cached:
    items = stored(*turns, head=head)
    conversation = Conversation(1, "conv_1", "p", True, 0, 0, {}, notes, len(turns), len(items), 99, first, None, 50, 3)
    return Cached(Loaded(conversation, items), True, "d", 7)


def goes(
    cache: Cached | None, *new: Item, head: list[Item] | None = None, dialect: Dialect = CHATS, **how: Any
) -> Along:
    fields = how.pop("fields", {})
    return along(
        dialect, fields, Said(head, list(new)), cache, regenerates=how.pop("regenerates", False), adds=lambda _: None
    )


def words(messages: list[dict[str, Any]]) -> list[str]:
    return [each["content"] for each in messages]


@pytest.mark.parametrize("path", [*OF_PATH])
def test_head_notes_turns_and_what_is_new(path: str) -> None:
    dialect = OF_PATH[path]
    goes_ = goes(cached(turn_of(1), turn_of(2), head=[SYSTEM], notes="notes"), message("user", "new"), dialect=dialect)
    for first in (1, 2, 3):
        sent = goes_.fields_from(first)
        texts = str(sent)
        assert [name in texts for name in ("head", "notes", "q1", "a1", "q2", "a2", "new")] == [
            True, True, first <= 1, first <= 1, first <= 2, first <= 2, True,
        ]  # fmt: skip
    if path == MESSAGES:
        assert sent["system"] == "head\n\nnotes"
    elif path != RESPONSES:
        assert sent["messages"][0] == {"role": "system", "content": "head\n\nnotes"}, (
            "one message: many templates know one"
        )


def test_notes_that_can_not_be_joined_stand_behind_the_head() -> None:
    new = message("user", "new")
    assert words(goes(cached(turn_of(1), notes="notes"), new).fields_from(2)["messages"]) == ["notes", "new"]
    heads = [SYSTEM, message("developer", "more")]
    found = words(goes(cached(turn_of(1), head=heads, notes="notes"), new).fields_from(2)["messages"])
    assert found == ["head", "more", "notes", "new"]


def test_a_head_that_is_sent_goes_in_place_of_the_stored_one() -> None:
    goes_ = goes(cached(turn_of(1), head=[SYSTEM]), message("user", "new"), head=[message("system", "other")])
    assert words(goes_.fields_from(1)["messages"]) == ["other", "q1", "a1", "new"]
    assert goes_.request(whole=False, truncates=True).known.tokens is None, "what was counted had another head"
    same = goes(cached(turn_of(1), head=[SYSTEM]), message("user", "new"), head=[SYSTEM])
    assert same.request(whole=False, truncates=True).known.tokens == 50


def test_an_answer_that_ends_inside_a_character_is_not_read_again_as_it_was_made() -> None:
    for answer, tokens in (("a1", 50), ("a\ufffd", None)):
        cache = cached([message("user", "q1"), message("assistant", answer)])
        request = goes(cache, message("user", "new")).request(whole=False, truncates=True)
        assert request.known.tokens == tokens


def test_what_is_to_be_fitted() -> None:
    fields = {"tools": [{"type": "function", "function": {"name": "f"}}], "max_tokens": 9}
    goes_ = goes(cached(turn_of(1), turn_of(2), turn_of(3), first=2), message("user", "new"), fields=fields)
    request = goes_.request(whole=False, truncates=True)
    assert ([turn.number for turn in request.turns()], request.left_out, request.new_turn) == ([2, 3], 1, 4)
    assert (request.output, request.known.deployment, request.known.rest, request.truncates) == (9, "d", 7, True)
    assert request.rest.bytes > 40
    whole = goes_.request(whole=True, truncates=False)
    assert ([turn.number for turn in whole.turns()], whole.left_out) == ([1, 2, 3], 0)
    assert goes(None, message("user", "new")).request(whole=False, truncates=True).new_turn == 1


def test_what_a_tool_returned_goes_on_with_its_turn() -> None:
    cache = cached(turn_of(1), [message("user", "q2"), CALL])
    goes_ = goes(cache, OUTPUT, message("user", "and"))
    assert (goes_.goes_on, goes_.new_turn) == (True, 2)
    assert [each["role"] for each in goes_.fields_from(2)["messages"]] == ["user", "assistant", "tool", "user"]
    request = goes_.request(whole=False, truncates=True)
    assert [turn.number for turn in request.turns()] == [1]
    assert (request.current.bytes > 40, request.rest.bytes) == (True, 0), "the engine has counted it already"
    with pytest.raises(InvalidRequest, match="c9"):
        goes(cache, {**OUTPUT, "call_id": "c9"})


def test_a_call_without_its_output_is_left_out_once_the_talk_goes_on() -> None:
    cache = cached([message("user", "q1"), CALL])
    assert words(goes(cache, message("user", "never mind")).fields_from(1)["messages"]) == ["q1", "never mind"]


def test_the_last_answer_is_left_out_where_it_is_made_anew() -> None:
    cache = cached(turn_of(1), [message("user", "q2"), CALL, OUTPUT, message("assistant", "a2")])
    goes_ = goes(cache, regenerates=True)
    sent = goes_.fields_from(1)["messages"]
    assert [each["role"] for each in sent] == ["user", "assistant", "user", "assistant", "tool"]
    assert goes_.request(whole=False, truncates=True).known.tokens == 50, "no less than what goes along"
    assert len(without_answer(cache.loaded.items, 9)) == 6, "not of another turn"
    assert len(cache.loaded.items) == 6


@pytest.mark.parametrize(
    ("cache", "new", "regenerates"),
    [(None, (), False), (cached(turn_of(1)), (), False), (cached(turn_of(1)), (SYSTEM,), True), (cached(), (), True)],
)
def test_what_says_nothing_or_too_much(cache: Cached | None, new: tuple[Item, ...], regenerates: bool) -> None:
    with pytest.raises(InvalidRequest) as told:
        goes(cache, *new, regenerates=regenerates)
    assert told.value.param == "messages"
    assert told.value.japanese != told.value.english


def test_what_is_used_is_put_into_the_request_itself() -> None:
    fields: dict[str, Any] = {"messages": [1], "system": "s", "max_tokens": 1}
    goes_ = goes(None, message("user", "new"), dialect=OF_PATH[MESSAGES], fields=fields, head=[])
    goes_.use(1)
    assert fields == {"messages": [{"role": "user", "content": "new"}], "max_tokens": 1}
    goes_ = goes(cached(turn_of(1)), message("user", "new"), dialect=OF_PATH[MESSAGES], fields=fields, head=[SYSTEM])
    goes_.use(1)
    assert fields["system"] == "head"
