"""Parts of chat contents become parts of items and the same again."""

from __future__ import annotations

from typing import Any

import pytest

from hayate.wire.chat_parts import content_of, parts_of
from tests.support.tables import table

URL = "data:image/png;base64,AAAA"
ALIKE: list[dict[str, Any]] = [
    {"type": "image_url", "image_url": {"url": URL}},
    {"type": "image_url", "image_url": {"url": URL, "detail": "high", "x": 1}, "uuid": "u"},
    {"type": "image_url", "image_url": {"detail": "low"}},
    {"type": "input_audio", "input_audio": {"data": "AAAA", "format": "wav"}},
    {"type": "input_audio", "input_audio": None},
    {"type": "file", "file": {"file_id": "file_1"}},
    {"type": "file", "file": {"file_data": URL, "filename": "a.png", "x": 1}, "cache_control": {"type": "ephemeral"}},
    {"type": "file", "file": {"filename": 5}},
    {"type": "file"},
    {"type": "video_url", "video_url": {"url": "data:video/mp4;base64,AAAA"}},
    {"type": "text", "text": "x", "cache_control": {"type": "ephemeral"}},
    {"type": "text", "text": 5},
    {"type": "text"},
    {"type": "refusal", "refusal": "no", "x": 1},
    {"type": "refusal"},
    {"type": "input_image"},
    {"type": "other", "hayate": 5},
]


@table("part", ALIKE)
def test_a_part_comes_back_as_it_was(part: dict[str, Any]) -> None:
    assert content_of(parts_of([part], "user")) == [part]


def test_a_list_of_one_text_is_that_text() -> None:
    assert content_of(parts_of([{"type": "text", "text": "東京"}], "user")) == "東京"
    assert content_of(parts_of("", "user")) == ""
    assert content_of(parts_of(None, "assistant")) == ""
    assert content_of(parts_of([], "user")) == ""


def test_several_texts_stay_apart() -> None:
    texts = [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]

    assert parts_of(texts, "assistant")[0] == {"type": "output_text", "text": "a", "annotations": []}
    assert content_of(parts_of(texts, "assistant")) == texts


@pytest.mark.parametrize(
    ("spelt", "usual"),
    [
        ({"type": "image_url", "image_url": URL}, {"type": "image_url", "image_url": {"url": URL}}),
        (
            {"type": "input_image", "image_url": URL, "detail": "low"},
            {"type": "image_url", "image_url": {"url": URL, "detail": "low"}},
        ),
    ],
)
def test_what_some_clients_write_is_put_as_chats_have_it(spelt: dict[str, Any], usual: dict[str, Any]) -> None:
    assert content_of(parts_of([spelt], "user")) == [usual]


@pytest.mark.parametrize("kind", ["text", "input_text", "output_text"])
def test_a_text_is_a_text_whatever_it_is_called(kind: str) -> None:
    assert content_of(parts_of([{"type": kind, "text": "x"}], "user")) == "x"


def test_what_chats_have_no_words_for_is_left_out() -> None:
    parts: list[dict[str, Any]] = [
        {"type": "other", "hayate": {"messages": {"type": "search_result"}}},
        {"type": "reasoning_text", "text": "Hmm."},
        {"type": "computer_screenshot", "image_url": URL},
        {"type": "summary_text", "text": "In short"},
    ]

    assert content_of(parts) == [
        {"type": "image_url", "image_url": {"url": URL}},
        {"type": "text", "text": "In short"},
    ]
