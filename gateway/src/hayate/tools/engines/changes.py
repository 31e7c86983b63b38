"""The body of `hayate load` and `unload`: the gateway is asked, and what happens meanwhile is told on standard error.

The status of the command: 0 when it is done, 1 when the gateway could not do it, 2 when it could not be asked, or knows no such
deployment. Ctrl-C ends the waiting alone, with 130: the gateway goes on.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from time import monotonic
from typing import Any, Final, Literal, TextIO
from urllib.parse import quote

import orjson

from hayate.access.key_files import KeyFileError
from hayate.language import Language, Text, one_line
from hayate.terminal import columns_of, duration, plain
from hayate.tools.engines.commands import ENGINES, FAILED, look
from hayate.tools.engines.options import LoadOptions, UnloadOptions
from hayate.tools.environment import Environment
from hayate.tools.help import wrapped
from hayate.tools.loading import words
from hayate.tools.loading.answer import RESTING, Engine, read_engine
from hayate.tools.loading.values import values_of
from hayate.tools.refusal import Refusal
from hayate.tools.running import PlaceOf, all_running
from hayate.tools.status.answer import read_answer
from hayate.tools.status.ask import OLDER, Question, Said, ask, something_else
from hayate.tools.status.commands import UNREACHABLE, print_json
from hayate.tools.status.refusals import CannotTell
from hayate.tools.status.target import Target, target_of

LOOK_S: Final = 1.0
"""How often it is looked what happens meanwhile."""
LOOK_TIMEOUT_S: Final = 5.0
BROKEN_OFF: Final = 130
TURN: Final = Text("waits for others to make room", "ほかのモデルが場所を空けるのを待っています")
Work = Literal["load", "unload"]


class NotDone(Refusal):
    """The gateway could not do it, and says why."""


class NoSuchEngine(NotDone):
    """The gateway knows no such deployment, and names those that there are."""


def run_load(options: LoadOptions, env: Environment, place_of: PlaceOf) -> int:
    """Has it loaded; the status. Raises ConfigError."""
    return _run("load", options, env, place_of, lambda _: [options.name])


def run_unload(options: UnloadOptions, env: Environment, place_of: PlaceOf) -> int:
    """Has it unloaded, or all that are loaded; the status. Raises ConfigError, Refusal."""
    if options.all == (options.name is not None):
        raise Refusal(
            "Name a deployment, or say --all; not both.", "デプロイメント名か--allの、どちらか一方を指定してください。"
        )
    if options.name is not None:
        name = options.name
        return _run("unload", options, env, place_of, lambda _: [name])
    return _run("unload", options, env, place_of, _loaded)


def _loaded(target: Target) -> list[str]:
    """What the gateway can unload, and is in memory or on its way. Raises CannotTell."""
    found = look(target, LOOK_TIMEOUT_S)
    return [each.name for each in found if each.how is not None and each.state not in ("unloaded", "failed")]


def _run(
    work: Work,
    options: LoadOptions | UnloadOptions,
    env: Environment,
    place_of: PlaceOf,
    names_of: Callable[[Target], Sequence[str]],
) -> int:
    url, done, status = options.url, list[Engine](), 0
    why: str | None = None
    try:
        target = target_of(options.url, lambda: place_of(options.config, env), all_running(env), env)
        url = target.url
        names = names_of(target)
        for name in names:
            try:
                engine = _change(work, name, target, options.timeout_s, env.language)
            except NoSuchEngine:
                raise
            except NotDone as error:
                status, why = FAILED, error.english
                _tell(error.text(env.language))
                continue
            done.append(engine)
            if not options.json:
                _tell(_said(engine, work).of(env.language))
        if not names:
            _tell(_NOTHING.of(env.language))
    except (CannotTell, NoSuchEngine, KeyFileError) as error:
        status, why = UNREACHABLE, error.english
        _tell(error.text(env.language))
    except KeyboardInterrupt:
        line_after_ctrl_c(sys.stderr)
        _tell(_GOES_ON.of(env.language))
        return BROKEN_OFF
    if options.json:
        print_json(values_of(done, {}, url, why))
    return status


def _change(work: Work, name: str, target: Target, timeout_s: float, language: Language) -> Engine:
    """One, and what comes of it. Raises CannotTell, NotDone, NoSuchEngine."""
    path = f"{ENGINES}/{quote(name, safe='')}/{work}"
    question = Question(target, path, timeout_s + LOOK_TIMEOUT_S, language, method="POST")
    ends_at, told, meant = monotonic() + timeout_s, "", ""
    while not question.wait(min(LOOK_S, max(0.0, ends_at - monotonic()))) and monotonic() < ends_at:
        with suppress(CannotTell):
            engines = {each.name: each for each in look(target, LOOK_TIMEOUT_S)}
            meant = meant or (name if name in engines else _behind(name, target))
            now = engines.get(meant)
            if now is not None and now.state != told and now.state in RESTING:
                told = now.state
                _tell(_under_way(now).of(language))
    if not question.wait(0):
        raise NotDone(
            f"{name} is not done after {timeout_s:g} s. {_GOES_ON.en}",
            f"{name}の処理が{timeout_s:g}秒以内に終わりませんでした。{_GOES_ON.ja}",
        )
    said = question.answer()
    if said.status == 200:
        with suppress(orjson.JSONDecodeError):
            values: Any = orjson.loads(said.body)
            if isinstance(values, dict) and "state" in values:
                return read_engine(values)
        raise something_else(target)
    raise refused(target, said)


def _behind(name: str, target: Target) -> str:
    """The deployment that an alias stands for. Raises CannotTell."""
    return next(iter(read_answer(ask(target, LOOK_TIMEOUT_S)).aliases.get(name, ())), name)


def refused(target: Target, said: Said) -> Refusal:
    """What to say of an answer that is not what was asked for: in the gateway's own words, where it has some."""
    message, code = said.error.get("message"), said.error.get("code")
    if not isinstance(message, str) or code in ("unknown_path", "method_not_allowed"):
        return something_else(target, OLDER)
    return (NoSuchEngine if said.status == 404 else NotDone)(plain(one_line(message)))


