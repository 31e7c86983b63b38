"""What decoders of all dialects keep of their stream: one stream's alone, and in slots."""

from __future__ import annotations

from hayate.wire.decoder import DecoderState
from hayate.wire.generate import GenerateStream
from hayate.wire.openai_stream import OpenAIStream
from hayate.wire.passed_json import PassedJson
from hayate.wire.passthrough_stream import PassthroughStream, RawStream
from hayate.wire.paths import MESSAGES
from tests.support.tables import table

MADE: list[DecoderState] = [
    DecoderState(),
    OpenAIStream(keep_usage=True),
    PassthroughStream(MESSAGES),
    RawStream(),
    PassedJson(),
    GenerateStream(OpenAIStream(keep_usage=True), stream_id="s", model="m"),
]


@table("decoder", MADE)
def test_before_anything_has_come_nothing_is_known(decoder: DecoderState) -> None:
    assert (decoder.finish_reason, decoder.has_output, decoder.finished, decoder.failure) == (None, False, False, None)
    assert decoder.usage.completion_tokens == 0
    assert decoder.release() == b""


@table("decoder", MADE)
def test_what_is_read_with_every_piece_lies_in_slots(decoder: DecoderState) -> None:
    assert not hasattr(decoder, "__dict__")


def test_one_streams_usage_is_no_others() -> None:
    first, second = DecoderState(), DecoderState()
    first.usage.take({"prompt_tokens": 7, "completion_tokens": 3})
    assert (first.usage.completion_tokens, second.usage.completion_tokens) == (3, 0)


def test_where_no_dialect_says_otherwise_every_event_is_looked_at() -> None:
    assert DecoderState().plain_reader is None
    assert OpenAIStream(keep_usage=True).plain_reader is not None
