"""Bodies are refused with the field's name, or pass untouched; no body raises anything else."""

from __future__ import annotations

import contextlib
import json
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hayate.errors import InvalidRequest
from hayate.wire.caps import RISKY_FIELDS, Caps
from hayate.wire.request_body import parse_object
from hayate.wire.validation import MAX_STOPS, check_chat, check_completion
from tests.support.tables import table

HELLO = [{"role": "user", "content": "Hello"}]
IMAGE = "data:image/png;base64,iVBORw0KGgo="


def chat(**fields: Any) -> dict[str, Any]:
    return {"messages": HELLO, **fields}


def refusal(fields: dict[str, Any], caps: Caps | None = None) -> InvalidRequest:
    with pytest.raises(InvalidRequest) as refused:
        check_chat(fields, caps or Caps())
    assert refused.value.japanese != refused.value.english
    return refused.value


numbers = st.integers() | st.floats() | st.just(10**400) | st.sampled_from([-0.0, 1e308, 2**63, 2**64, -(2**63) - 1])
json_values = st.recursive(
    st.none() | st.booleans() | numbers | st.text(max_size=6),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=8,
)
LENGTHS = ["model", "stream", "stream_options", "max_tokens", "max_completion_tokens"]
SAMPLING = [*LENGTHS, "n", "best_of", "temperature", "top_p", "seed", "stop", "tools"]
field_names = st.sampled_from(["messages", "prompt", "presence_penalty", *SAMPLING, *RISKY_FIELDS]) | st.text(
    max_size=6
)
parts = st.dictionaries(
    st.sampled_from(["type", "text", "image_url", "input_audio", "file", "audio_url"]),
    json_values | st.just({"url": IMAGE}) | st.just({"url": "http://10.0.0.1/"}),
    max_size=3,
)
messages = st.lists(
    st.dictionaries(st.sampled_from(["role", "content", "name"]), json_values | st.lists(parts, max_size=3), max_size=3)
    | json_values,
    max_size=3,
)
bodies = st.dictionaries(field_names, json_values | messages, max_size=8)


@given(bodies)
def test_any_json_is_accepted_or_refused_by_name_and_never_anything_else(body: dict[str, Any]) -> None:
    raw = json.dumps(body).encode("utf-8", "surrogatepass")
    for check in (check_chat, check_completion):
        with contextlib.suppress(InvalidRequest):
            fields = parse_object(raw)
            check(fields, Caps(max_output_tokens=100))
            orjson.dumps(fields)  # what passes can be sent on


# Chats.


@table(
    ("messages", "param"),
    [
        (None, "messages"),
        ([], "messages"),
        ("Hello", "messages"),
        ({"role": "user"}, "messages"),
        (["Hello"], "messages.0"),
        ([None], "messages.0"),
        ([{"content": "x"}], "messages.0.role"),
        ([{"role": 7, "content": "x"}], "messages.0.role"),
        ([{"role": "", "content": "x"}], "messages.0.role"),
        ([*HELLO, {"role": "user"}], "messages.1.content"),
        ([{"role": "user", "content": None}], "messages.0.content"),
        ([{"role": "user", "content": 7}], "messages.0.content"),
        ([{"role": "user", "content": {"text": "x"}}], "messages.0.content"),
        ([{"role": "user", "content": ["x"]}], "messages.0.content.0"),
        ([{"role": "user", "content": [{"text": "x"}]}], "messages.0.content.0"),
    ],
)
def test_messages_of_a_wrong_shape_are_named(messages: Any, param: str) -> None:
    assert refusal({"messages": messages}).param == param


@table(
    "message",
    [
        {"role": "user", "content": ""},
        {"role": "developer", "content": "x"},
        {"role": "assistant", "content": None, "tool_calls": [{"id": "t"}]},
        {"role": "assistant", "tool_calls": []},
        {"role": "tool", "tool_call_id": "t", "content": "晴れ"},
        {"role": "tool", "tool_call_id": "t", "content": []},
        {"role": "a role of tomorrow", "content": "x", "unknown": {"kept": True}},
        {
            "role": "user",
            "content": [{"type": "text", "text": "x"}, {"type": "image_url", "image_url": {"url": IMAGE}}],
        },
        {"role": "user", "content": [{"type": "a part of tomorrow", "value": 7}]},
    ],
)
def test_messages_of_every_good_shape_pass(message: dict[str, Any]) -> None:
    check_chat({"messages": [message]}, Caps())


@table("role", ["tool", "function"])
@table("content", [{}, {"content": None}, {"content": ""}])
def test_a_tool_may_return_nothing(role: str, content: dict[str, Any]) -> None:
    message = {"role": role, "tool_call_id": "t", **content}
    check_chat({"messages": [message]}, Caps())
    assert message["content"] == ""


