"""The benchmark's calls go on with conversations, and what it reads of answers is there."""

from __future__ import annotations

import json

import pytest
from bench.dialogue import Asked
from bench.history import ID, at, request
from bench.load import Target

TARGET = Target(8080, "sk-test")


def body(raw: bytes) -> dict[str, object]:
    head, _, found = raw.partition(b"\r\n\r\n")
    assert f"content-length: {len(found)}".encode() in head
    read: dict[str, object] = json.loads(found)
    return read


@pytest.mark.parametrize("conversation", [None, "new", "conv_1"])
def test_a_call_says_which_conversation_it_goes_on_with_and_then_its_turn_alone(conversation: str | None) -> None:
    said = body(request(TARGET, Asked(stream=False), conversation))
    messages = said["messages"]
    assert isinstance(messages, list)
    assert said.get("conversation") == conversation
    assert [each["role"] for each in messages] == (["user"] if conversation == "conv_1" else ["system", "user"])


def test_the_id_is_read_out_of_an_answer() -> None:
    found = ID.search(b'{"id":"x","conversation":{"id":"conv_0a"},"choices":[]}')
    assert found is not None
    assert found[1] == b"conv_0a"


def test_hundredths() -> None:
    values = [float(number) for number in range(100)]
    assert [at(values, part) for part in (0, 50, 99, 100)] == [0, 50, 99, 99]
