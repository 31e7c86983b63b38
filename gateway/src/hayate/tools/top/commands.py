"""The body of `hayate top`: whom to ask, a look a second, and where it is shown.

The status of the command: 0 when it was left or has shown what it should, 2 when nothing could be told.
"""

from __future__ import annotations

import sys
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from rich.console import Console
from rich.live import Live
from rich.text import Text as Rendered

from hayate.access.key_files import KeyFileError
from hayate.terminal import columns_of, paint_for
from hayate.tools.environment import Environment
from hayate.tools.running import Place, all_running
from hayate.tools.status.ask import ask
from hayate.tools.status.commands import UNREACHABLE, print_json
from hayate.tools.status.refusals import CannotTell
from hayate.tools.status.target import Target, target_of
from hayate.tools.top.look import Look, read_look, tokens_per_s
from hayate.tools.top.options import TopOptions
from hayate.tools.top.screen import Screen
from hayate.tools.top.values import values_of, values_without

LOOK_S: Final = 1.0
LOOKS: Final = 6
"""That are kept: the speed is that of the five seconds between the first and the last of them."""
QUEUE: Final = "/admin/queue"
CALLS: Final = "/admin/calls?limit=1&since=1m"
"""Of those that have ended none is shown; the fewer are looked through."""
CLOCK: Final = "%H:%M:%S"


@dataclass(slots=True)
class Watch:
    """Looks at one gateway, and what they came to."""

    target: Target
    timeout_s: float
    looks: deque[Look]
    at: float = 0.0
    """When the last one was, in seconds since 1970."""

    def look(self) -> None:
        """Asks once more, and keeps what came of it. Raises CannotTell."""
        queue = ask(self.target, self.timeout_s, QUEUE)
        try:
            calls = ask(self.target, self.timeout_s, CALLS, "in_flight")
        except CannotTell:  # they are told beside the record of calls, which may be out of order
            calls = None
        self.looks.append(read_look(time.monotonic(), queue, calls))
        self.at = time.time()

    @property
    def rates(self) -> dict[str, float]:
        """Tokens a second by deployment, as far as the looks tell."""
        return tokens_per_s(self.looks[0], self.looks[-1])

    def lines(self, screen: Screen, *, silent: bool = False) -> list[str]:
        """The last look, on this screen."""
        seen = time.strftime(CLOCK, time.localtime(self.at))
        now = time.strftime(CLOCK)
        return screen.lines(
            self.looks[-1], self.rates, self.target.url, now if silent else seen, seen if silent else None
        )


def run_top(options: TopOptions, env: Environment, place_of: Callable[[Path | None, Environment], Place]) -> int:
    """Asks and shows; the status. Raises ConfigError."""
    url = options.url
    lives = sys.stdout.isatty() and env.get("TERM") != "dumb" and not (options.once or options.as_json)
    try:
        target = target_of(options.url, lambda: place_of(options.config, env), all_running(env), env)
        url = target.url
        watch = Watch(target, options.timeout_s, deque(maxlen=LOOKS))
        watch.look()
        if not lives:
            time.sleep(LOOK_S)
            watch.look()
    except (CannotTell, KeyFileError) as error:
        if options.as_json:
            print_json(values_without(error.english, url, time.time()))
        sys.stderr.write(error.text(env.language) + "\n")
        return UNREACHABLE
    except KeyboardInterrupt:
        return 0
    if options.as_json:
        print_json(values_of(watch.looks[-1], watch.rates, target.url, watch.at))
    elif not lives:
        fd = sys.stdout.fileno() if sys.stdout.isatty() else None
        screen = Screen(env.language, columns_of(fd), None, paint_for(fd is not None, env))
        sys.stdout.write("".join(f"{line}\n" for line in watch.lines(screen)))
    else:
        _live(watch, env)
    return 0


def _live(watch: Watch, env: Environment) -> None:
    """Until it is left. A gateway that says nothing meanwhile is asked again, as one that is restarted."""
    console = Console(highlight=False, markup=False)
    paint, silent = paint_for(True, env), False
    with (
        suppress(KeyboardInterrupt),
        Live(console=console, screen=True, auto_refresh=False, vertical_overflow="crop") as live,
    ):
        while True:
            began = time.monotonic()
            size = console.size
            lines = watch.lines(Screen(env.language, size.width, size.height, paint), silent=silent)
            live.update(Rendered.from_ansi("\n".join(lines), no_wrap=True, overflow="crop"), refresh=True)
            time.sleep(max(0.0, began + LOOK_S - time.monotonic()))
            try:
                watch.look()
                silent = False
            except CannotTell:
                silent = True
