"""Any bytes are a JSON object or refused, and reading them costs no more than their length allows."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hayate.errors import InvalidRequest
from hayate.wire.request_body import MAX_DEPTH, inside, model_of, parse_object
from tests.support.tables import table


def test_an_object_is_read() -> None:
    assert parse_object('{"prompt":"こんにちは","n":1}'.encode()) == {"prompt": "こんにちは", "n": 1}


@table(
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
        (b"\xef\xbb\xbf", "is empty"),
        (b"\xef\xbb\xbf[1]", "send a JSON object"),
        (b'\xef\xbb\xbf\xef\xbb\xbf{"a":1}', "not valid JSON"),
        (b'{"a":1}\xef\xbb\xbf', "not valid JSON"),
        (b'{"a":"\xff"}', "not valid JSON"),
        (b'{"a":"\\ud800"}', "not valid JSON"),
        (b'{"a":"\x00"}', "not valid JSON"),
    ],
)
def test_what_is_not_an_object_is_named(body: bytes, said: str) -> None:
    with pytest.raises(InvalidRequest, match=said):
        parse_object(body)


@table("opening", [b"[", b'{"a":', b'[{"a":'])
@table("levels", [MAX_DEPTH + 1, 1000, 100_000])
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


@table("flat", [0, 63, 64, 1000])
@table("opening", [b"[", b'{"a":'])
def test_the_limit_is_the_same_beside_long_lists(opening: bytes, flat: int) -> None:
    numbers = b"1," * flat
    closing = b"]" if opening == b"[" else b"}"
    for levels, fine in ((MAX_DEPTH - 2, True), (MAX_DEPTH, False)):
        body = b'{"x":[' + numbers + opening * levels + b"1" + closing * levels + b"]}"
        body += b" " * 70_000 * (flat % 2)  # long bodies are looked through another way
        if fine:
            assert parse_object(body)
        else:
            with pytest.raises(InvalidRequest, match="deeper"):
                parse_object(body)


def test_what_is_nested_in_long_lists_and_objects_is_found() -> None:
    found = inside([[*range(100), {"a": 1}], {str(n): n for n in range(100)} | {"z": [1]}, [], {}])
    assert found == [{"a": 1}, [1]]


@table("unit", ["[]", "{}", "[[[]]]", '{"a":1}', '"x"', "1", "1.5"])
def test_too_many_values_are_refused_with_the_setting_named(unit: str) -> None:
    body = b'{"x":[' + b",".join([unit.encode()] * 250_000) + b"]}"
    with pytest.raises(InvalidRequest, match="max_json_weight_per_mib") as refused:
        parse_object(body)
    assert "max_json_weight_per_mib" in refused.value.japanese
    assert parse_object(body, 15_000_000)["x"]


def test_a_models_name_is_a_text() -> None:
    assert [model_of(each) for each in ({}, {"model": None}, {"model": "fast"})] == [None, None, "fast"]
    for wrong in [7, ["fast"], {}, True]:
        with pytest.raises(InvalidRequest) as refused:
            model_of({"model": wrong})
        assert refused.value.param == "model"


def test_a_byte_order_mark_is_skipped() -> None:
    assert parse_object(b'\xef\xbb\xbf {"a":"\xef\xbb\xbf"}') == {"a": "\ufeff"}
