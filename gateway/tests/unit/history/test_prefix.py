"""Turns that were put into a dialect's words once are not put again, and it makes no difference."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from hayate.history.dialects import OF_PATH, Dialect
from hayate.history.prefix import New, Prefix, put_turns, turns_from
from hayate.store.conversations import Stored
from hayate.wire.items import Item, message
from tests.unit.history.test_along import stored, turn_of

texts = st.sampled_from(["a", "", "日本"])
CALL: Item = {"type": "function_call", "name": "f", "arguments": "{}", "status": "completed"}
OUTPUT: Item = {"type": "function_call_output", "output": "o", "status": "completed"}
said_items = st.one_of(
    st.builds(message, st.sampled_from(["user", "assistant", "system"]), texts),
    st.builds(
        lambda item, call_id: {**item, "call_id": call_id}, st.sampled_from([CALL, OUTPUT]), st.sampled_from("xy")
    ),
    st.just({"type": "reasoning", "summary": [], "content": [{"type": "reasoning_text", "text": "hm"}]}),
)


def said_now(dialect: Dialect, *items: Item) -> New:
    return New(items, plainly(dialect, [*items]))


def plainly(dialect: Dialect, items: list[Item]) -> Any:
    return dialect.put(items)[dialect.field]


@given(
    st.lists(st.lists(said_items, min_size=1, max_size=4), min_size=1, max_size=6),
    st.sampled_from([*OF_PATH]),
    st.data(),
)
def test_each_call_says_what_it_would_say_by_itself(turns: list[list[Item]], path: str, data: st.DataObject) -> None:
    dialect, prefix = OF_PATH[path], None
    all_items = stored(*turns)
    for upto in range(1, len(turns)):
        so_far = [each for each in all_items if each.turn <= upto]
        new = turns[upto]
        first = data.draw(st.sampled_from([1, 1, 1, upto]))
        kept = so_far[turns_from(so_far, first) :]
        told = put_turns(dialect, first, kept, said_now(dialect, *new), prefix)
        if told is None:
            prefix = None
            continue
        said, prefix = told
        calls = [each for each in (*[k.body for k in kept], *new) if each["type"].startswith("function")]
        if not calls:  # a tool's output may come late enough to find its call on the other side
            assert said == plainly(dialect, [*(each.body for each in kept), *new])


def test_a_turn_is_put_once() -> None:
    dialect, put = OF_PATH["/v1/chat/completions"], list[int]()

    class Counting(type(dialect)):  # type: ignore[misc]
        def put(self, items: Any) -> Any:
            put.append(len(items))
            return super().put(items)

    counting, prefix = Counting(), None
    new = said_now(dialect, message("user", "new"))
    for upto in range(1, 9):
        turns = stored(*(turn_of(n) for n in range(upto)))
        told = put_turns(counting, 1, turns, new, prefix)
        assert told is not None
        said, prefix = told
        assert len(said) == 2 * upto + 1
    assert put == [2] * 8


def test_what_is_known_of_another_beginning_or_dialect_is_of_no_use() -> None:
    dialect = OF_PATH["/v1/chat/completions"]
    turns = stored(turn_of(1), turn_of(2))
    for known in (
        Prefix("/v1/messages", 1, 2, ["wrong"]),
        Prefix(dialect.path, 2, 2, ["wrong"]),
        Prefix(dialect.path, 1, 9, ["wrong"]),
    ):
        told = put_turns(dialect, 1, turns, said_now(dialect, message("user", "new")), known)
        assert told is not None
        assert len(told[0]) == 5


def test_what_can_not_be_told_from_what_stands_before_is_not() -> None:
    dialect = OF_PATH["/v1/messages"]
    new = said_now(dialect, message("user", "new"))
    assert put_turns(dialect, 1, (), new, None) is None
    assert put_turns(dialect, 1, stored([message("developer", "d"), *turn_of(1)]), new, None) is None


def test_where_turns_begin() -> None:
    turns: tuple[Stored, ...] = stored(turn_of(1), turn_of(2), head=[message("system", "s")])
    assert [turns_from(turns, n) for n in range(5)] == [0, 1, 3, 5, 5]
