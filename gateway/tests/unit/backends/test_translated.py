"""Adapters that write the answers themselves give every answer an id and a time of its own."""

from __future__ import annotations

import pytest

from hayate.backends.ollama_client import OllamaClient
from hayate.upstream_errors import UpstreamBroke


def test_ids_differ_and_the_clock_is_used() -> None:
    dialect = OllamaClient(clock=lambda: 1_700_000_000.9)
    writers = [dialect._writer({}, "m", chat=chat) for chat in (True, True, False)]
    assert len({writer.answer_id for writer in writers}) == 3
    assert writers[0].answer_id.startswith("chatcmpl-")
    assert writers[2].answer_id.startswith("cmpl-")
    assert b'"created":1700000000' in writers[0].text("a")


def test_a_whole_answer_is_never_expected() -> None:
    with pytest.raises(UpstreamBroke):
        OllamaClient().whole_answer(b"{}")
