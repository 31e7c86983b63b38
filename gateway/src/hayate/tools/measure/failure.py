"""Why a call does not count: a short name that stays the same between versions, and what the server said.

connect        no connection: refused, unreachable, not in time, TLS
broken         the connection broke, or what came is not HTTP
timeout        the call took longer than --timeout
status_NNN     an HTTP status other than 200
error_event    an error within the stream
bad_event      an event that can't be read
not_a_stream   200, but no event in it
empty          a whole answer that says nothing
cut            the stream ended without its end
aborted        the engine gave up and said so in finish_reason
"""

from __future__ import annotations

from dataclasses import dataclass

from hayate.language import one_line

MAX_DETAIL_CHARS = 200
HOPELESS = ("connect", "status_401", "status_403", "status_404", "status_405", "not_a_stream")
"""What the next call would meet too: seen while warming up, the measurement of that model is not begun."""


@dataclass(frozen=True, slots=True)
class Failure:
    """Why one call does not count. `detail` may repeat what the server said, and is only shown once `told`."""

    reason: str
    detail: str = ""

    def told(self, secret: str | None) -> Failure:
        """On one line of bearable length, without control characters, and without the key should the server repeat it."""
        detail = self.detail.replace(secret, "***") if secret else self.detail
        line = one_line(detail)
        return Failure(self.reason, line if len(line) <= MAX_DETAIL_CHARS else line[: MAX_DETAIL_CHARS - 1] + "…")
