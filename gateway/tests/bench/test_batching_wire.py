"""What the batching engine is asked, and what it says."""

from __future__ import annotations

import json
from typing import Any

import pytest
from bench.batching_wire import NotAsked, Rendering, Wish, parse_wish, text

ROOM = 1000


def asked(content: str = "x" * 380 + "answer:50 .", /, **fields: Any) -> Wish:
    return parse_wish(json.dumps({"messages": [{"role": "user", "content": content}], **fields}).encode(), ROOM)


def test_a_prompt_has_a_token_for_four_characters_and_says_how_long_the_answer_is() -> None:
    assert asked() == Wish(prompt=97, answer=50, cut=False, stream=False, usage=False)
    assert asked(stream=True, stream_options={"include_usage": True}).usage
    assert asked("hello").answer == 16


@pytest.mark.parametrize("name", ["max_tokens", "max_completion_tokens"])
def test_a_limit_cuts_the_answer_and_so_does_the_end_of_the_context(name: str) -> None:
    assert (asked(**{name: 20}).answer, asked(**{name: 20}).reason) == (20, b"length")
    assert (asked(**{name: 90}).answer, asked(**{name: 90}).reason) == (50, b"stop")
    assert asked("answer:5000").answer == ROOM - 2


@pytest.mark.parametrize(
    "body", [b"", b"[]", b"{", b'{"messages":[]}', b'{"messages":[{"content":7}]}', b'{"messages":[{"content":null}]}']
)
def test_what_is_no_chat_of_texts_is_refused(body: bytes) -> None:
    with pytest.raises(NotAsked, match="messages of text"):
        parse_wish(body, ROOM)


def test_a_prompt_that_leaves_no_room_is_refused_as_vllm_does() -> None:
    with pytest.raises(NotAsked, match="maximum context length is 1000 tokens"):
        asked("x" * 4000)


def events(raw: bytes) -> list[dict[str, Any]]:
    """The events of chunks, checked to be whole chunks."""
    found = b""
    while raw:
        size, _, rest = raw.partition(b"\r\n")
        found += rest[: int(size, 16)]
        raw = rest[int(size, 16) + 2 :]
    return [
        json.loads(each.removeprefix("data: ")) for each in found.decode().split("\n\n") if each.startswith("data: {")
    ]


@pytest.mark.parametrize(("interval", "pieces"), [(1, 7), (3, 3), (100, 2)])
def test_a_stream_says_every_token_once_in_events_of_so_many(interval: int, pieces: int) -> None:
    rendering = Rendering(Wish(10, 7, cut=True, stream=True, usage=True))
    said = [rendering.events(produced, interval) for produced in range(1, 8)]
    found = events(b"".join(said))
    contents = [choice["delta"]["content"] for each in found for choice in each["choices"]]

    assert "".join(contents).encode() == text(0, 7)
    assert len(list(filter(None, contents))) == pieces
    assert found[-2]["choices"][0]["finish_reason"] == "length"
    assert found[-1]["usage"] == {"prompt_tokens": 10, "total_tokens": 17, "completion_tokens": 7}
    assert said[-1].endswith(b"data: [DONE]\n\n\r\n0\r\n\r\n")
