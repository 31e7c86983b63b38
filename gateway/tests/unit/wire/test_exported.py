"""An exported conversation is read item by item, however it is laid out; what is none is refused by name."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hayate.errors import InvalidRequest
from hayate.wire.exported import KIND, PAUSE_TOKENS, Exported
from tests.support.tables import table

HEAD: dict[str, Any] = {"object": KIND, "version": 1, "conversation": {"metadata": {"items": "[{"}}}
ITEM = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": 'a "quoted" ]}\\ [{ 文'}]}


def read(raw: bytes) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    document = Exported(raw)
    items = [each for each in document.items() if each is not None]
    assert document.count == len(items)
    return items, document.rest()


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(st.characters(exclude_categories=["Cs"])),
    lambda each: st.lists(each, max_size=4) | st.dictionaries(st.text(st.characters(exclude_categories=["Cs"])), each, max_size=4),
    max_leaves=12,
)  # fmt: skip
OBJECTS = st.lists(st.dictionaries(st.text(st.characters(exclude_categories=["Cs"])), JSON, max_size=4), max_size=5)


@given(
    OBJECTS, OBJECTS, JSON, st.sampled_from([None, 2]), st.booleans(), st.permutations(["head", "items", "responses"])
)
def test_whatever_the_items_hold_and_however_they_are_laid_out_they_are_what_was_written(
    items: list[dict[str, Any]],
    responses: list[dict[str, Any]],
    more: Any,
    indent: int | None,
    ascii_only: bool,
    order: list[str],
) -> None:
    parts = {"head": {**HEAD, "more": more}, "items": {"items": items}, "responses": {"responses": responses}}
    whole = {name: value for each in order for name, value in parts[each].items()}
    raw = json.dumps(whole, indent=indent, ensure_ascii=ascii_only).encode()
    assert read(raw) == (items, {**whole, "items": [], "responses": []})


@table(
    ("raw", "param"),
    [
        (b"", None),
        (b"[]", None),
        (b"{", None),
        (b'"items":[', None),
        (b"{}", "object"),
        (json.dumps({**HEAD, "object": "conversation", "items": []}).encode(), "object"),
        (json.dumps({**HEAD, "conversation": [], "items": []}).encode(), "object"),
        (json.dumps({**HEAD, "version": 2, "items": []}).encode(), "version"),
        (json.dumps({**HEAD, "version": True, "items": []}).encode(), "version"),
        (json.dumps(HEAD).encode(), "items"),
        (json.dumps({**HEAD, "items": {}}).encode(), "items"),
        (json.dumps({**HEAD, "items": None}).encode(), "items"),
        (json.dumps({**HEAD, "items": [1]}).encode(), "items[0]"),
        (json.dumps({**HEAD, "items": ["x"]}).encode(), "items[0]"),
        (json.dumps({**HEAD, "items": [ITEM, []]}).encode(), "items[1]"),
        (json.dumps({**HEAD, "items": [ITEM, None, ITEM]}).encode(), "items[1]"),
        (json.dumps({**HEAD, "items": [ITEM]}).replace("}, {", "} {").encode()[:-1] + b', "items": [{}]}', "items"),
        (b'{"items":[{}{}]}', "items[1]"),
        (b'{"items":[,{}]}', "items[0]"),
        (b'{"items":[{},]}', "items[1]"),
        (b'{"items":[{}}', "items[1]"),
        (b'{"items":[{"a":1}', "items"),
        (b'{"items":[{"a":"', "items"),
        (b'{"items":[{"a":]}]}', None),
        (b'{"items":[{1:2}]}', None),
        (b'{"items":[{]]}', None),
        (b'{"items":[],"responses":[{}', "responses"),
        (b'{"items":[],"responses":[1]}', "responses[0]"),
        (json.dumps({**HEAD, "items": [ITEM], "responses": [ITEM, []]}).encode(), "responses[1]"),
    ],
)
def test_what_is_no_exported_conversation_is_refused_and_the_place_named(raw: bytes, param: str | None) -> None:
    with pytest.raises(InvalidRequest) as refused:
        read(raw)
    assert refused.value.param == param, refused.value
    assert refused.value.japanese != refused.value.english


@given(st.binary(max_size=60), st.integers(0, 200))
def test_whatever_is_broken_is_told_as_a_mistake_of_the_request(noise: bytes, at: int) -> None:
    raw = json.dumps({**HEAD, "items": [ITEM, ITEM]}).encode()
    for broken in (raw[:at] + noise + raw[at:], raw[:at] + noise, raw[at:]):
        try:
            items, rest = read(broken)
        except InvalidRequest:
            continue
        whole = json.loads(broken.decode("utf-8-sig"))
        assert {**rest, "items": items} == {**whole, **({"responses": []} if "responses" in whole else {})}


@table("piece", [b'{"type":"message"},', b"[],", b"[", b'{"a":[]},', b'"' + b"x" * 100 + b'",', b'"\\"', b"]", b"{"])
@table("before", [b'{"items":[', b'{"a":[', b'{"items":[{"a":['])
def test_a_document_takes_time_in_proportion_to_its_length_and_gives_others_theirs(piece: bytes, before: bytes) -> None:
    def seconds(count: int) -> tuple[float, int]:
        raw = before + piece * count
        began, pauses = time.process_time(), 0
        try:
            for each in Exported(raw).items():
                pauses += each is None
        except InvalidRequest:
            pass
        return time.process_time() - began, pauses

    short, long = (min(seconds(count) for _ in range(3)) for count in (4_000, 32_000))
    assert long[0] < 40 * short[0] + 0.005
    assert long[1] <= 32_000 * 6 // PAUSE_TOKENS + 2


@pytest.mark.parametrize("before", [b'{"items":[{"a":[', b'{"conversation":[', b'{"responses":[{"a":['])
@pytest.mark.parametrize("piece", [b"[],", b'"",', b"{},"])
def test_what_a_parser_would_not_be_given_is_refused_before_it_is_read_to_its_end(before: bytes, piece: bytes) -> None:
    pauses: list[object] = []
    with pytest.raises(InvalidRequest, match="too many values"):
        pauses.extend(Exported(before + piece * 1_000_000).items())
    assert len(pauses) < 1_000_000 / PAUSE_TOKENS


def test_more_items_than_a_parser_would_be_given_at_once_are_read_one_by_one() -> None:
    items = [{**ITEM, "n": n} for n in range(5_000)]
    raw = json.dumps({**HEAD, "items": items}).encode()
    found = Exported(raw)
    assert [each for each in Exported(raw.replace(b'"items"', b'"responses"')).items() if each is not None] == []
    read_so_far: list[dict[str, Any]] = []
    between = longest = 0
    for each in found.items():
        between = 0 if each is None else between + 1
        longest = max(longest, between)
        read_so_far += [each] if each is not None else []
    assert read_so_far == items
    assert longest < PAUSE_TOKENS / 10
