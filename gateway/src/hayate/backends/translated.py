"""What the adapters of engines with a dialect of their own share: they are always asked for a stream, and it is written anew."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable
from typing import Any

from hayate.backends.base import WholeAnswer
from hayate.backends.openai_compat import wants_usage
from hayate.backends.passthrough import PassedThrough
from hayate.errors import UpstreamBroke
from hayate.wire.chunks import ChunkWriter
from hayate.wire.upstream_request import UpstreamRequest

Clock = Callable[[], float]


class ForeignDialect(PassedThrough):
    """A base for such adapters; `clock` gives seconds since 1970, for the answers' `created`."""

    always_streams = True

    def __init__(self, clock: Clock = time.time) -> None:
        self._clock = clock

    def asleep(self) -> UpstreamRequest | None:
        """Most have no such question."""
        return None

    def reads_asleep(self, answer: Any, served_model: str | None) -> bool:
        """Nor an answer."""
        return False

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
