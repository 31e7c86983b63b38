"""The log for people: a line for each call, in columns, and a sentence for each event, in their language.

Nothing of a caller's or an engine's reaches the terminal but as text in its own column (`terminal.plain`).
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from hayate.errors import CLIENT_CLOSED
from hayate.language import Language, Text
from hayate.telemetry.notices import notice_of
from hayate.telemetry.record import CallRecord
from hayate.telemetry.refusal_words import refusal_word
from hayate.terminal import COLUMNS, Colour, Paint, columns_of, cut, left, plain, right

MAX_NAME_CHARS = 200
KEY_CELLS, MODEL_CELLS = 8, 19
"""What a key's and a model's name have of 80 columns; a wider terminal gives them more, up to twice and three times."""
ID_CELLS = 12
"""A key's whole id, by which it is looked up: what there is more goes to it first."""
FIRST = Text("TTFT", "TTFT")
WHOLE = Text("took", "全体")
SECONDS = Text("s", "秒")
TOKENS = Text(" tokens", "トークン")
AT_ONCE_S = 0.02
RATE = Text("/s", "/秒")


@dataclass(frozen=True, slots=True)
class ReadableLines:
    """How calls and events are put for whoever looks at one stream: `fd` is its terminal, None where it goes elsewhere."""

    language: Language
    paint: Paint
    fd: int | None = None

    def calls(self, batch: Sequence[CallRecord]) -> bytes:
        """Of calls that have ended, a line each."""
        columns = columns_of(self.fd)
        return "".join(self.call(each, columns) for each in batch).encode(errors="backslashreplace")

    def event(self, at: float, event: str, facts: Mapping[str, Any]) -> bytes:
        """A sentence; what has several lines goes on below it."""
        notice = notice_of(event, facts, self.language)
        first, *others = notice.text.split("\n")
        said = f"{self._clock(at)} {self.paint(plain(first), notice.colour)}\n"
        said += "".join(f"{'':9}{plain(line)}\n" for line in others if line.strip())
        return said.encode(errors="backslashreplace")

    def call(self, record: CallRecord, columns: int = COLUMNS) -> str:
        """When it ended, whose it was, the model, the status; then how fast it was, or why it was not."""
        spare = max(0, columns - COLUMNS)
        id_cells = min(ID_CELLS, KEY_CELLS + spare)
        spare -= id_cells - KEY_CELLS
        model_cells = min(3 * MODEL_CELLS, MODEL_CELLS + spare)
        key_cells = min(2 * KEY_CELLS, id_cells + max(0, spare - 2 * MODEL_CELLS))
        key = left(plain(record.key, MAX_NAME_CHARS), key_cells)
        model = left(plain(record.model, MAX_NAME_CHARS) or "-", model_cells)
        outcome = self._outcome(record, max(COLUMNS, columns) - key_cells - model_cells - 15)
        status = self.paint(f"{record.status:>3}", _colour(record.status))
        return f"{self._clock(record.ended_at)} {self.paint(key, 'dim')} {model} {status} {outcome}\n"

    def _outcome(self, record: CallRecord, cells: int) -> str:
        """Its speed or its failure, in so many cells."""
        usage = record.usage
        tokens = f"{'' if usage.exact else '~'}{usage.completion_tokens}" if usage.completion_tokens else ""
        if record.error is not None or not 200 <= record.status < 300:
            why = refusal_word(record.error, record.status).of(self.language)
            after = f" ({tokens}{TOKENS.of(self.language)})" if tokens else ""
            return cut(plain(why, MAX_NAME_CHARS) + after, cells)
        name, seconds_ = (FIRST, record.ttft_s) if record.ttft_s is not None else (WHOLE, record.ended - record.started)
        said = f"{left(name.of(self.language), 4)} {right(figure(seconds_, 2, 100) + SECONDS.of(self.language), 7)}"
        if tokens:
            said += f" {right(tokens, 6)}{TOKENS.of(self.language)}"
            if (rate := tokens_per_s(record)) is not None:
                said += f" {right(figure(rate, 1, 1000), 6)}{RATE.of(self.language)}"
        return said

    def _clock(self, at: float) -> str:
        return self.paint(_clock(int(at)), "dim")


@lru_cache(maxsize=4)
def _clock(at: int) -> str:
    """The time of day here. Who wants the date reads the lines for programs."""
    return time.strftime("%H:%M:%S", time.localtime(at))


def figure(value: float, digits: int, most: float) -> str:
    """With so many digits behind the point, unless it has enough before it."""
    return f"{value:.{digits if value < most else 0}f}"


def tokens_per_s(record: CallRecord) -> float | None:
    """How fast the answer came: of a stream from its first token on, of a whole answer from the beginning. None for one
    that came at once, from an engine or a proxy that collects: that is no speed of a model's.
    """
    took_s, tokens = record.ended - record.started, record.usage.completion_tokens
    if record.ttft_s is not None:
        took_s, tokens = took_s - record.ttft_s, tokens - 1
    return tokens / took_s if tokens > 0 and took_s > AT_ONCE_S else None


def _colour(status: int) -> Colour:
    if status >= 500:
        return "red"
    return "green" if status < 400 else "dim" if status == CLIENT_CLOSED else "yellow"
