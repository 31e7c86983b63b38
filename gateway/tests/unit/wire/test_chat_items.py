"""Chat messages become items and the same messages again, whatever a checked request holds; answers become items."""

from __future__ import annotations

import copy
import json
from itertools import chain
from typing import Any

import pytest
from hypothesis import given, reject
from hypothesis import strategies as st

from hayate.errors import InvalidRequest
from hayate.wire.assemble import Assembler
from hayate.wire.caps import Caps
from hayate.wire.chat_items import items_of_answer, items_of_messages, messages_of
from hayate.wire.validation import check_chat
from tests.unit.wire.items_said import say

Message = dict[str, Any]
PIXEL = "data:image/png;base64,iVBORw0KGgo="
WORDS = st.text(max_size=8)
JSON: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | WORDS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORDS, inner, max_size=3),
    max_leaves=6,
)
LEFT = st.dictionaries(
    st.sampled_from(("name", "prefix", "cache_control", "x")), JSON.filter(lambda each: each is not None)
)
TEXT = st.builds(lambda text, left: {"type": "text", "text": text, **left}, WORDS, LEFT)
IMAGE = st.builds(
    lambda url, detail, left: {"type": "image_url", "image_url": {"url": url, **detail}, **left},
    st.sampled_from((PIXEL, "data:image/png;base64,AAAA")),
    st.sampled_from(({}, {"detail": "low"}, {"detail": "high", "x": 1})),
    LEFT,
)
AUDIO = st.just({"type": "input_audio", "input_audio": {"data": "AAAA", "format": "wav"}})
FILE = st.just({"type": "file", "file": {"filename": "a.pdf", "file_data": "data:application/pdf;base64,AAAA"}})
VIDEO = st.just({"type": "video_url", "video_url": {"url": "data:video/mp4;base64,AAAA"}})
CONTENT = WORDS | st.lists(TEXT | IMAGE | AUDIO | FILE | VIDEO, min_size=1, max_size=3)


def call(name: str, call_id: str, arguments: str = '{"city":"東京"}') -> dict[str, Any]:
    return {"id": call_id, "type": "function", "function": {"name": name, "arguments": arguments}}


def returned(call_id: str, content: Any = "sunny") -> Message:
    return {"role": "tool", "tool_call_id": call_id, "content": content}


def back(messages: list[Message]) -> list[Message]:
    return messages_of(items_of_messages(messages))


@st.composite
def exchanges(draw: st.DrawFn) -> list[Message]:
    """Calls of an assistant's, and what came of them in any order."""
    names = draw(st.lists(st.sampled_from("abc"), min_size=1, max_size=3))
    ids = draw(st.lists(st.sampled_from(("call_0", "call_1", "call_2", "x")), min_size=len(names), max_size=len(names)))
    calls = [{**call(name, each), **draw(LEFT)} for name, each in zip(names, ids, strict=True)]
    said = draw(st.none() | WORDS.filter(bool) | st.lists(TEXT, min_size=2, max_size=2))
    outputs = [{**returned(each, draw(CONTENT)), **draw(LEFT)} for each in draw(st.permutations(ids))]
    return [{"role": "assistant", "content": said, "tool_calls": calls, **draw(LEFT)}, *outputs]


SAID = st.builds(
    lambda role, content, left: [{"role": role, "content": content, **left}],
    st.sampled_from(("system", "developer", "user", "assistant", "critic")),
    CONTENT,
    LEFT,
)
REFUSED = st.builds(
    lambda said, why: [{"role": "assistant", "content": said, "refusal": why}], st.none() | WORDS.filter(bool), WORDS
)
OLD = st.builds(
    lambda name, said: [
        {"role": "assistant", "content": None, "function_call": {"name": name, "arguments": "{}"}},
        {"role": "function", "name": name, "content": said},
    ],
    WORDS,
    WORDS,
)
CONVERSATION = st.lists(SAID | exchanges() | REFUSED | OLD, max_size=6).map(
    lambda groups: [*chain.from_iterable(groups)]
)


