"""What the adapters of engines with a dialect of their own share: they are always asked for a stream, and it is written anew."""

from __future__ import annotations

import secrets
import time
from abc import abstractmethod
from typing import Any

from hayate.backends.adapter import Adapter, for_a_stream
from hayate.backends.base import Asked, Assembly, Clock, Prepared, WholeAnswer
from hayate.backends.openai_compat import wants_usage
from hayate.upstream_errors import UpstreamBroke
from hayate.wire.assemble import Assembler
from hayate.wire.chunks import ChunkWriter
from hayate.wire.decoder import StreamDecoder
from hayate.wire.paths import CHAT, COMPLETIONS
from hayate.wire.upstream_request import UpstreamRequest


class TranslatingAdapter(Adapter):
    """A base for such adapters; `clock` is for the answers' `created`."""

    heeds_parallel_tool_calls = False
    always_streams = True

    def __init__(self, clock: Clock = time.time) -> None:
        self._clock = clock

    def prepare(self, asked: Asked, served_model: str | None) -> Prepared:
        """A completion in the engine's own words; whole for the client only once it has been streamed here."""
        if asked.path not in COMPLETIONS:
            return self._passed(asked, served_model)
        chat = asked.path == CHAT
        fields = asked.fields if asked.streams else for_a_stream(asked.fields)
        request, decoder = self._translated(fields, served_model, chat=chat)
        request.streams = True
        return Prepared(request, decoder, None if asked.streams else Assembly(Assembler(chat=chat)))

    @abstractmethod
    def _translated(
        self, fields: dict[str, Any], served_model: str | None, *, chat: bool
    ) -> tuple[UpstreamRequest, StreamDecoder]:
        """The request for a stream, and what reads that. Raises GatewayError for what the engine can't do."""

    def whole_answer(self, raw: bytes) -> WholeAnswer:
        """Never expected: a stream was asked for."""
        raise UpstreamBroke(
            "The engine sent a whole answer where a stream was asked for.",
            "エンジンがストリームではない回答を送りました。",
        )

    def _writer(self, fields: dict[str, Any], model: str, *, chat: bool) -> ChunkWriter:
        kind = "chatcmpl" if chat else "cmpl"
        return ChunkWriter(
            answer_id=f"{kind}-{secrets.token_hex(12)}",
            created=int(self._clock()),
            model=model,
            chat=chat,
            include_usage=wants_usage(fields),
        )
