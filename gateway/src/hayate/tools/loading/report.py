"""Engines for people: a line each, and below it where it is, since when and why, and what went wrong."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from hayate.language import Language, Text
from hayate.terminal import COLUMNS, Paint, cut, duration, left, plain, right
from hayate.tools.help import wrapped
from hayate.tools.loading import words
from hayate.tools.loading.answer import Engine, Gpu

STATE, FIGURES = 13, (7, 8, 12, 9)
"""Cells: of the state, with the blank before it; of calls, waiting, tokens/s, idle. The name has the rest."""
MOST_COLUMNS: Final = 120
MOST_NAME: Final = 200
MOST_ERROR: Final = 1200
MINUTE_S: Final = 100
"""From here on `duration` tells minutes."""
GIB, MIB = 1024**3, 1024**2


@dataclass(frozen=True, slots=True)
class Report:
    """How it is shown: in which language, how wide, in colours or not."""

    language: Language
    columns: int
    paint: Paint

    @property
    def _wide(self) -> int:
        return min(max(self.columns, COLUMNS), MOST_COLUMNS) - 1

    def lines(
        self, engines: Sequence[Engine], rates: Mapping[str, float], url: str, gpus: Sequence[Gpu] = ()
    ) -> Iterator[str]:
        """The whole of it, without the ends of lines. `rates`: tokens a second, by name."""
        yield f"疾風 Hayate  {plain(url, MOST_NAME)}"
        yield ""
        for gpu in gpus:
            yield cut(f"{plain(gpu.name, MOST_NAME)}: {self._say(_room(gpu))}", self._wide)
        if gpus:
            yield ""
        name, state, *others = (self._say(each) for each in words.HEADINGS)
        yield self.paint(self._row(name, left(state, STATE - 1), others), "bold")
        for each in engines:
            yield from self._engine(each, rates.get(each.name))
        if not engines:
            yield self._say(words.NONE)

    def _engine(self, each: Engine, rate: float | None) -> Iterator[str]:
        about = plain(", ".join(part for part in (each.backend, each.how) if part), MOST_NAME)
        word, colour = words.STATES.get(each.state, (Text(each.state, each.state), ""))
        state = self.paint(left(plain(self._say(word), MOST_NAME), STATE - 1), colour)
        speed = "-" if rate is None else f"{rate:,.1f}"
        figures = [_said(each.in_flight), _said(each.waiting), speed, duration(each.idle_s)]
        yield self._row(f"{plain(each.name, MOST_NAME)} ({about})", state, figures)
        yield from self.below(each)

    def below(self, each: Engine) -> Iterator[str]:
        """What stands below its line: nothing of one that just runs."""
        about = ("、" if self.language == "ja" else "; ").join(self._about(each))
        if about:
            yield from self._indented(about)
        if each.last_error is not None:
            yield from self._indented(self._say(words.error(each.last_error)))

    def _about(self, each: Engine) -> Iterator[str]:
        if each.memory_bytes is not None:
            size = size_of(each.memory_bytes)
            shown = self._say(words.of_each(size)) if len(each.gpus) > 1 else size
            yield f"{', '.join(each.gpus)} {shown}".strip()
        elif each.gpus:
            yield ", ".join(each.gpus)
        if each.how is None:
            return
        if each.pin:
            yield self._say(words.PINNED)
        if each.since_s is not None and each.why:
            yield self._say(words.since(each.why, _about_s(each.since_s)))
        if each.last_load_s is not None:
            yield self._say(words.took(duration(each.last_load_s)))
        if each.retry_in_s is not None:
            yield self._say(words.again(_about_s(each.retry_in_s)))
        if each.pid is not None:
            yield f"pid {each.pid}"

    def _indented(self, text: str) -> Iterator[str]:
        for line in wrapped(plain(text, MOST_ERROR), self._wide - 4):
            yield f"    {self.paint(line, 'dim')}"

    def _row(self, name: str, state: str, figures: Sequence[str]) -> str:
        cells = "".join(right(each, wide) for each, wide in zip(figures, FIGURES, strict=True))
        return f"{left(name, self._wide - STATE - sum(FIGURES))} {state}{cells}".rstrip()

    def _say(self, text: Text) -> str:
        return text.of(self.language)


def _room(gpu: Gpu) -> Text:
    used, size = ("?" if each is None else size_of(each) for each in (gpu.used_bytes, gpu.memory_bytes))
    return words.of_all(used, size)


def size_of(size: int) -> str:
    """An amount of memory, as it is written in the configuration."""
    return f"{size / GIB:.1f} GiB" if size >= GIB else f"{size / MIB:.0f} MiB"


def _about_s(seconds: float) -> str:
    """A time in whole seconds."""
    return f"{max(0.0, seconds):.0f}s" if seconds < MINUTE_S else duration(seconds)


def _said(count: int | None) -> str:
    return "-" if count is None else str(count)