GOOD: dict[str, list[Any]] = {
    "model": ["fast", "", None],
    "stream": [True, False, None],
    "max_tokens": [1, 4096, 256.0, -1, -1.0, None],
    "max_completion_tokens": [1, -1],
    "n_predict": [-1, 0, 5],
    "n": [1, 4],
    "best_of": [4],
    "temperature": [0, 0.0, 1, 2, 3, 100, None],
    "top_p": [0, 0.0, 0.01, 1],
    "presence_penalty": [-2, 0, 2, 5],
    "frequency_penalty": [-2.0, 2.0],
    "seed": [0, -1, 42.0, 2**64 - 1, -(2**63), None],
    "top_k": [-1, 0, 40, 40.0],
    "logprobs": [True, False, None],
    "stop": ["。", "", [], ["a", "b"], ["", "a"], ["x"] * MAX_STOPS, None],
    "stream_options": [{"include_usage": True}, None],
    "tools": [[], [{"type": "function"}], None],
    "a_field_of_tomorrow": [{"any": ["thing"]}],
    "logit_bias": [{"50256": -100}],
    "response_format": [{"type": "json_object"}],
}
BAD: dict[str, list[Any]] = {
    "model": [7, ["fast"], {}],
    "stream": ["true", 1, "yes"],
    "max_tokens": [0, -2, 1.5, "10", True, [10], 10**12, 1e300],
    "max_completion_tokens": [0, "10"],
    "n_predict": [-2, 2**31],
    "n": [0, -1, 5, 10_000, 1.5, True],
    "best_of": [0, 5],
    "temperature": [-0.1, 100.1, "hot", True, [1]],
    "top_p": [-0.5, 1.1, "x"],
    "presence_penalty": [-101, 1e9, "x"],
    "frequency_penalty": [-101, 101, False],
    "seed": [1.5, "7", True, 2**64, -(2**63) - 1, 1e30],
    "top_k": [-2, 2**31, 0.5, "x"],
    "logprobs": [5, "x"],
    "stop": [7, [7], ["x"] * (MAX_STOPS + 1), {"a": 1}, [None]],
    "stream_options": ["x", []],
    "tools": ["x", {}, ["x"], [None]],
}


@table(("name", "value"), [(name, value) for name, values in GOOD.items() for value in values])
def test_good_values_pass(name: str, value: Any) -> None:
    check_chat(chat(**{name: value}), Caps())


@table(("name", "value"), [(name, value) for name, values in BAD.items() for value in values])
def test_bad_values_are_refused_by_name(name: str, value: Any) -> None:
    refused = refusal(chat(stream=True, **{name: value}) if name != "stream" else chat(stream=value))
    assert refused.param == name
    assert f"'{name}'" in refused.english
    assert f"'{name}'" in refused.japanese


def test_a_long_value_is_not_repeated_whole() -> None:
    assert len(refusal(chat(temperature="x" * 10_000)).english) < 300


def test_stream_options_without_a_stream_are_left_out() -> None:
    for fields in (chat(stream_options={"include_usage": True}), chat(stream=False, stream_options={})):
        check_chat(fields, Caps())
        assert "stream_options" not in fields
    streaming = chat(stream=True, stream_options={"include_usage": True})
    check_chat(streaming, Caps())
    assert streaming["stream_options"] == {"include_usage": True}


def test_null_means_not_set() -> None:
    fields = chat(tools=None, stop=None, max_tokens=None, stream_options=None, a_field_of_tomorrow=None, n=1)
    check_chat(fields, Caps())
    assert fields == chat(n=1, a_field_of_tomorrow=None)  # what nobody knows stays as it came


def test_whole_numbers_reach_engines_as_whole_numbers() -> None:
    fields = chat(max_tokens=256.0, max_completion_tokens=64.0, seed=42.0, n=1.0, top_k=40.0, temperature=1.0)
    check_chat(fields, Caps())
    whole = {name: type(fields[name]) for name in ("max_tokens", "max_completion_tokens", "seed", "n", "top_k")}
    assert set(whole.values()) == {int}
    assert fields == chat(max_tokens=256, max_completion_tokens=64, seed=42, n=1, top_k=40, temperature=1)


def test_no_limit_is_not_set() -> None:
    fields = chat(max_tokens=-1, max_completion_tokens=-1.0, n_predict=-1)
    check_chat(fields, Caps())
    assert fields == chat()


@table(("stop", "sent"), [("", None), (["", ""], None), (["", "a", ""], ["a"]), ("a", "a"), ([], []), (["a"], ["a"])])
def test_a_text_that_can_stop_nothing_is_left_out(stop: Any, sent: Any) -> None:
    fields = chat(stop=stop)
    check_chat(fields, Caps())
    assert fields.get("stop") == sent


@pytest.mark.parametrize("asks", [{"echo": True}, {"prompt_logprobs": 0}, {"prompt_logprobs": 1.0}])
def test_a_prompt_may_be_scored_without_an_answer(asks: dict[str, Any]) -> None:
    fields = {"prompt": "x", "max_tokens": 0, "logprobs": 1, **asks}
    check_completion(fields, Caps())
    assert fields["max_tokens"] == 0
    for unscored in ({}, {"echo": False}, {"prompt_logprobs": None}):
        with pytest.raises(InvalidRequest):
            check_completion({"prompt": "x", "max_tokens": 0, **unscored}, Caps())


