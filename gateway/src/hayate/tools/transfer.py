"""How far a download is, on standard error: a bar on a terminal, a line now and then where nobody looks on.

with transfer(size_bytes, say) as shown:
    shown.at("model.gguf", 1_000_000)      # so many bytes of this file are there
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn

from hayate.language import Text
from hayate.terminal import left, plain

LINE_S = 10.0
"""Between two lines where there is no bar."""
DRAWN_PER_S = 4.0
BAR_CELLS, FIGURES_CELLS = 16, 34
"""Of a line: the bar, and the figures behind it, with their blanks."""
LEAST_NAME_CELLS, MOST_NAME_CELLS = 12, 40
Say = Callable[[str, str], None]
"""Takes one line, in English and in Japanese."""


def size_text(size_bytes: float) -> str:
    """As shops and file managers say it: `9 kB`, `640 MB`, `4.7 GB`."""
    if size_bytes >= 1e9:
        return f"{size_bytes / 1e9:,.1f} GB"
    return f"{size_bytes / 1e6:,.0f} MB" if size_bytes >= 1e6 else f"{size_bytes / 1e3:,.0f} kB"


def begun(names: str, size_bytes: float, origin: str) -> Text:
    """What is said before it begins."""
    size = f"{names} ({size_text(size_bytes)})"
    return Text(f"Downloading {size} from {origin}", f"{origin}から{size}をダウンロードします")


class transfer:  # noqa: N801  used as a context manager alone
    """Shows one download of one or several files, `size_bytes` all together. Without `say` there are no lines."""

    def __init__(self, size_bytes: int, say: Say | None = None, clock: Callable[[], float] = time.monotonic) -> None:
        console = Console(stderr=True, highlight=False)
        self._say, self._clock = say, clock
        self._size = size_bytes
        self._name = ""
        self._before = self._here = 0
        self._said_at = clock()
        room = console.width - BAR_CELLS - FIGURES_CELLS
        self._name_cells = max(LEAST_NAME_CELLS, min(MOST_NAME_CELLS, room))
        self.shows = console.is_terminal and os.environ.get("TERM") != "dumb"
        """Whether there is a bar."""
        self._bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(bar_width=BAR_CELLS),
            DownloadColumn(),
            TransferSpeedColumn(),
            TimeRemainingColumn(compact=True),
            console=console,
            refresh_per_second=DRAWN_PER_S,
            disable=not self.shows,
        )
        self._task = self._bar.add_task("", total=size_bytes or None)

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._bar.stop()

    def of(self, size_bytes: int) -> None:
        """So much it is in all, for who learns that on the way."""
        self._size = size_bytes
        self._bar.update(self._task, total=size_bytes)

    def at(self, name: str, done_bytes: int) -> None:
        """So many bytes of this file are there; a name that is new begins the next file."""
        if name != self._name:
            self._before, self._name = self._before + self._here, name
            # What was there before is not the network's speed: that is reckoned anew.
            self._bar.reset(self._task, completed=self._before + done_bytes)
            self._bar.update(self._task, description=escape(left(plain(name), self._name_cells)))
        self._here = done_bytes
        done = self._before + done_bytes
        self._bar.update(self._task, completed=done)
        now = self._clock()
        if self.shows or self._say is None or now < self._said_at + LINE_S:
            return
        self._said_at = now
        share = f"{100 * done // self._size} %" if self._size else "?"
        line = f"{plain(name)}: {size_text(done)} / {size_text(self._size)} ({share})"
        self._say(line, line)
