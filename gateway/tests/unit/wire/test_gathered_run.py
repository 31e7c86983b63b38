"""Texts are taken a piece at a time, and cut where no character is."""

from __future__ import annotations

from hayate.wire.gathered_run import FOLD_TEXT_BYTES, Run
from hayate.wire.plain_event import Shape

AROUND = Shape(b"<", b">", lasts=True)


def test_what_waits_for_its_rest_is_not_taken_unless_there_is_none() -> None:
    run = Run(AROUND)
    run.text += "日".encode() + b"\xe6\x97"
    assert run.take(ends=False) == ("<日>".encode(), 3)
    assert run.text == b"\xe6\x97"
    run.text += b"\xa5\\ud83e"
    assert run.take(ends=True) == ("<日>".encode(), 3)
    assert run.text == b""


def test_a_long_text_is_taken_in_pieces_that_are_whole() -> None:
    run, text = Run(AROUND), "あ" * FOLD_TEXT_BYTES
    run.text += text.encode()
    pieces = []
    while run.text:
        event, size = run.take(ends=True)
        assert 0 < size <= FOLD_TEXT_BYTES
        pieces.append(event[1:-1].decode())
    assert "".join(pieces) == text
