"""The last events of the log, for who can't see where it goes: as they were said, in both languages, and no more of them than
MAX_EVENTS. Calls have a record of their own (`store`).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

from hayate.language import Text
from hayate.telemetry.json_lines import event_line
from hayate.telemetry.notices import notice_of
from hayate.terminal import plain

MAX_EVENTS: Final = 500
MAX_CHARS: Final = 2000
"""Of each text, and of each line: some megabytes at the very most, a tenth of one as a rule."""

Level = Literal["error", "warning", "good", "info"]
_LEVELS: Final[Mapping[str, Level]] = {"red": "error", "yellow": "warning", "green": "good"}


@dataclass(frozen=True, slots=True)
class RecentEvent:
    """One event: `at` is in seconds since 1970, `line` the log's for programs."""

    at: float
    event: str
    level: Level
    text: Text
    line: str


class RecentEvents:
    """One per process. Any thread may say and ask."""

    def __init__(self) -> None:
        self._events: deque[RecentEvent] = deque(maxlen=MAX_EVENTS)

    def say(self, at: float, event: str, facts: Mapping[str, Any]) -> None:
        """Remembers one as it is said now: its facts may change."""
        en, ja = (notice_of(event, facts, language) for language in ("en", "ja"))
        text = Text(*("\n".join(map(plain, each.text[:MAX_CHARS].split("\n"))) for each in (en, ja)))
        line = event_line(at, event, facts).decode(errors="backslashreplace").rstrip("\n")[:MAX_CHARS]
        self._events.append(RecentEvent(at, event, _LEVELS.get(en.colour, "info"), text, line))

    def last(self, count: int) -> list[RecentEvent]:
        """So many at most, the latest last."""
        return list(self._events.copy())[-count:]
