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
from hayate.wire.checks import (
    MAX_DEPTH,
    RISKY_FIELDS,
    Caps,
    check_chat,
    check_completion,
    check_media,
    check_risky,
    check_tools,
    parse_object,
)

HELLO = [{"role": "user", "content": "Hello"}]
IMAGE = "data:image/png;base64,iVBORw0KGgo="


def chat(**fields: Any) -> dict[str, Any]:
    return {"messages": HELLO, **fields}


def refusal(fields: dict[str, Any], caps: Caps | None = None) -> InvalidRequest:
    with pytest.raises(InvalidRequest) as refused:
        check_chat(fields, caps or Caps())
    assert refused.value.japanese != refused.value.english
    return refused.value


# Reading the body.


def test_an_object_is_read() -> None:
    assert parse_object('{"prompt":"こんにちは","n":1}'.encode()) == {"prompt": "こんにちは", "n": 1}


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"", "empty"),
        (b" \n", "empty"),
        (b"[]", "a list"),
        (b"null", "null"),
        (b"7", "a number"),
        (b'"text"', "a string"),
        (b"true", "true or false"),
        (b"{", "not valid JSON"),
        (b"{'a':1}", "not valid JSON"),
        (b'{"a":NaN}', "not valid JSON"),
        (b'{"a":Infinity}', "not valid JSON"),
        (b'{"a":1}{"b":2}', "not valid JSON"),
        (b'\xef\xbb\xbf{"a":1}', "not valid JSON"),
        (b'{"a":"\xff"}', "not valid JSON"),
        (b'{"a":"\\ud800"}', "not valid JSON"),
        (b'{"a":"\x00"}', "not valid JSON"),
    ],
)
def test_what_is_not_an_object_is_named(body: bytes, said: str) -> None:
    with pytest.raises(InvalidRequest, match=said):
        parse_object(body)


@pytest.mark.parametrize("opening", [b"[", b'{"a":', b'[{"a":'])
@pytest.mark.parametrize("levels", [MAX_DEPTH + 1, 1000, 100_000])
def test_nesting_has_a_limit(opening: bytes, levels: int) -> None:
    closing = b"".join({91: b"]", 123: b"}"}[each] for each in reversed(opening) if each in b"[{")
    body = b'{"x":' + opening * levels + b"1" + closing * levels + b"}"
    with pytest.raises(InvalidRequest):
        parse_object(body)


def test_many_brackets_side_by_side_are_no_nesting() -> None:
    assert len(parse_object(b'{"x":[' + b",".join([b"[]"] * 5000) + b"]}")["x"]) == 5000


@given(st.binary(max_size=200))
def test_any_bytes_are_an_object_or_refused(body: bytes) -> None:
    with contextlib.suppress(InvalidRequest):
        assert isinstance(parse_object(body), dict)


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


