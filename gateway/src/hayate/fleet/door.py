"""Whether calls may come in to a deployment whose model comes and goes, and what those are told that wait outside.

While the door is shut the gate behind it has no places, so that calls wait in its queue, fair as ever. Who opens and shuts it:
`fleet.engines`.
"""

from __future__ import annotations

from collections.abc import Callable
from time import monotonic

from hayate.engines.base import LoadFailed
from hayate.errors import Overloaded
from hayate.language import Text
from hayate.reasons import NOT_AGAIN, Reason
from hayate.wire import sse

LATER_S = 5.0
"""When to try again where nobody knows better."""


class Door:
    """Of one deployment."""

    def __init__(self, name: str, load_timeout_s: float, knock: Callable[[], None]) -> None:
        self.name = name
        self.load_timeout_s = load_timeout_s
        self.knock = knock
        """Called when a call begins to wait outside."""
        self.open = False
        self.loaded = False
        """Whether its engines have the model in memory, and can be asked."""
        self.loading_since: float | None = None
        self.last_load_s: float | None = None
        self.barred: LoadFailed | None = None
        """Why nobody need wait: it failed, and is not tried again before `retry_at`."""
        self.retry_at = 0.0

    def check(self, now: float) -> None:
        """Raises Overloaded for a call that would wait in vain."""
        if self.barred is not None and now < self.retry_at:
            raise self.refusal(now)

    def refusal(self, now: float) -> Overloaded:
        """What those are told who wait for a model that could not be loaded, or want to."""
        reason = self.barred.reason if self.barred is not None else None
        said = reason.to_callers if reason is not None else Text("it could not be loaded", "読み込めませんでした")
        if reason is Reason.TOO_LARGE:
            return Overloaded(
                f"{self.name} can't be used: {said.en}. {NOT_AGAIN.en}",
                f"{self.name}は利用できません（{said.ja}）。{NOT_AGAIN.ja}",
            )
        retry_s = max(1.0, self.retry_at - now) if self.retry_at > now else LATER_S
        return Overloaded(
            f"{self.name} can't be used at the moment: {said.en}. Try again in {retry_s:.0f} s.",
            f"{self.name}は現在利用できません（{said.ja}）。{retry_s:.0f}秒後にもう一度お試しください。",
            retry_after_s=retry_s,
        )

    def comment(self) -> bytes:
        """What a stream is told that waits: that its model is being loaded, for how long, and how long that took the last time.
        Nothing when it is loaded.
        """
        if self.loaded:
            return b""
        since = self.loading_since
        for_s = None if since is None else monotonic() - since
        return sse.loading_comment(self.name, for_s, self.last_load_s)
