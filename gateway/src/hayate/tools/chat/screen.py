"""What a talk shows as it goes on: answers as they come, the model's thoughts dimmed, what it waits for on a line that gives way.

Where no terminal looks on, standard output has the answer alone, and a line says on standard error what is waited for.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from time import monotonic

from hayate.language import Language, Text
from hayate.terminal import Paint, columns_of, cut, plain
from hayate.tools.chat.call import Begun
from hayate.tools.chat.events import Event, Queues, Said, Waits
from hayate.tools.chat.patience import Patience
from hayate.tools.chat.shown import shown
from hayate.tools.chat.words import figures, left_out, waited, waits

CLEAR = "\r\x1b[K"
DIM, PLAIN = "\x1b[2m", "\x1b[0m"


@dataclass(slots=True)
class Screen:
    """One terminal, or none (`live` false)."""

    language: Language
    live: bool
    paint: Paint
    _status: str = ""
    """What stands on the line that gives way."""
    _one_at_a_time: threading.RLock = field(default_factory=threading.RLock)
    """Who waits counts the seconds in a thread of its own."""

    def say(self, text: Text) -> None:
        """A line of the talk's own."""
        self.clear()
        stream = sys.stdout if self.live else sys.stderr
        stream.write(self.paint(text.of(self.language), "dim") + "\n")
        stream.flush()

    def write(self, text: str) -> None:
        """At once, as it is."""
        self.clear()
        sys.stdout.write(text)
        sys.stdout.flush()

    def status(self, text: Text) -> None:
        """On a line that gives way to whatever comes; where there is no terminal, once."""
        said = plain(text.of(self.language), 400)
        with self._one_at_a_time:
            if self.live:
                wide = cut(said, columns_of(sys.stdout.fileno()) - 1)
                sys.stdout.write(f"{CLEAR}{self.paint(wide, 'dim')}")
                sys.stdout.flush()
            elif not self._status:
                sys.stderr.write(said + "\n")
                sys.stderr.flush()
            self._status = said

    def clear(self) -> None:
        """The line that gives way does."""
        with self._one_at_a_time:
            if self._status and self.live:
                sys.stdout.write(CLEAR)
                self._status = ""


@dataclass(slots=True)
class Telling:
    """One answer as it comes. `text` is what it says."""

    screen: Screen
    silent: bool = False
    """Nothing of it is written: it is told otherwise once it is whole."""
    text: str = ""
    thought: str = ""
    finish: str = ""
    tokens: int | None = None
    began_at: float = field(default_factory=monotonic)
    first_at: float | None = None
    _thinks: bool = False
    _patience: Patience | None = None

    def wait(self, model: str) -> None:
        """From now on somebody waits, at a terminal, for this model."""
        if not self.screen.live:
            return
        if self._patience is None:
            self._patience = Patience(self.screen.status, partial(waited, model))
        else:
            self._patience.hear(partial(waited, model))

    def wait_for(self, told: Callable[[float], Text]) -> None:
        """What for, as `told` says it after so many seconds."""
        if self._patience is not None:
            self._patience.hear(told)
        else:
            self.screen.status(told(0.0))

    def take(self, event: Begun | Event) -> None:
        """Shows what it means."""
        if isinstance(event, Begun):
            if event.omitted.isdigit():
                self.screen.say(left_out(event.omitted))
        elif isinstance(event, Waits | Queues):
            self.wait_for(lambda for_s: waits(event.after(for_s)))
        elif isinstance(event, Said):
            self._said(event)

    def over(self) -> None:
        """Nobody waits any more; the line that says so is gone."""
        if self._patience is not None:
            self._patience.over()
            self._patience = None
        self.screen.clear()

    def end(self) -> None:
        """The line ends, and the figures stand below it."""
        self.over()
        self._plain()
        if self.text and not self.silent and not self.text.endswith("\n"):
            self.screen.write("\n")
        if self.screen.live:
            now = monotonic()
            decode_s = now - (self.first_at or now)
            self.screen.say(figures(now - self.began_at, self.tokens, decode_s, self.finish))

    def broke_off(self) -> None:
        """The line ends, whatever has come."""
        self.over()
        self._plain()
        if self.first_at is not None and not self.silent and not (self.text or "\n").endswith("\n"):
            self.screen.write("\n")

    def _said(self, event: Said) -> None:
        self.finish = event.finish or self.finish
        self.tokens = event.tokens if event.tokens is not None else self.tokens
        if (event.text or event.thought) and self.first_at is None:
            self.first_at = monotonic()
            self.over()
        if event.thought:
            self.thought += event.thought
            if self.screen.live:
                begin = "" if self._thinks or not self.screen.paint.on else DIM
                self._thinks = True
                self.screen.write(begin + shown(event.thought))
        if event.text:
            self._plain()
            self.text += event.text
            if not self.silent:
                self.screen.write(shown(event.text))

    def _plain(self) -> None:
        """After thoughts: the colour ends, and the answer begins on a line of its own."""
        if self._thinks:
            self._thinks = False
            end = "" if self.thought.endswith("\n") else "\n"
            self.screen.write((PLAIN if self.screen.paint.on else "") + end)
