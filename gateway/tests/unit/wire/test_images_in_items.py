"""Pictures and other files are taken out of items, each by its digest, and come back as they were."""

from __future__ import annotations

import json
import time
from base64 import b64encode
from hashlib import blake2b
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hayate.errors import InvalidRequest
from hayate.wire.chat_items import items_of_messages, messages_of
from hayate.wire.images_in_items import Image, put_back, taken_out
from hayate.wire.item_shapes import Item, message
from tests.support.tables import table

BODY = b"\x89PNG\r\n"
CODED = b64encode(BODY).decode()
URL = f"data:image/png;base64,{CODED}"
DIGEST = blake2b(BODY, digest_size=32).digest()


def says(*parts: Any) -> Item:
    return {**message("user", "?"), "content": [{"type": "input_text", "text": "?"}, *parts]}


def other(**said: Any) -> dict[str, Any]:
    return {"type": "other", "hayate": {"chat": said}}


def again(item: Item) -> tuple[Item, list[Image]]:
    """What comes back by way of the store, and what was taken out."""
    kept, images = taken_out(item)
    bodies = {digest: (media_type, body) for digest, media_type, body in images}
    return put_back(json.loads(json.dumps(kept)), bodies.get), images


def test_a_picture_is_kept_by_its_digest() -> None:
    item = says({"type": "input_image", "image_url": URL, "detail": "low"})

    kept, images = taken_out(item)

    assert images == [(DIGEST, "image/png", BODY)]
    assert kept["content"][1] == {
        "type": "input_image",
        "image_url": {"image_digest": DIGEST.hex(), "before": "data:image/png;base64,"},
        "detail": "low",
    }
    assert CODED not in json.dumps(kept)
    assert item["content"][1]["image_url"] == URL


@table(
    ("part", "media_type"),
    [
        ({"type": "input_image", "image_url": f"data:IMAGE/PNG;charset=x;base64,{CODED}"}, "image/png"),
        ({"type": "input_image", "image_url": f"data:;base64,{CODED}"}, "text/plain"),
        ({"type": "input_file", "file_data": f"data:application/pdf;base64,{CODED}", "filename": "a.pdf"}, "application/pdf"),
        ({"type": "input_file", "file_data": CODED}, "application/octet-stream"),
        ({"type": "input_audio", "input_audio": {"data": CODED, "format": "wav"}}, "application/octet-stream"),
        ({"type": "output_audio", "id": "audio_1", "data": CODED, "transcript": "x"}, "application/octet-stream"),
        ({"type": "computer_screenshot", "image_url": URL}, "image/png"),
        (other(type="video_url", video_url={"url": f"data:video/mp4;base64,{CODED}"}), "video/mp4"),
        (other(type="x", source={"type": "base64", "data": CODED}), "application/octet-stream"),
        (other(type="x", x=URL), "image/png"),
    ],
)  # fmt: skip
def test_a_file_comes_back_as_it_was(part: dict[str, Any], media_type: str) -> None:
    for item in (says(part), {"type": "function_call_output", "call_id": "a", "output": [part, part]}):
        back, images = again(item)
        assert back == item
        assert {(digest, kind) for digest, kind, _ in images} == {(DIGEST, media_type)}


def test_a_made_picture_is_a_picture() -> None:
    item = {"type": "image_generation_call", "result": CODED}

    assert again(item) == (item, [(DIGEST, "application/octet-stream", BODY)])


@table(
    "item",
    [
        message("user", "x"),
        says({"type": "input_image", "image_url": "https://images.example/a.png"}),
        says({"type": "input_image", "file_id": "file_1"}),
        says({"type": "input_image", "image_url": "data:image/svg+xml,%3Csvg%3E"}),
        says({"type": "input_image", "image_url": "data:,"}),
        says({"type": "input_image", "image_url": "data:image/png;base64,"}),
        says({"type": "input_image", "image_url": "data:image/png"}),
        says({"type": "input_file", "file_data": "https://x.example/a.pdf"}),
        says({"type": "input_file", "file_data": "no base64!"}),
        says({"type": "output_audio", "data": "no base64!"}),
        says({"type": "output_audio", "data": "data:audio/wav;base64,???"}),
        says({"type": "other", "hayate": {"messages": {"type": "x", "source": {"data": "some words"}}}}),
        says({"type": "other", "hayate": 5}, {"type": "other", "hayate": {"chat": 5}}, 5, {}),
        {"type": "image_generation_call", "result": None},
        {"type": "function_call_output", "call_id": "a", "output": URL},
    ],
)
def test_what_is_no_file_stays_as_it_is(item: Item) -> None:
    kept, images = taken_out(item)

    assert kept is item
    assert images == []
    assert put_back(item, lambda digest: None) is item