def line_after_ctrl_c(stream: TextIO) -> None:
    """A terminal shows `^C` where it was typed; what follows begins on a line of its own."""
    if stream.isatty():
        stream.write("\n")


def _under_way(now: Engine) -> Text:
    word = TURN if now.state == "unloaded" else words.STATES[now.state][0]
    name, last = plain(now.name), now.last_load_s
    if now.state == "loading" and last is not None:
        shown = duration(last)
        return Text(f"{name}: {word.en} (it took {shown} the last time)", f"{name}: {word.ja}（前回は{shown}）")
    return Text(f"{name}: {word.en}", f"{name}: {word.ja}")


def _said(engine: Engine, work: Work) -> Text:
    name = plain(engine.name)
    if work == "unload":
        return Text(
            f"{name} is unloaded; the next call loads it again.",
            f"{name}をメモリーから解放しました。次の呼び出しで再び読み込みます。",
        )
    took = "" if engine.last_load_s is None else duration(engine.last_load_s)
    if not took:
        return Text(f"{name} is ready.", f"{name}の準備ができました。")
    return Text(f"{name} is ready; loading took {took}.", f"{name}の準備ができました（読み込み時間{took}）。")


def _tell(text: str) -> None:
    """A message; on a terminal in lines that are not broken anywhere."""
    columns = columns_of(sys.stderr.fileno()) if sys.stderr.isatty() else None
    lines = [text] if columns is None else wrapped(text, columns - 1)
    sys.stderr.write("".join(f"{line}\n" for line in lines))


_NOTHING = Text("Nothing is loaded that could be unloaded.", "解放できるモデルは読み込まれていません。")
_GOES_ON = Text(
    "The gateway goes on; `hayate ps` shows how far it is.",
    "ゲートウェイでの処理は続いています（`hayate ps`で確認できます）。",
)
