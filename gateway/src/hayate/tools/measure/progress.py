"""How far the measurement is: a bar on a terminal, nothing elsewhere. It is drawn twice a second, by the event loop.

A thread that draws would take the interpreter at any moment; drawing costs a few milliseconds, which is what is measured here.
"""

from __future__ import annotations

import asyncio

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from hayate.language import Language
from hayate.tools.measure.calls import MeasuredCall
from hayate.tools.measure.words import word

DRAW_S = 0.5


class ProgressBar:
    """A bar a model. Use it as a context manager."""

    def __init__(self, console: Console, language: Language) -> None:
        self._bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(bar_width=30),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TextColumn("{task.fields[note]}"),
            console=console,
            auto_refresh=False,
            disable=not console.is_terminal,
        )
        self._language = language
        self._task: TaskID | None = None
        self._failed = 0
        self._tokens = 0
        self._timer: asyncio.TimerHandle | None = None

    def __enter__(self) -> ProgressBar:
        self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop()
        self._bar.refresh()
        self._bar.stop()

    def model_begun(self, model: str, calls: int) -> None:
        """A new bar, for this model; the last one stays above it."""
        self._failed = self._tokens = 0
        self._task = self._bar.add_task(escape(model), total=calls, note="")
        self._draw()

    def call_ended(self, call: MeasuredCall) -> None:
        """One step. Nothing is drawn for it: that is the timer's."""
        if self._task is None:
            return
        self._failed += call.failure is not None
        self._tokens += call.output_tokens
        failed = f"  [red]{word('failed', self._language)}: {self._failed}[/red]" if self._failed else ""
        self._bar.update(self._task, advance=1, note=f"{word('so_many', self._language, tokens=self._tokens)}{failed}")

    def model_ended(self) -> None:
        """The bar stays as it is."""
        self._stop()
        self._bar.refresh()

    def _draw(self) -> None:
        self._bar.refresh()
        self._timer = asyncio.get_running_loop().call_later(DRAW_S, self._draw)

    def _stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
