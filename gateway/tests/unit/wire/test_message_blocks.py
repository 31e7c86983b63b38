"""Anthropic's blocks become parts and the same blocks again."""

from __future__ import annotations

from typing import Any

from hayate.wire.message_blocks import block_of, part_of
from tests.support.tables import table

CACHED = {"cache_control": {"type": "ephemeral"}}
CODED = {"type": "base64", "media_type": "image/png", "data": "AAAA"}


@table(
    "block",
    [
        {"type": "text", "text": "東京"},
        {"type": "text", "text": "x", **CACHED, "citations": [{"type": "char_location"}]},
        {"type": "image", "source": CODED},
        {"type": "image", "source": {**CODED, "x": 1}, **CACHED},
        {"type": "image", "source": {"type": "url", "url": "https://images.example/a.png"}},
        {"type": "image", "source": {"type": "file", "file_id": "file_1"}},
        {"type": "image", "source": {"type": "base64", "media_type": "image/png"}},
        {"type": "image"},
        {"type": "document", "source": {**CODED, "media_type": "application/pdf"}, "title": "a.pdf", "context": "c"},
        {"type": "document", "source": {"type": "url", "url": "https://x.example/a.pdf"}},
        {"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": "words"}, "title": "a"},
        {"type": "document", "source": {"type": "content", "content": []}},
        {"type": "search_result", "source": "x", "title": "t", "content": []},
        {"type": "server_tool_use", "id": "a", "name": "web_search", "input": {}},
    ],
)
def test_a_block_comes_back_as_it_was(block: dict[str, Any]) -> None:
    assert block_of(part_of(block, "user")) == block


def test_a_document_of_text_is_text_to_all() -> None:
    source = {"type": "text", "media_type": "text/plain", "data": "words"}

    assert part_of({"type": "document", "source": source}, "user")["text"] == "words"


def test_parts_of_others_are_said_as_far_as_there_are_words() -> None:
    assert block_of({"type": "refusal", "refusal": "no"}) == {"type": "text", "text": "no"}
    assert block_of({"type": "output_audio", "data": "AAAA", "transcript": "hi"}) == {"type": "text", "text": "hi"}
    assert block_of({"type": "output_audio", "data": "AAAA"}) is None
    assert block_of({"type": "input_text", "text": ""}) is None
    assert block_of({"type": "input_audio", "input_audio": {"data": "AAAA", "format": "wav"}}) is None
    assert block_of({"type": "other", "hayate": {"chat": {"type": "video_url"}}}) is None
    assert block_of({"type": "reasoning_text", "text": "Hmm."}) is None
    assert block_of({"type": "input_image", "image_url": "data:image/png;base64,AAAA", "detail": "low"}) == {
        "type": "image",
        "source": CODED,
    }
