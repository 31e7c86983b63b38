"""A response of an engine that keeps nothing, told as one that is kept here: by our id, with what it goes on from."""

from __future__ import annotations

from typing import Any, Final

from hayate.wire import sse
from hayate.wire.engine_json import Unreadable, read, write

_HOLDS: Final = b'"response":'
"""Of the few events that hold a response. Inside a string the quotes are escaped."""


class Retold:
    """One per call. `response_id`: its id here; None where it is not kept."""

    __slots__ = ("_conversation", "_id", "_previous")

    def __init__(self, response_id: str | None, *, previous: str | None, conversation: str | None) -> None:
        self._id = response_id
        self._previous = previous
        self._conversation = conversation

    def events(self, whole: bytes) -> bytes:
        """The engine's events, as they are told here."""
        if _HOLDS not in whole:
            return whole
        return b"".join(map(self._event, sse.frames(whole)))

    def put(self, response: dict[str, Any], *, kept: bool = True) -> None:
        """What the gateway says of a response, in place of what its engine says. `kept`: not if that has failed."""
        if self._id is not None:
            response["id"] = self._id
        response["previous_response_id"] = self._previous
        response["store"] = kept and self._id is not None
        if self._conversation is not None:
            response["conversation"] = {"id": self._conversation}

    def _event(self, frame: bytes, *, kept: bool = True) -> bytes:
        if _HOLDS not in frame:
            return frame
        try:
            event = read(sse.data_of(frame) or b"null")
        except Unreadable:
            return frame
        response = event.get("response") if isinstance(event, dict) else None
        if not isinstance(response, dict):
            return frame
        self.put(response, kept=kept)
        name = sse.event_of(frame).decode("latin-1")
        return sse.render(write(event), event=None if name == "message" else name)

    def unkept(self, whole: bytes) -> bytes:
        """Events that say of a kept response that it is one, as they are told when it could not be kept."""
        return b"".join([self._event(frame, kept=False) for frame in sse.frames(whole)])