def normal(messages: list[Message]) -> list[Message]:
    """What the module says that may come back otherwise, as far as `CONVERSATION` has it."""
    said: list[Message] = []
    for message in copy.deepcopy(messages):
        content = message["content"]
        if isinstance(content, list) and len(content) == 1 and content[0].keys() == {"type", "text"}:
            message["content"] = content[0]["text"]
        before = said[-1] if said else {}
        only_calls = message.keys() in ({"role", "content", "tool_calls"}, {"role", "content", "function_call"})
        if (
            only_calls
            and not message["content"]
            and before.get("role") == "assistant"
            and not {"tool_calls", "function_call"} & before.keys()
        ):
            before.update(message, content=before["content"] or None)
        else:
            said.append(message)
    return said


@given(CONVERSATION)
def test_what_is_said_comes_back_as_it_was(messages: list[Message]) -> None:
    before = copy.deepcopy(messages)

    items = items_of_messages(messages)

    assert messages_of(json.loads(json.dumps(items))) == normal(before)
    assert messages == before


@given(
    st.lists(
        st.dictionaries(
            st.sampled_from(
                ("name", "tool_calls", "tool_call_id", "function_call", "refusal", "audio", "reasoning", "hayate", "x")
            ),
            JSON
            | st.lists(
                st.fixed_dictionaries(
                    {"id": JSON, "type": JSON, "function": JSON | st.just(call("f", "i")["function"])}
                ),
                max_size=3,
            ),
        ).flatmap(
            lambda fields: st.fixed_dictionaries(
                {
                    "role": st.sampled_from(("user", "assistant", "assistant", "tool", "function", "system")),
                    "content": JSON
                    | st.lists(st.fixed_dictionaries({"type": WORDS | st.just("text"), "text": JSON}), max_size=3),
                }
            ).map(lambda said: {**fields, **said})
        ),
        min_size=1,
        max_size=5,
    )
)
def test_nothing_that_a_request_may_hold_is_too_odd(messages: list[Message]) -> None:
    try:
        check_chat({"messages": messages}, Caps())
    except InvalidRequest:
        reject()

    once = back(messages)
    say(items_of_messages(messages))

    assert back(json.loads(json.dumps(once))) == once
    check_chat({"messages": [*once, {"role": "user", "content": "x"}]}, Caps())


def test_one_message_of_many_calls_is_one_again() -> None:
    calls = [call("weather", "a"), call("time", "b", ""), call("weather", "c")]
    messages: list[Message] = [
        {"role": "user", "content": "天気は？"},
        {"role": "assistant", "content": "見てみます。", "tool_calls": calls},
        returned("c", [{"type": "text", "text": "1"}, {"type": "text", "text": "2"}]),
        returned("a"),
        returned("b", ""),
        {"role": "assistant", "content": "晴れです。"},
    ]

    items = items_of_messages(messages)

    assert [item["type"] for item in items] == [
        *("message", "message", "function_call", "function_call", "function_call"),
        *("function_call_output", "function_call_output", "function_call_output", "message"),
    ]
    assert messages_of(items) == messages


def test_an_assistant_that_only_calls_says_nothing() -> None:
    messages = [{"role": "assistant", "content": "", "tool_calls": [call("weather", "a")]}, returned("a")]

    items = items_of_messages(messages)

    assert [item["type"] for item in items] == ["function_call", "function_call_output"]
    assert messages_of(items)[0]["content"] is None


def test_an_item_is_what_openai_has() -> None:
    user, assistant = items_of_messages(
        [
            {
                "role": "user",
                "content": [{"type": "text", "text": "?"}, {"type": "image_url", "image_url": {"url": PIXEL}}],
            },
            {"role": "assistant", "content": "!"},
        ]
    )

    assert user == {
        "type": "message",
        "status": "completed",
        "role": "user",
        "content": [{"type": "input_text", "text": "?"}, {"type": "input_image", "image_url": PIXEL}],
    }
    assert assistant["content"] == [{"type": "output_text", "text": "!", "annotations": []}]


def test_what_has_no_place_stands_under_one_key() -> None:
    item = items_of_messages([{"role": "user", "content": "Hi", "name": "Aoi", "x": None}])[0]

    assert item["hayate"] == {"chat": {"name": "Aoi"}}


