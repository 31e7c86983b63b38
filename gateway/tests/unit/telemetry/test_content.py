"""What was said is kept up to its bound, and shown by no record."""

from __future__ import annotations

import pytest

from hayate.telemetry.content import Content
from hayate.telemetry.json_lines import call_lines
from hayate.telemetry.record import CallRecord


def test_an_answer_is_its_pieces() -> None:
    content = Content(1024, 60)
    content.asked(b"prompt")
    for piece in (b"one ", b"", b"two"):
        content.said(piece)
    assert (content.prompt, content.answer, content.size) == (b"prompt", b"one two", 13)
    assert not content.prompt_cut
    assert not content.answer_cut


@pytest.mark.parametrize("length", [9, 10, 11, 10_000])
def test_what_is_too_long_is_cut_there(length: int) -> None:
    content = Content(10, 60)
    content.asked(b"x" * length)
    for _ in range(length):
        content.said(b"y")
    assert (len(content.prompt), len(content.answer)) == (min(10, length),) * 2
    assert (content.prompt_cut, content.answer_cut) == (length > 10,) * 2


def test_no_line_of_the_log_has_it() -> None:
    record = CallRecord("r", "chat", 1.0, content=Content(100, 60))
    assert record.content is not None
    record.content.asked(b"s3cret")
    record.content.said(b"s3cret")
    assert "s3cret" not in repr(record)
    assert b"s3cret" not in call_lines([record])
