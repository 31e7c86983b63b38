"""Ollama's keep_alive: how long a model stays in memory after a call, from none at all to for ever.

What is special: a call without `keep_alive` leaves a loaded model's as it is, and loads one that is not loaded for Ollama's own
five minutes. So whoever loads and unloads says `keep_alive` here and nowhere else: a call that comes too late for that may
bring its model back, but never for ever. The model is loaded with the context that all calls have: another one would have it
loaded anew.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import orjson

from hayate.backends.control import By, parsed
from hayate.language import Text
from hayate.upstream_errors import UpstreamRefused
from hayate.wire.upstream_request import UpstreamRequest


@dataclass(frozen=True, slots=True)
class KeepAlive:
    """Ollama's, for one tag."""

    model: str | None
    num_ctx: int
    how: ClassVar[By] = "keep_alive"
    missing: ClassVar[Text] = Text(
        "what answers there is no Ollama, or one that has no such model: is the address right, and is the model pulled?",
        "応答しているのはOllamaではないか、モデルがありません。アドレスと、モデルを取得（pull）済みかを確認してください",
    )

    def ask(self) -> UpstreamRequest:
        """The models that are loaded. Ollama may keep this waiting while it loads one."""
        return UpstreamRequest("/api/ps", method=b"GET")

    def read(self, status: int, body: bytes) -> bool | None:
        """A tag may go without saying."""
        told = parsed(body) if status == 200 else None
        listed = told.get("models") if isinstance(told, dict) else None
        if self.model is None or not isinstance(listed, list):
            return None
        names = {each.get("name") for each in listed if isinstance(each, dict)}
        return not names.isdisjoint({self.model, f"{self.model}:latest"})

    def sleeps(self, status: int, body: bytes) -> bool:
        """When it is not in memory."""
        return self.read(status, body) is False

    def look(self) -> None:
        """Nothing."""

    def load(self, seen: bytes) -> tuple[UpstreamRequest, ...]:
        """No prompt loads it, and is answered when that is done."""
        return (self._request({"keep_alive": -1, "options": {"num_ctx": self.num_ctx}}),)

    def unload(self, *, at_once: bool = False) -> tuple[UpstreamRequest, ...]:
        """Answered at once; it goes when no call is left."""
        return (self._request({"keep_alive": 0}),)

    def why(self) -> None:
        """Its answers say it."""

    def read_why(self, body: bytes) -> None:
        """Never asked."""

    def _request(self, fields: dict[str, object]) -> UpstreamRequest:
        body = {"model": named(self.model), "prompt": "", "stream": False, **fields}
        return UpstreamRequest("/api/generate", orjson.dumps(body))


def named(model: str | None) -> str:
    """The tag. Raises UpstreamRefused when none is known."""
    if model is None:
        raise UpstreamRefused(
            "No model is known at this Ollama: set MODEL, and pull the model.",
            "Ollamaのモデルが分かりません。MODELを設定し、モデルを取得（pull）してください。",
            retry_after_s=5,
        )
    return model
