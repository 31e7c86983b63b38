"""What all adapters share: how a path that is not translated passes through, and what an engine has no part in."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar, Final

import orjson

from hayate.backends.base import Asked, Clock, Counting, Prepared
from hayate.backends.control import Control
from hayate.backends.responses import through_chat
from hayate.errors import GatewayError, NotSupported
from hayate.policy.ceiling import Load
from hayate.wire.gauges import samples
from hayate.wire.passthrough_stream import LAST_EVENTS, PassthroughStream
from hayate.wire.paths import CHAT, MESSAGES, RESPONSES
from hayate.wire.responses_to_chat import chat_fields
from hayate.wire.upstream_request import UpstreamRequest

ASKED_AGAIN_S: Final = 600.0
"""How long an engine is not asked for what it has said to have not."""


@dataclass(frozen=True, slots=True)
class Gauges:
    """Where an engine tells Prometheus how busy it is, and by which names; of those for the cache's use, any."""

    path: str
    running: bytes
    waiting: bytes
    kv_use: tuple[bytes, ...] = ()


class Adapter(ABC):
    """A base for adapters. Nothing is added to a request, and nothing taken from its answer, where one does not say otherwise."""

    name: str
    lines_are_documents = False
    passes: ClassVar[frozenset[str]] = frozenset()
    """The gateway's paths beside the completions that the engine has too."""
    heeds_parallel_tool_calls = True
    always_streams = False
    """A completion is asked for as a stream even where the client wants it whole."""
    _gauges: ClassVar[Gauges | None] = None
    """None: it does not tell how busy it is."""
    _clock: Clock = staticmethod(time.time)
    _chat_until_s: float = 0.0
    """So long responses are made of chats: the engine has said that it has none, and may be another release by then."""

    @abstractmethod
    def prepare(self, asked: Asked, served_model: str | None) -> Prepared:
        """The call as this engine takes it. Raises GatewayError."""

    def concede(self, error: GatewayError) -> bool:
        """False: nothing is added that an engine could refuse."""
        return False

    def restore(self) -> None:  # noqa: B027  # most have nothing to restore
        """Nothing was left out that could be added again."""

    def counting(self, asked: Asked, served_model: str | None) -> Counting | Callable[[], int] | None:
        """A response has the prompt of the chat that it amounts to. Raises InvalidRequest."""
        if asked.path == RESPONSES:
            chat, _ = chat_fields(self.name, asked.fields, limits_calls=self.heeds_parallel_tool_calls)
            return self._counting_chat(Asked(CHAT, asked.model, chat), served_model)
        if asked.path == MESSAGES:
            return self._counting_messages(asked, served_model)
        return self._counting_chat(asked, served_model) if asked.path == CHAT else None

    def _counting_chat(self, asked: Asked, served_model: str | None) -> Counting | Callable[[], int] | None:
        """None: most engines count only what they are to answer."""
        return None

    def _counting_messages(self, asked: Asked, served_model: str | None) -> Counting | None:
        """None here, too."""
        return None

    def lacks(self, path: str) -> bool:
        """A response can be made of a chat, too."""
        if path != RESPONSES:
            return False
        self._chat_until_s = self._clock() + ASKED_AGAIN_S
        return True

    def control(self, served_model: str | None) -> Control | None:
        """None: most engines have their model in memory as long as they run."""
        return None

    def load(self) -> UpstreamRequest | None:
        """What Prometheus would read of it."""
        return None if self._gauges is None else UpstreamRequest(self._gauges.path, method=b"GET")

    def read_load(self, body: bytes) -> Load | None:
        """The figures of all its parts together, where an engine has several; of caches, the fullest."""
        if self._gauges is None or not (waiting := samples(body, self._gauges.waiting)):
            return None
        running = samples(body, self._gauges.running)
        use = [each for name in self._gauges.kv_use for each in samples(body, name)]
        return Load(int(sum(running)) if running else None, int(sum(waiting)), max(use, default=None))

    def _has_chat_alone_for(self, path: str) -> bool:
        return path == RESPONSES and (path not in self.passes or self._clock() < self._chat_until_s)

    def _passed(self, asked: Asked, served_model: str | None) -> Prepared:
        """A request that changes in its model's name alone, or a response through the engine's chat, where it has no other.
        Raises NotSupported where the engine has no such path.
        """
        path, form = asked.path, asked.form
        if self._has_chat_alone_for(path):
            return through_chat(self, asked, served_model, self._clock)
        if path not in self.passes:
            raise NotSupported(
                f"{self.name} has no {path}; ask a model on an engine that has it.",
                f"{self.name} には {path} がありません。対応するエンジンのモデルを指定してください。",
            )
        if form is not None:
            return Prepared(UpstreamRequest(path, form.naming(served_model), content_type=form.content_type))
        sent = asked.fields if served_model is None else {**asked.fields, "model": served_model}
        streams = path in LAST_EVENTS and bool(sent.get("stream"))
        request = UpstreamRequest(path, orjson.dumps(sent), streams=streams)
        return Prepared(request, PassthroughStream(path) if streams else None)


def for_a_stream(fields: dict[str, Any]) -> dict[str, Any]:
    """The fields of a completion that the client wants whole and the engine is asked to stream, with all that it counts."""
    return {**fields, "stream": True, "stream_options": {"include_usage": True}}
