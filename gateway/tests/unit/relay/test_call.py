"""One call on its way to an engine: whether an adapter may have added to it."""

from __future__ import annotations

from typing import Any

from hayate.relay.call import Call
from hayate.telemetry.record import CallRecord
from hayate.wire.paths import CHAT, EMBEDDINGS, MESSAGES, TEXT
from tests.support.tables import table


@table(
    ("path", "fields", "may"),
    [
        (CHAT, {}, True),
        (TEXT, {"stream": True}, True),
        (CHAT, {"stream_options": None}, True),
        (CHAT, {"stream_options": {}}, True),
        (CHAT, {"stream_options": {"include_usage": True}}, False),
        (CHAT, {"stream_options": {"include_usage": False}}, False),
        (EMBEDDINGS, {}, False),
        (MESSAGES, {"stream": True}, False),
    ],
)
def test_additions_are_made_to_completions_whose_caller_sent_none_of_its_own(
    path: str, fields: dict[str, Any], may: bool
) -> None:
    call = Call(path, "m", fields, record=CallRecord("id-1", "chat", 0.0))
    assert call.takes_additions is may


def test_nobody_is_told_what_is_left_out_unless_that_is_asked_for() -> None:
    assert Call(CHAT, "m", {}, record=CallRecord("id-1", "chat", 0.0)).answer_headers is None
