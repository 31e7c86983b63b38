"""The body of `hayate logs`: through the gateway; where none runs, from the file in its data folder.

The status of the command: 0 when the log was shown, or was left by Ctrl-C; 1 when it broke off; 2 when there is none to show.
"""

from __future__ import annotations

import contextlib
import http.client
import os
import re
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final
from urllib.parse import quote

import orjson

from hayate.access.key_files import KeyFileError
from hayate.config.load import load_config
from hayate.engines.tail import MAX_LINE_BYTES, PIECE_BYTES, Lines, Tail, log_file
from hayate.language import Language, Text
from hayate.terminal import plain
from hayate.tools.engines.changes import NotDone, line_after_ctrl_c, refused
from hayate.tools.engines.commands import ENGINES, FAILED
from hayate.tools.engines.options import LogsOptions
from hayate.tools.environment import Environment
from hayate.tools.gateway.place import ENGINE_OF_UP
from hayate.tools.refusal import unreadable
from hayate.tools.running import PlaceOf, all_running
from hayate.tools.status.ask import Question
from hayate.tools.status.commands import UNREACHABLE
from hayate.tools.status.refusals import CannotTell, NobodyThere
from hayate.tools.status.target import Target, target_of

COLOUR: Final = re.compile(r"\x1b\[[0-9;]*m")
SILENCE_S: Final = 60.0
"""After which a gateway is gone that sends nothing: it pings more often."""
LOOK_S: Final = 0.25
MOST_NAMES: Final = 20


class BrokeOff(CannotTell):
    """The gateway has gone away while its log was followed."""


def run_logs(options: LogsOptions, env: Environment, place_of: PlaceOf) -> int:
    """Shows it; the status. Raises ConfigError."""
    show = _Shown(options.name, as_json=options.json, on_terminal=sys.stdout.isatty())
    try:
        target = target_of(options.url, lambda: place_of(options.config, env), all_running(env), env)
        try:
            for line in _told(target, options, env.language):
                show(line)
        except NobodyThere:
            if options.url is not None:
                raise
            return _from_file(place_of(options.config, env).data, options, env, show)
    except (CannotTell, NotDone, KeyFileError) as error:
        sys.stderr.write(error.text(env.language) + "\n")
        return FAILED if isinstance(error, BrokeOff) else UNREACHABLE
    except KeyboardInterrupt:
        line_after_ctrl_c(sys.stdout)
        return 0
    except BrokenPipeError:  # whoever read it has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 0


class _Shown:
    """Where lines go: nothing in them acts on a terminal."""

    def __init__(self, name: str, *, as_json: bool, on_terminal: bool) -> None:
        self._name, self._as_json, self._on_terminal = name, as_json, on_terminal

    def __call__(self, line: str) -> None:
        """Shows one at once. Raises BrokenPipeError."""
        if self._as_json:
            line = orjson.dumps({"name": self._name, "line": line}).decode()
        elif self._on_terminal:
            line = plain(COLOUR.sub("", line).expandtabs(), MAX_LINE_BYTES)
        sys.stdout.write(line + "\n")
        sys.stdout.flush()


def _told(target: Target, options: LogsOptions, language: Language) -> Iterator[str]:
    """The lines that the gateway tells. Raises CannotTell, NotDone."""
    path = f"{ENGINES}/{quote(options.name, safe='')}/log?lines={options.lines}"
    path += "&follow=true" if options.follow else ""
    question = Question(target, path, options.timeout_s, language, goes_on=True)
    said, lines = question.answer(), Lines()
    if question.response is None:
        raise refused(target, said)
    with contextlib.closing(question):
        question.give_silence(SILENCE_S)
        try:
            while data := question.response.read1(PIECE_BYTES):
                yield from _out_of_events(lines.feed(data)) if options.follow else lines.feed(data)
        except (OSError, http.client.HTTPException):
            raise BrokeOff(
                f"{target.url} has gone away: the log ends here.",
                f"{target.url}との接続が切れたため、ログの表示を終了します。",
            ) from None
        if not options.follow:
            yield from lines.end()


def _out_of_events(lines: list[str]) -> Iterator[str]:
    """What the data of events says; pings and the lines between events say nothing."""
    return (line.removeprefix("data: ") for line in lines if line.startswith("data: "))


def _from_file(data: Path, options: LogsOptions, env: Environment, show: Callable[[str], None]) -> int:
    """Where no gateway runs: what the last one has left; the status."""
    path = log_file(data, options.name)
    if not path.is_file():  # an alias, perhaps
        aliases = load_config(options.config, env, embedded=ENGINE_OF_UP).aliases
        path = log_file(data, next(iter(aliases.get(options.name, ())), options.name))
    if not path.is_file():
        sys.stderr.write(_no_file(path).of(env.language) + "\n")
        return UNREACHABLE
    note = Text(f"No gateway runs; this is {path}.", f"ゲートウェイが動作していないため、{path}を表示します。")
    sys.stderr.write(note.of(env.language) + "\n")
    try:
        with contextlib.closing(Tail(path, options.lines)) as tail:
            lines = Lines()
            while (data_read := tail.read()) or options.follow:
                for line in lines.feed(data_read):
                    show(line)
                if not data_read:
                    time.sleep(LOOK_S)
            for line in lines.end():
                show(line)
    except BrokenPipeError:
        raise
    except OSError as error:
        sys.stderr.write(unreadable(path, error).of(env.language) + "\n")
        return UNREACHABLE
    return 0


def _no_file(path: Path) -> Text:
    """With the names that there are."""
    names = sorted(each.name.removesuffix(".log") for each in path.parent.glob("*.log"))[:MOST_NAMES]
    there = Text(f" There are logs of: {', '.join(names)}.", f"ログがあるのは次のものです: {'、'.join(names)}")
    more = there if names else Text("", "")
    return Text(
        f"No gateway runs, and there is no {path}. Only engines that a gateway runs (`run`) leave a log there.{more.en}",
        f"ゲートウェイが動作しておらず、{path}もありません。ログが残るのは、ゲートウェイが起動するエンジン（`run`）だけです。{more.ja}",
    )