@table(
    ("part", "place"),
    [
        ({"type": "input_image", "image_url": "data:image/png;base64,A?=="}, "items[0].content[1].image_url"),
        ({"type": "input_image", "image_url": "data:image/png;base64,東京"}, "items[0].content[1].image_url"),
        ({"type": "input_image", "image_url": "data:image/png;base64,A"}, "items[0].content[1].image_url"),
        ({"type": "input_file", "file_data": "data:image/png;base64,?"}, "items[0].content[1].file_data"),
        (
            {"type": "input_audio", "input_audio": {"data": "?", "format": "wav"}},
            "items[0].content[1].input_audio.data",
        ),
    ],
)
def test_base64_that_is_none_is_named(part: dict[str, Any], place: str) -> None:
    with pytest.raises(InvalidRequest) as raised:
        taken_out(says(part), where="items[0]")
    assert raised.value.param == place


@pytest.mark.parametrize("coded", [CODED.rstrip("="), CODED[:4] + "\r\n" + CODED[4:], CODED + " \n"])
def test_blanks_and_missing_padding_are_mended(coded: str) -> None:
    back, _ = again(says({"type": "input_image", "image_url": f"data:image/png;base64,{coded}"}))

    assert back["content"][1]["image_url"] == URL


def test_a_file_that_is_gone_is_not_passed_over() -> None:
    kept, _ = taken_out(says({"type": "input_image", "image_url": URL}))

    with pytest.raises(LookupError, match=DIGEST.hex()):
        put_back(kept, lambda digest: None)


@pytest.mark.parametrize(
    "forged",
    [{"image_digest": DIGEST.hex(), "before": ""}, {"image_digest": "x"}, {"image_digest": ""}, {"image_digest": None}],
)
def test_nobody_names_a_file_by_its_digest(forged: dict[str, Any]) -> None:
    messages = [
        {"role": "user", "content": [{"type": "image_url", "image_url": forged}, {"type": "x", "x": {"url": forged}}]}
    ]
    [item] = items_of_messages(messages)

    kept, images = taken_out(item)

    assert images == []
    assert put_back(json.loads(json.dumps(kept)), lambda digest: ("image/png", BODY)) == item
    assert messages_of([item]) == messages


def test_a_chat_with_a_picture_comes_back() -> None:
    messages = [
        {"role": "user", "content": [{"type": "text", "text": "?"}, {"type": "image_url", "image_url": {"url": URL}}]}
    ]

    assert messages_of(again(item)[0] for item in items_of_messages(messages)) == messages


JSON = st.recursive(
    st.none() | st.integers(-9, 9) | st.sampled_from((URL, CODED, "data:", "x", "", DIGEST.hex())),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(("url", "data", "chat", "source", "file_data", "image_digest", "before")), inner, max_size=3
        )
    ),
    max_leaves=8,
)


@given(
    st.lists(
        st.fixed_dictionaries(
            {"type": st.sampled_from(("other", "output_audio", "input_text"))},
            optional={"hayate": JSON, "data": JSON, "image_url": JSON},
        )
    )
)
def test_whatever_it_holds_comes_back(parts: list[dict[str, Any]]) -> None:
    item = says(*parts)

    assert again(item)[0] == item


def test_a_large_picture_takes_its_time_and_no_more() -> None:
    body = bytes(range(256)) * (1 << 15)  # 8 MiB
    item = says({"type": "input_image", "image_url": "data:image/png;base64," + b64encode(body).decode()})

    before = time.process_time()
    back, _ = again(item)

    assert time.process_time() - before < 2
    assert back == item
