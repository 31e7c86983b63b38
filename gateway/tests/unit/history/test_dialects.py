"""A conversation in each dialect."""

from __future__ import annotations

from typing import Any

import pytest

from hayate.history.dialects import CHATS, GENERATES, OF_PATH, Dialect
from hayate.wire import sse
from hayate.wire.items import message, text_of
from hayate.wire.paths import CHAT, MESSAGES, RESPONSES

USER = {"role": "user", "content": "hi"}
SYSTEM = {"role": "system", "content": "s"}


def nowhere(_: str) -> None:
    return None


@pytest.mark.parametrize(
    ("dialect", "fields", "head", "items"),
    [
        (CHATS, {"messages": [USER]}, None, ["hi"]),
        (CHATS, {"messages": [SYSTEM, {"role": "developer", "content": "d"}, USER]}, ["s", "d"], ["hi"]),
        (CHATS, {"messages": [USER, SYSTEM]}, None, ["hi", "s"]),
        (CHATS, {"messages": [SYSTEM]}, ["s"], []),
        (CHATS, {}, None, []),
        (OF_PATH[MESSAGES], {"messages": [USER], "system": "s"}, ["s"], ["hi"]),
        (OF_PATH[MESSAGES], {"messages": [USER], "system": ""}, None, ["hi"]),
        (OF_PATH[MESSAGES], {}, None, []),
        (OF_PATH[RESPONSES], {"input": "hi", "instructions": "s"}, None, ["hi"]),
        (OF_PATH[RESPONSES], {"input": [{"role": "developer", "content": "d"}, USER]}, None, ["d", "hi"]),
        (OF_PATH[RESPONSES], {}, None, []),
    ],
)  # fmt: skip
def test_what_a_request_says(
    dialect: Dialect, fields: dict[str, Any], head: list[str] | None, items: list[str]
) -> None:
    said = dialect.said(fields, nowhere)
    assert (None if said.head is None else [*map(text_of, said.head)]) == head
    assert [*map(text_of, said.items)] == items


def test_a_response_may_name_what_was_said() -> None:
    known = message("user", "before")
    said = OF_PATH[RESPONSES].said({"input": [{"type": "item_reference", "id": "msg_1"}, USER]}, {"msg_1": known}.get)
    assert [*map(text_of, said.items)] == ["before", "hi"]


@pytest.mark.parametrize("path", [*OF_PATH])
def test_what_is_said_is_put_where_it_came_from(path: str) -> None:
    dialect = OF_PATH[path]
    put = dialect.put([message("system", "s"), message("user", "hi"), message("assistant", "yes")])
    assert dialect.field in put
    again = dialect.said(put, nowhere)
    assert [*map(text_of, [*(again.head or ()), *again.items])] == ["s", "hi", "yes"]


def event(name: str | None, data: str) -> bytes:
    return sse.render(data.encode(), event=name)


@pytest.mark.parametrize(
    ("dialect", "last", "other"),
    [
        (CHATS, event(None, "[DONE]"), event(None, '{"choices":[{"delta":{"content":"[DONE]"}}]}')),
        (CHATS, b"data:[DONE]\n\n", b": ping\n\n"),
        (GENERATES, event("done", "{}"), event(None, '{"delta":"event: done"}')),
        (OF_PATH[MESSAGES], event("message_stop", '{"type":"message_stop"}'), event("message_delta", '{"type":"message_delta"}')),
        (OF_PATH[MESSAGES], event(None, '{"type":"message_stop"}'), event("x", '{"text":"\\"message_stop\\""}')),
        (OF_PATH[MESSAGES], event("error", "{}"), event("ping", "{}")),
        (OF_PATH[RESPONSES], event("response.completed", "{}"), event("response.created", "{}")),
        (OF_PATH[RESPONSES], event(None, '{"type":"response.incomplete"}'), event("response.output_text.done", "{}")),
        (OF_PATH[RESPONSES], event("error", "{}"), event(None, '{"delta":"\\"response.completed\\""}')),
    ],
)  # fmt: skip
def test_which_event_ends_an_answer(dialect: Dialect, last: bytes, other: bytes) -> None:
    assert dialect.is_last(last)
    assert not dialect.is_last(other)
    behind = event(None, '{"usage":{}}')
    assert dialect.end_in(other * 3 + last + behind) == len(other * 3), "and what follows it waits with it"
    assert dialect.end_in(other * 3 + last.replace(b"\n", b"\r\n")) == len(other * 3)
    assert dialect.end_in(last + last) == 0
    assert dialect.end_in(other * 3) == len(other * 2), "the last, where none says that it is"
    assert dialect.end_in(b"") == 0


@pytest.mark.parametrize(
    ("path", "answer", "cut", "ended"),
    [
        (CHAT, {"choices": [{"message": {"content": "hi"}, "finish_reason": "stop"}]}, False, True),
        (CHAT, {"choices": [{"message": {"content": "hi"}, "finish_reason": "length"}]}, True, True),
        (CHAT, {"choices": [{"message": {"content": "hi"}, "finish_reason": None}]}, True, False),
        (MESSAGES, {"content": [{"type": "text", "text": "hi"}], "stop_reason": "end_turn"}, False, True),
        (MESSAGES, {"content": [{"type": "text", "text": "hi"}], "stop_reason": "max_tokens"}, True, True),
        (MESSAGES, {"content": [{"type": "text", "text": "hi"}]}, True, False),
        (RESPONSES, {"output": [message("assistant", "hi")], "status": "completed"}, False, True),
        (RESPONSES, {"output": [message("assistant", "hi")], "status": "incomplete"}, True, True),
        (RESPONSES, {"output": [message("assistant", "hi")], "status": "in_progress"}, True, False),
    ],
)
def test_what_an_engine_said_and_whether_that_was_all(
    path: str, answer: dict[str, Any], cut: bool, ended: bool
) -> None:
    dialect = OF_PATH[path]
    assert (dialect.is_cut(answer), dialect.has_ended(answer)) == (cut, ended)
    (item,) = dialect.items_of(answer, cut=cut)
    assert (text_of(item), item["role"], item["status"]) == ("hi", "assistant", "incomplete" if cut else "completed")


def test_an_answer_without_any_is_none() -> None:
    assert CHATS.is_cut({"choices": []})
    assert not CHATS.has_ended({"choices": []})
    assert CHATS.items_of({"choices": []}, cut=True) == []
    assert OF_PATH[RESPONSES].items_of({}, cut=True) == []
