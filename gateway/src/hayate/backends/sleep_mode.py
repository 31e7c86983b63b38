"""vLLM's sleep mode: `/sleep`, `/wake_up`, `/is_sleeping`, and what a model needs that slept without its weights.

What is special: asleep at level 2 the weights are gone, and after a plain `/wake_up` it would answer with whatever lies in that
memory. So the weights' memory is woken alone, then they are read anew, then the KV cache is woken; it takes up calls again with
the last of these. Calls that reach a sleeping engine wait there without a word, so `/sleep` waits for those under way instead
of breaking them off, which is what it does unless told otherwise.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Final, Literal

import orjson

from hayate.backends.control import By, parsed
from hayate.language import Text
from hayate.wire.upstream_request import UpstreamRequest

Level = Literal[1, 2]
"""1: the weights go to the host's memory, and back. 2: they are dropped, and read from disk again."""
_STATES: Final = b"vllm:engine_sleep_state{"
_NO_WEIGHTS: Final = b'sleep_state="discard_all"'
"""The one among vLLM's metrics that is 1 while it sleeps at level 2."""
_RELOAD: Final = orjson.dumps({"method": "reload_weights"})


@dataclass(frozen=True, slots=True)
class SleepMode:
    """vLLM's."""

    level: Level = 1
    how: ClassVar[By] = "sleep"
    missing: ClassVar[Text] = Text(
        "it was started without sleep mode: start vLLM with --enable-sleep-mode and VLLM_SERVER_DEV_MODE=1",
        "スリープモードが無効です。--enable-sleep-modeとVLLM_SERVER_DEV_MODE=1を指定してvLLMを起動してください",
    )

    def ask(self) -> UpstreamRequest:
        """404 where sleep mode is not served."""
        return UpstreamRequest("/is_sleeping", method=b"GET")

    def read(self, status: int, body: bytes) -> bool | None:
        """One that is paused sleeps, too, as vLLM puts it."""
        told = parsed(body) if status == 200 else None
        sleeping = told.get("is_sleeping") if isinstance(told, dict) else None
        return not sleeping if isinstance(sleeping, bool) else None

    def sleeps(self, status: int, body: bytes) -> bool:
        """When it is not in memory."""
        return self.read(status, body) is False

    def look(self) -> UpstreamRequest | None:
        """At which level it sleeps, which others may have chosen, or an operator who has changed it since."""
        return UpstreamRequest("/metrics", method=b"GET") if self.level == 1 else None

    def load(self, seen: bytes) -> tuple[UpstreamRequest, ...]:
        """All at once, if it has its weights."""
        if self.level == 1 and not _lacks_weights(seen):
            return (UpstreamRequest("/wake_up"),)
        return (
            UpstreamRequest("/wake_up?tags=weights"),
            UpstreamRequest("/collective_rpc", _RELOAD),
            UpstreamRequest("/wake_up?tags=kv_cache"),
        )

    def unload(self, *, at_once: bool = False) -> tuple[UpstreamRequest, ...]:
        """Answered once the memory is free. Calls that came past the gateway may take for ever: in the end they are broken off."""
        return (UpstreamRequest(f"/sleep?level={self.level}&mode={'abort' if at_once else 'wait'}"),)

    def why(self) -> None:
        """Its answers say it."""

    def read_why(self, body: bytes) -> None:
        """Never asked."""


def _lacks_weights(metrics: bytes) -> bool:
    lines = (line for line in metrics.splitlines() if line.startswith(_STATES) and _NO_WEIGHTS in line)
    return any(line.endswith((b" 1", b" 1.0")) for line in lines)