def test_calls_of_another_shape_come_back_as_they_were() -> None:
    odd: list[Message] = [
        {"id": 5, "function": {"name": "f", "arguments": {"a": 1}}, "extra_content": {"signature": "s"}}
    ]
    messages: list[Message] = [
        {"role": "assistant", "content": "x", "tool_calls": odd},
        {"role": "tool", "content": "y"},
    ]

    items = items_of_messages(messages)

    assert items[1]["arguments"] == '{"a":1}'
    assert messages_of(items)[0]["tool_calls"] == [{**odd[0], "type": "function"}]


@pytest.mark.parametrize("calls", ["f", [1], [{"id": "a", "function": {"arguments": "{}"}}], [call("f", "a"), {}]])
def test_what_is_no_call_is_kept_as_it_is(calls: Any) -> None:
    messages = [{"role": "assistant", "content": "x", "tool_calls": calls}, {"role": "user", "content": "y"}]

    assert back(messages) == messages


def test_half_an_exchange_does_not_go_along() -> None:
    user: Message = {"role": "user", "content": "x"}
    both: Message = {"role": "assistant", "content": None, "tool_calls": [call("f", "a"), call("f", "b")]}

    assert back([user, both, returned("a"), user]) == [
        user,
        {**both, "tool_calls": [call("f", "a")]},
        returned("a"),
        user,
    ]
    assert back([user, both, user]) == [user, user]
    assert back([user, both]) == [user, both]
    assert back([returned("a"), user]) == [user]
    assert back([{**both, "content": "Let me see."}, user]) == [{"role": "assistant", "content": "Let me see."}, user]


def test_what_a_tool_returned_late_stands_where_it_was_called() -> None:
    user: Message = {"role": "user", "content": "x"}
    calls: Message = {"role": "assistant", "content": None, "tool_calls": [call("f", "a")]}

    assert back([calls, user, returned("a")]) == [calls, returned("a"), user]


def test_ids_that_occur_again_answer_the_last_that_called() -> None:
    one: Message = {"role": "assistant", "content": None, "tool_calls": [call("one", "call_0")]}
    two: Message = {"role": "assistant", "content": None, "tool_calls": [call("two", "call_0")]}
    user: Message = {"role": "user", "content": "x"}

    assert back([one, user, two, returned("call_0")]) == [user, two, returned("call_0")]


def test_an_output_that_names_no_call_answers_the_first() -> None:
    calls: Message = {"role": "assistant", "content": None, "tool_calls": [call("f", "a"), call("f", "b")]}
    nameless = [{"role": "tool", "content": "1"}, {"role": "tool", "content": "2"}]

    assert back([calls, *nameless]) == [calls, returned("a", "1"), returned("b", "2")]


def test_what_was_thought_is_kept_and_not_said_again() -> None:
    message = {"role": "assistant", "content": "4", "reasoning_content": "2+2", "reasoning": "2+2"}

    items = items_of_messages([message])

    assert items[0] == {"type": "reasoning", "summary": [], "content": [{"type": "reasoning_text", "text": "2+2"}]}
    assert messages_of(items) == [{"role": "assistant", "content": "4"}]


def test_a_custom_tool_is_called_and_answered() -> None:
    custom = {"id": "c", "type": "custom", "custom": {"name": "sql", "input": "select 1"}}
    messages = [{"role": "assistant", "content": None, "tool_calls": [custom]}, returned("c")]

    items = items_of_messages(messages)

    assert items[0]["type"] == "custom_tool_call"
    assert messages_of(items) == messages


def test_audio_goes_back_by_its_id() -> None:
    answer = {"role": "assistant", "content": None, "audio": {"id": "audio_1", "data": "AAAA", "transcript": "やあ"}}

    items = items_of_answer(answer, cut=False)

    assert items[0]["content"] == [{"type": "output_audio", "id": "audio_1", "data": "AAAA", "transcript": "やあ"}]
    assert messages_of(items) == [{"role": "assistant", "content": "やあ", "audio": {"id": "audio_1"}}]
    assert back([{"role": "assistant", "audio": {"id": "audio_1"}}]) == [
        {"role": "assistant", "content": None, "audio": {"id": "audio_1"}}
    ]