def test_text_completions_ask_for_a_number_of_logprobs() -> None:
    for value, sent in ((5, 5), (5.0, 5), (True, True), (-1, -1)):
        fields = {"prompt": "x", "logprobs": value}
        check_completion(fields, Caps())
        assert fields["logprobs"] is sent or fields["logprobs"] == sent
    wrongs: list[Any] = ["x", 1.5, 2**40, [1]]
    for wrong in wrongs:
        with pytest.raises(InvalidRequest) as refused:
            check_completion({"prompt": "x", "logprobs": wrong}, Caps())
        assert refused.value.param == "logprobs"


def test_the_operators_caps_hold() -> None:
    caps = Caps(max_n=2, max_output_tokens=100)
    limits = ("max_tokens", "max_completion_tokens", "max_output_tokens", "n_predict")
    over: list[dict[str, float]] = [{"n": 3}, *({name: tokens} for name in limits for tokens in (101, -1, 1e3))]
    for fields in over:
        assert refusal(chat(**fields), caps).param == next(iter(fields))
    check_chat(chat(n=2, max_tokens=100), caps)


@table("name", RISKY_FIELDS)
def test_fields_that_can_hurt_an_engine_are_refused_until_allowed(name: str) -> None:
    refused = refusal(chat(**{name: "x"}))
    assert refused.param == name
    assert "allow_fields" in refused.english
    check_chat(chat(**{name: "x"}), Caps(allow_fields=frozenset({name})))
    check_chat(chat(**{name: None}), Caps())


def test_risky_fields_are_refused_in_text_completions_too() -> None:
    with pytest.raises(InvalidRequest, match="prompt_embeds"):
        check_completion({"prompt_embeds": "AAAA"}, Caps())
    check_completion({"prompt_embeds": "AAAA"}, Caps(allow_fields=frozenset({"prompt_embeds"})))


# Text completions.


@table("prompt", ["Hello", "", ["a", "b"], [1, 2, 3], [[1, 2], [3]]])
def test_prompts_of_every_shape_pass(prompt: Any) -> None:
    check_completion({"prompt": prompt}, Caps())


@pytest.mark.parametrize("fields", [{}, {"prompt": None}, {"prompt": 7}, {"prompt": {"a": 1}}])
def test_prompts_of_a_wrong_shape_are_named(fields: dict[str, Any]) -> None:
    with pytest.raises(InvalidRequest) as refused:
        check_completion(fields, Caps())
    assert refused.value.param == "prompt"


# Parts.


def test_media_inside_messages_are_found() -> None:
    content = [{"type": "text", "text": "x"}, {"type": "image_url", "image_url": {"url": "http://10.0.0.1/"}}]
    assert refusal({"messages": [{"role": "user", "content": content}]}).param == "messages.0.content.1.image_url"


USUAL = st.fixed_dictionaries(
    {},
    optional={
        "model": st.text(max_size=3),
        "stream": st.booleans(),
        "stream_options": st.just({"include_usage": True}),
        "temperature": st.floats(-1, 101) | st.integers(0, 2),
        "top_p": st.floats(-0.5, 1.5),
        "max_tokens": st.integers(-2, 2**25) | st.just(256.0),
        "n": st.integers(-1, 200),
        "seed": numbers,
        "user": st.text(max_size=3) | st.none(),
        "stop": st.just([""]),
    },
)


def verdict(fields: dict[str, Any], caps: Caps) -> tuple[str | None, dict[str, Any]]:
    """The text of the refusal, if there is one; and what has become of the fields."""
    fields = {**fields}
    try:
        check_chat(fields, caps)
    except InvalidRequest as error:
        return error.english, {}
    return None, {name: value for name, value in fields.items() if name != "unheard_of"}


@given(USUAL, st.sampled_from([Caps(), Caps(max_output_tokens=100), Caps(max_n=1)]))
def test_the_quick_look_at_usual_fields_finds_what_the_long_one_finds(fields: dict[str, Any], caps: Caps) -> None:
    """A field that nobody knows makes a request unusual, and nothing else."""
    assert verdict(chat(**fields), caps) == verdict(chat(**fields, unheard_of=1), caps)


@given(
    st.lists(
        st.fixed_dictionaries({"role": st.text(max_size=2), "content": st.text(max_size=2)})
        | st.dictionaries(st.sampled_from(["role", "content", "name"]), json_values, max_size=3),
        min_size=1,
        max_size=4,
    )
)
def test_the_quick_look_at_messages_finds_what_the_long_one_finds(said: list[Any]) -> None:
    """Parts at the end make the messages unusual, and nothing else."""
    parts_at_end = {"role": "user", "content": [{"type": "text", "text": "Hello"}]}
    assert verdict({"messages": said}, Caps())[0] == verdict({"messages": [*said, parts_at_end]}, Caps())[0]
