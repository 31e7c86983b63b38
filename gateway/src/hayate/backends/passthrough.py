"""How a relayed endpoint is passed on: as it is, unless an adapter says otherwise."""

from __future__ import annotations

from typing import Any

from hayate.backends.base import Assembling
from hayate.errors import GatewayError
from hayate.wire.decoder import StreamDecoder
from hayate.wire.passthrough_stream import RelayedStream
from hayate.wire.upstream_request import UpstreamRequest


class PassedThrough:
    """A base for adapters: nothing is added to a request, nothing taken from its answer."""

    lines_are_documents = False

    def repeats(self, fields: dict[str, Any]) -> str:
        """Nothing."""
        return ""

    def streamed(self, fields: dict[str, Any]) -> dict[str, Any]:
        """The same, with `stream`."""
        return {**fields, "stream": True}

    def rest(self, fields: dict[str, Any], said: str, tokens: int) -> dict[str, Any] | None:
        """Nothing is left out."""
        return None

    def relayed_fields(self, path: str, fields: dict[str, Any]) -> dict[str, Any]:
        """The fields as they came."""
        return fields

    def relayed_decoder(self, path: str, fields: dict[str, Any], model: str) -> StreamDecoder:
        """Passes events through."""
        return RelayedStream(path)

    def assembler(self, path: str) -> Assembling | None:
        """None: the engine is asked for what the client wants."""
        return None

    def concede(self, error: GatewayError) -> bool:
        """False: nothing is added that an engine could refuse."""
        return False

    def restore(self) -> None:
        """Nothing was left out."""

    def count_prompt(self, path: str, fields: dict[str, Any]) -> UpstreamRequest | None:
        """None: the engine tells."""
        return None