def test_items_of_responses_are_said_as_chats_say_them() -> None:
    items: list[dict[str, Any]] = [
        {"type": "function_call", "call_id": "a", "name": "f", "arguments": "{}"},
        {
            "type": "message",
            "role": "assistant",
            "content": [{"type": "output_text", "text": "Wait.", "annotations": []}],
        },
        {"type": "web_search_call", "status": "completed", "action": {"type": "search", "query": "x"}},
        {"type": "function_call_output", "call_id": "a", "output": [{"type": "input_text", "text": "1"}]},
        {"type": "message", "role": "user", "content": [{"type": "input_image", "file_id": "file_1"}]},
        {"type": "message", "role": "user", "content": [{"type": "input_file", "file_url": "https://x.example/"}]},
    ]

    assert messages_of(items) == [
        {"role": "assistant", "content": None, "tool_calls": [call("f", "a", "{}")]},
        returned("a", "1"),
        {"role": "assistant", "content": "Wait."},
        {"role": "user", "content": [{"type": "file", "file": {"file_id": "file_1"}}]},
        {"role": "user", "content": [{"type": "file", "file": {"file_data": "https://x.example/"}}]},
    ]
    with pytest.raises(InvalidRequest, match="data: URL"):
        check_chat({"messages": messages_of(items)}, Caps())


def assembled(*deltas: Message) -> Message:
    assembler = Assembler()
    for delta in deltas:
        assembler.add({"choices": [{"index": 0, "delta": delta}]})
    message: Message = assembler.answer()["choices"][0]["message"]
    return message


def test_an_answer_is_what_its_stream_said() -> None:
    half = {"index": 0, "id": "a", "type": "function", "function": {"name": "f", "arguments": '{"a":'}}
    answer = assembled(
        {"role": "assistant", "reasoning": "Hm"},
        {"reasoning": "m."},
        {"content": "Let "},
        {"content": "me see."},
        {"tool_calls": [half]},
        {"tool_calls": [{"index": 0, "function": {"arguments": "1}"}}]},
    )

    reasoning, said, called = items_of_answer(answer, cut=False)

    assert reasoning["content"][0]["text"] == "Hmm."
    assert (said["content"][0]["text"], said["status"]) == ("Let me see.", "completed")
    assert called == {
        "type": "function_call",
        "status": "completed",
        "call_id": "a",
        "name": "f",
        "arguments": '{"a":1}',
    }


def test_a_cut_answer_says_so_and_a_cut_call_never_goes_along() -> None:
    half = {"id": "a", "type": "function", "function": {"name": "f", "arguments": '{"a":'}}
    cut = items_of_answer({"role": "assistant", "content": "Let me", "tool_calls": [half]}, cut=True)

    assert [item["status"] for item in cut] == ["incomplete", "incomplete"]
    assert messages_of([*cut, *items_of_messages([returned("a")])]) == [{"role": "assistant", "content": "Let me"}]
    assert items_of_answer({"role": "assistant", "content": "Hel"}, cut=True)[0]["status"] == "incomplete"
    assert (
        items_of_answer({"role": "assistant", "content": None, "reasoning": "Hm"}, cut=True)[0]["status"]
        == "incomplete"
    )


def test_a_whole_call_of_a_cut_answer_can_be_answered() -> None:
    answer = {"role": "assistant", "content": None, "tool_calls": [call("f", "a"), {"id": "b", "function": {}}]}

    items = items_of_answer(answer, cut=True)

    assert [item["call_id"] for item in items] == ["a"]
    assert messages_of([*items, *items_of_messages([returned("a")])])[1] == returned("a")


def test_arguments_that_are_no_json_never_go_along() -> None:
    items = items_of_answer({"role": "assistant", "content": None, "tool_calls": [call("f", "a", "{city}")]}, cut=False)

    assert items[0]["status"] == "incomplete"
    assert messages_of([*items, *items_of_messages([returned("a")])]) == []


def test_an_answer_of_nothing_is_a_message_unless_it_was_cut() -> None:
    for nothing in (None, ""):
        answer = {"role": "assistant", "content": nothing}
        assert messages_of(items_of_answer(answer, cut=False)) == [{"role": "assistant", "content": ""}]
        assert items_of_answer(answer, cut=True) == []


def test_halves_of_a_character_become_one() -> None:
    whole = items_of_answer(assembled({"content": "\ud83d"}, {"content": "\ude00"}), cut=False)
    half = items_of_answer(assembled({"content": "a\ud83d"}), cut=True)

    assert whole[0]["content"][0]["text"] == "😀"
    assert half[0]["content"][0]["text"] == "a\ufffd"
