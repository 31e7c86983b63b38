"""The body of `hayate status`: whom to ask, the question, and what is shown.

The status of the command: 0 when every replica is ready, 1 when some are not, 2 when nothing could be told.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from pathlib import Path

import orjson

from hayate.access.key_files import KeyFileError
from hayate.terminal import columns_of, paint_for
from hayate.tools.environment import Environment
from hayate.tools.running import Place, all_running
from hayate.tools.status.answer import read_answer
from hayate.tools.status.ask import ask
from hayate.tools.status.options import StatusOptions
from hayate.tools.status.refusals import CannotTell
from hayate.tools.status.report import Report
from hayate.tools.status.target import target_of
from hayate.tools.status.values import values_of, values_without

STATUS = {"ready": 0, "degraded": 1}
UNREACHABLE = 2


def run_status(options: StatusOptions, env: Environment, place_of: Callable[[Path | None, Environment], Place]) -> int:
    """Asks and shows; the status. Raises ConfigError."""
    url = options.url
    try:
        target = target_of(options.url, lambda: place_of(options.config, env), all_running(env), env)
        url = target.url
        values = ask(target, options.timeout_s)
    except (CannotTell, KeyFileError) as error:
        if options.as_json:
            print_json(values_without(error.english, url))
        sys.stderr.write(error.text(env.language) + "\n")
        return UNREACHABLE
    answer = read_answer(values, "en" if options.as_json else env.language)
    if options.as_json:
        print_json(values_of(answer, url))
    else:
        fd = sys.stdout.fileno() if sys.stdout.isatty() else None
        report = Report(env.language, time.time(), columns_of(fd), paint_for(fd is not None, env))
        sys.stdout.write("".join(f"{line}\n" for line in report.lines(answer, url)))
    return STATUS[answer.overall]


def print_json(values: object) -> None:
    """For programs, on standard output."""
    sys.stdout.write(orjson.dumps(values, option=orjson.OPT_INDENT_2).decode() + "\n")
