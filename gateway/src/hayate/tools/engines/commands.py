"""The body of `hayate ps`: whom to ask, and what is shown.

The status of the command: 0 when nothing is wrong with any engine, 1 when one has failed, 2 when nothing could be told.
"""

from __future__ import annotations

import sys
import time
from typing import Final

from hayate.access.key_files import KeyFileError
from hayate.terminal import columns_of, paint_for
from hayate.tools.engines.options import PsOptions
from hayate.tools.environment import Environment
from hayate.tools.loading.answer import Engine, Gpu, read_engines, read_gpus, tokens_per_s
from hayate.tools.loading.report import Report
from hayate.tools.loading.values import values_of
from hayate.tools.running import PlaceOf, all_running
from hayate.tools.status.ask import ask
from hayate.tools.status.commands import UNREACHABLE, print_json
from hayate.tools.status.refusals import CannotTell
from hayate.tools.status.target import Target, target_of

ENGINES: Final = "/admin/engines"
LIST: Final = "engines"
FAILED: Final = 1
WORKING: Final = ("ready", "draining")
"""States in which a model has a speed."""
LOOK_S: Final = 1.0
"""Between two looks, from which the speed is known; where no call runs, one is enough."""


def run_ps(options: PsOptions, env: Environment, place_of: PlaceOf) -> int:
    """Asks and shows; the status. Raises ConfigError."""
    url = options.url
    try:
        target = target_of(options.url, lambda: place_of(options.config, env), all_running(env), env)
        url = target.url
        engines, rates, gpus = _looks(target, options.timeout_s)
    except (CannotTell, KeyFileError) as error:
        if options.json:
            print_json(values_of([], {}, url, error.english))
        sys.stderr.write(error.text(env.language) + "\n")
        return UNREACHABLE
    except KeyboardInterrupt:
        return 130
    if options.json:
        print_json(values_of(engines, rates, url, gpus=gpus))
    else:
        fd = sys.stdout.fileno() if sys.stdout.isatty() else None
        report = Report(env.language, columns_of(fd), paint_for(fd is not None, env))
        sys.stdout.write("".join(f"{line}\n" for line in report.lines(engines, rates, url, gpus)))
    return FAILED if any(each.failed for each in engines) else 0


def _looks(target: Target, timeout_s: float) -> tuple[list[Engine], dict[str, float], list[Gpu]]:
    """The engines, what each makes a second, and what they share. Raises CannotTell."""
    began, values = time.monotonic(), ask(target, timeout_s, ENGINES, LIST)
    before = read_engines(values)
    if not any(each.in_flight for each in before):
        return before, {each.name: 0.0 for each in before if each.state in WORKING}, read_gpus(values)
    time.sleep(LOOK_S)
    values = ask(target, timeout_s, ENGINES, LIST)
    now = read_engines(values)
    rates = tokens_per_s(before, now, time.monotonic() - began)
    loaded = {each.name for each in now if each.state in WORKING}
    return now, {name: rate for name, rate in rates.items() if name in loaded}, read_gpus(values)


def look(target: Target, timeout_s: float) -> list[Engine]:
    """The engines as they are now. Raises CannotTell."""
    return read_engines(ask(target, timeout_s, ENGINES, LIST))