@pytest.mark.parametrize(
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


@pytest.mark.parametrize(
    "message",
    [
        {"role": "user", "content": ""},
        {"role": "developer", "content": "x"},
        {"role": "assistant", "content": None, "tool_calls": [{"id": "t"}]},
        {"role": "assistant", "tool_calls": []},
        {"role": "tool", "tool_call_id": "t", "content": "晴れ"},
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


GOOD: dict[str, list[Any]] = {
    "model": ["fast", "", None],
    "stream": [True, False, None],
    "max_tokens": [1, 4096, None],
    "max_completion_tokens": [1],
    "n": [1, 4],
    "best_of": [4],
    "temperature": [0, 0.0, 1, 2, 2.0, None],
    "top_p": [0.01, 1],
    "presence_penalty": [-2, 0, 2],
    "frequency_penalty": [-2.0, 2.0],
    "seed": [0, -1, 2**62],
    "stop": ["。", [], ["a", "b"], ["x"] * 16, None],
    "tools": [[], [{"type": "function"}], None],
    "a_field_of_tomorrow": [{"any": ["thing"]}],
    "logit_bias": [{"50256": -100}],
    "response_format": [{"type": "json_object"}],
}
BAD: dict[str, list[Any]] = {
    "model": [7, ["fast"], {}],
    "stream": ["true", 1, "yes"],
    "max_tokens": [0, -1, 1.5, "10", True, [10]],
    "max_completion_tokens": [0, "10"],
    "n": [0, -1, 5, 10_000, 1.0, True],
    "best_of": [0, 5],
    "temperature": [-0.1, 2.1, "hot", True, [1]],
    "top_p": [0, -0.5, 1.1, "x"],
    "presence_penalty": [-2.1, 2.1, "x"],
    "frequency_penalty": [-3, 3, False],
    "seed": [1.5, "7", True],
    "stop": [7, [7], ["x"] * 17, {"a": 1}, [None]],
    "stream_options": ["x", []],
    "tools": ["x", {}, ["x"], [None]],
}


@pytest.mark.parametrize(("name", "value"), [(name, value) for name, values in GOOD.items() for value in values])
def test_good_values_pass(name: str, value: Any) -> None:
    check_chat(chat(**{name: value}), Caps())


@pytest.mark.parametrize(("name", "value"), [(name, value) for name, values in BAD.items() for value in values])
def test_bad_values_are_refused_by_name(name: str, value: Any) -> None:
    refused = refusal(chat(stream=True, **{name: value}) if name != "stream" else chat(stream=value))
    assert refused.param == name
    assert f"'{name}'" in refused.english
    assert f"'{name}'" in refused.japanese


def test_a_long_value_is_not_repeated_whole() -> None:
    assert len(refusal(chat(temperature="x" * 10_000)).english) < 300


def test_stream_options_need_a_stream() -> None:
    assert refusal(chat(stream_options={"include_usage": True})).param == "stream_options"
    assert refusal(chat(stream=False, stream_options={})).param == "stream_options"
    check_chat(chat(stream=True, stream_options={"include_usage": True}), Caps())
    check_chat(chat(stream_options=None), Caps())


def test_the_operators_caps_hold() -> None:
    caps = Caps(max_n=2, max_output_tokens=100)
    for fields in ({"n": 3}, {"max_tokens": 101}, {"max_completion_tokens": 101}):
        assert refusal(chat(**fields), caps).param == next(iter(fields))
    check_chat(chat(n=2, max_tokens=100), caps)


@pytest.mark.parametrize("name", RISKY_FIELDS)
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


@pytest.mark.parametrize("prompt", ["Hello", "", ["a", "b"], [1, 2, 3], [[1, 2], [3]]])
def test_prompts_of_every_shape_pass(prompt: Any) -> None:
    check_completion({"prompt": prompt}, Caps())


@pytest.mark.parametrize("fields", [{}, {"prompt": None}, {"prompt": 7}, {"prompt": {"a": 1}}])
def test_prompts_of_a_wrong_shape_are_named(fields: dict[str, Any]) -> None:
    with pytest.raises(InvalidRequest) as refused:
        check_completion(fields, Caps())
    assert refused.value.param == "prompt"


# Media.

FETCHED = [
    "http://10.0.0.1/cat.png",
    "https://example.com/cat.png",
    "HTTP://EXAMPLE.COM/",
    "ftp://host/x",
    "file:///etc/passwd",
    "//169.254.169.254/latest/meta-data",
    "/etc/passwd",
    " http://10.0.0.1/",
    "gopher://host/",
    "blob:x",
]


@pytest.mark.parametrize("url", FETCHED)
@pytest.mark.parametrize("kind", ["image_url", "video_url", "audio_url", "file_url"])
def test_an_engine_is_made_to_fetch_nothing(kind: str, url: str) -> None:
    for value in ({"url": url}, url):
        with pytest.raises(InvalidRequest) as refused:
            check_media("messages.0.content.0", {"type": kind, kind: value}, Caps())
        assert refused.value.param == f"messages.0.content.0.{kind}"
        assert url not in refused.value.english


@pytest.mark.parametrize(
    "part",
    [
        {"type": "image", "image": "https://example.com/cat.png"},
        {"type": "video", "video": "file:///etc/passwd"},
        {"type": "audio", "audio": "http://example.com/a.wav"},
        {"type": "file", "file": {"file_data": "https://example.com/x.pdf"}},
        {"type": "input_audio", "input_audio": {"data": "http://example.com/a.wav"}},
        {"type": "image_url", "image_url": {"url": IMAGE, "data": "x"}, "video_url": {"url": "http://h/"}},
    ],
)
def test_other_ways_to_name_a_medium_are_refused_too(part: dict[str, Any]) -> None:
    with pytest.raises(InvalidRequest):
        check_media("messages.0.content.0", part, Caps())


@pytest.mark.parametrize(
    "part",
    [
        {"type": "image_url", "image_url": {"url": IMAGE}},
        {"type": "image_url", "image_url": IMAGE.replace("data:", "DATA:")},
        {"type": "input_audio", "input_audio": {"data": "UklGRg==", "format": "wav"}},
        {"type": "file", "file": {"file_data": "JVBERi0=", "filename": "a.pdf"}},
        {"type": "file", "file": {"file_id": "file-7"}},
        {"type": "text", "text": "see https://example.com"},
        {"type": "image_url", "image_url": None},
    ],
)
def test_media_that_come_along_pass(part: dict[str, Any]) -> None:
    check_media("messages.0.content.0", part, Caps())


def test_media_have_a_size() -> None:
    part = {"type": "image_url", "image_url": {"url": IMAGE + "A" * 2000}}
    with pytest.raises(InvalidRequest, match="over 1000 bytes"):
        check_media("m", part, Caps(max_media_bytes=1000))
    check_media("m", part, Caps(max_media_bytes=2000))


def test_media_inside_messages_are_found() -> None:
    content = [{"type": "text", "text": "x"}, {"type": "image_url", "image_url": {"url": "http://10.0.0.1/"}}]
    assert refusal({"messages": [{"role": "user", "content": content}]}).param == "messages.0.content.1.image_url"


@pytest.mark.parametrize("kind", ["image_embeds", "audio_embeds", "video_embeds"])
def test_raw_tensors_are_refused_until_allowed(kind: str) -> None:
    part = {"type": kind, kind: "AAAA"}
    with pytest.raises(InvalidRequest) as refused:
        check_media("m", part, Caps())
    assert refused.value.param == f"m.{kind}"
    check_media("m", part, Caps(allow_fields=frozenset({kind})))


def test_no_tool_lives_where_a_caller_names() -> None:
    tools = [{"type": "function", "name": "f"}, {"type": "mcp", "server_url": "http://10.0.0.1/mcp"}]
    with pytest.raises(InvalidRequest) as refused:
        check_tools(tools)
    assert refused.value.param == "tools.1.server_url"
    for fine in (None, "x", [], ["x"], tools[:1], [{"type": "mcp", "server_label": "inside"}]):
        check_tools(fine)


def test_risky_fields_are_checked_alone_for_other_dialects() -> None:
    with pytest.raises(InvalidRequest, match="api_base"):
        check_risky({"api_base": "http://10.0.0.1"}, Caps())
    check_risky({"input": "x"}, Caps())
