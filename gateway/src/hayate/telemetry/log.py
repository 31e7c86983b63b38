"""The log: a line for every call on standard output, and one on standard error for what an operator should know.

For people where somebody looks at the stream (`readable_lines`), of JSON elsewhere (`json_lines`), or as `server.log`
says. No key, no prompt and no answer is in either, and what a caller or an engine names arrives escaped. Nothing here
waits for who reads it, or fails because nobody does (`log_writer`): the lines of calls are made by the thread that
writes them.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from hayate.language import terminal_language
from hayate.settings import Listening, LogForm
from hayate.telemetry.json_lines import call_lines, event_line
from hayate.telemetry.log_writer import set_notes, terminals, write_error, write_output_later
from hayate.telemetry.queued_output import Unmade
from hayate.telemetry.readable_lines import ReadableLines
from hayate.telemetry.recent_events import RecentEvents
from hayate.telemetry.record import CallRecord
from hayate.terminal import paint_for

CALL_BYTES = 1000
"""What a call that has ended takes in memory."""
MAX_WAITING_CHARS = 256
"""Of names that a caller or an engine chose. Where there are more, the line, which has less of them, waits instead."""

CallLines = Callable[[Sequence[CallRecord]], bytes]
EventLine = Callable[[float, str, Mapping[str, Any]], bytes]


@dataclass(slots=True)
class _Forms:
    """How each of the two streams is written to, and the environment of whoever looks at them."""

    calls: CallLines = call_lines
    event: EventLine = event_line
    env: Mapping[str, str] = field(default_factory=lambda: os.environ)


_forms = _Forms()
recent_events = RecentEvents()
"""What this process has said on standard error."""


class CallLog:
    """The observer that has the lines of calls written."""

    def __init__(self, write: Callable[[Unmade], object] = write_output_later) -> None:
        self._write = write

    def calls_ended(self, batch: Sequence[CallRecord]) -> None:
        """All of them in one piece."""
        make, size = partial(_forms.calls, batch), CALL_BYTES * len(batch)
        for record in batch:
            if len(record.model) + len(record.finish_reason or "") > MAX_WAITING_CHARS:
                made = make()
                make, size = partial(bytes, made), len(made)
                break
        self._write(Unmade(make, len(batch), size))


def log_event(event: str, **facts: Any) -> None:
    """An operator's line on standard error: a replica lost or back, a reload, a start. Never waits, never raises."""
    write_error(_said(event, facts))


def rendered_event(event: str, facts: Mapping[str, Any]) -> str:
    """The same line for who writes it himself."""
    return _said(event, facts).decode(errors="backslashreplace")


def _said(event: str, facts: Mapping[str, Any]) -> bytes:
    at = time.time()
    recent_events.say(at, event, facts)
    return _forms.event(at, event, facts)


def set_log_form(form: LogForm = Listening.log, env: Mapping[str, str] | None = None) -> None:
    """From here on the streams are written to as `form` says; of `auto` each as suits whoever looks at it. `env` says in
    which language and whether in colours; None: as before.
    """
    env = _forms.env = _forms.env if env is None else env
    readable = {
        name: ReadableLines(terminal_language(env), paint_for(fd is not None, env), fd)
        for name, fd in terminals().items()
        if form == "text" or (form == "auto" and fd is not None)
    }
    _forms.calls = readable["stdout"].calls if "stdout" in readable else call_lines
    _forms.event = readable["stderr"].event if "stderr" in readable else event_line
    events: dict[str, EventLine] = {name: each.event for name, each in readable.items()}
    set_notes({name: partial(_note, events.get(name, event_line)) for name in ("stdout", "stderr")})


def _note(event: EventLine, stream: str, lines: int) -> bytes:
    return event(time.time(), "log_lines_dropped", {"stream": stream, "lines": lines})
