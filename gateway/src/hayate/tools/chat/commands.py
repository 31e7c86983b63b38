"""The body of `hayate chat`: a talk in a terminal, or one answer in a pipe.

The status of the command: 0 when the talk was left or the answer came; 1 when the answer did not come; 2 when there is nobody
to talk to; 130 when an answer in a pipe was stopped.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Final

import orjson

from hayate.language import BilingualError, Text
from hayate.terminal import paint_for, plain
from hayate.tools.chat import words
from hayate.tools.chat.call import Begun, Later, Line
from hayate.tools.chat.options import ChatOptions
from hayate.tools.chat.prompt import message, prepare, quiet_keys
from hayate.tools.chat.refusals import AnswerFailed, CannotChat
from hayate.tools.chat.screen import Screen, Telling
from hayate.tools.chat.talk import Talk
from hayate.tools.environment import Environment
from hayate.tools.measure.target import parse_target
from hayate.tools.running import Place

FAILED: Final = 1
NOBODY: Final = 2
STOPPED: Final = 130
USUAL: Final = "default"
MOST_NAMES: Final = 40
MAX_INPUT_BYTES: Final = 16 * 1024 * 1024


def run_chat(options: ChatOptions, env: Environment, place_of: Callable[[Path | None, Environment], Place]) -> int:
    """Talks until it is left; the status. Raises ConfigError."""
    # Half a character that a model has made must not end the talk.
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(errors="replace")  # type: ignore[union-attr]  # text streams, all of them
    live = sys.stdin.isatty() and sys.stdout.isatty() and not options.as_json
    screen = Screen(env.language, live, paint_for(live, env))
    try:
        target = parse_target(options.url, "openai", options.key, env, lambda: place_of(options.config, env))
        line = Line(target, env.language)
        names = line.models()
        model = _model(options.model, names)
    except BilingualError as error:
        sys.stderr.write(error.text(env.language) + "\n")
        return NOBODY
    except KeyboardInterrupt:
        return STOPPED
    talk = Talk(model, options.system or "", keep=live)
    return Chat(line, talk, screen, names).run() if live else _once(line, talk, screen, options.as_json)


def _model(named: str | None, names: list[str]) -> str:
    """The one that is meant. Raises CannotChat."""
    if named is None:
        return USUAL if USUAL in names or not names else names[0]
    if names and named not in names:
        said = words.no_such_model(plain(named, 200), ", ".join(names[:MOST_NAMES]))
        raise CannotChat(said.en, said.ja)
    return named


def _once(line: Line, talk: Talk, screen: Screen, as_json: bool) -> int:
    """One answer to all that comes on standard input, which is all that stands on standard output."""
    telling = Telling(screen, silent=as_json)
    status, error = 0, None
    try:
        talk.ask(_asked())
        answer(line, talk, telling)
    except (AnswerFailed, CannotChat) as failed:
        status, error = NOBODY if isinstance(failed, CannotChat) else FAILED, failed.english
        telling.broke_off()
        sys.stderr.write(failed.text(screen.language) + "\n")
    except KeyboardInterrupt:
        status, error = STOPPED, "stopped"
        telling.broke_off()
    if as_json:
        values = {"model": talk.model, "text": telling.text, "reasoning": telling.thought or None, "error": error}
        more = {"finish_reason": telling.finish or None, "output_tokens": telling.tokens}
        sys.stdout.write(orjson.dumps({**values, **more}, option=orjson.OPT_INDENT_2).decode() + "\n")
    return status


def _asked() -> str:
    """All that comes on standard input. Raises CannotChat."""
    said = sys.stdin.buffer.read(MAX_INPUT_BYTES).decode("utf-8", "replace").strip()
    if not said:
        raise CannotChat("Nothing was said on standard input.", "標準入力に質問がありません。")
    return said


def answer(line: Line, talk: Talk, telling: Telling) -> None:
    """The next answer, from the question that `talk` has; asked for again for as long as the gateway says so. Raises
    AnswerFailed, and KeyboardInterrupt; what has come by then is kept.
    """
    while True:
        begun = False
        telling.wait(talk.model)
        try:
            for event in line.answer(talk.fields):
                if isinstance(event, Begun):
                    begun = True
                    talk.began(event.conversation)
                telling.take(event)
        except Later as later:
            said, retry_s = later.text(line.language), later.retry_s
            telling.wait_for(partial(_asks_again, said, retry_s))
            time.sleep(retry_s)
        except AnswerFailed as failed:
            if not begun and talk.goes_on_without(failed.status, failed.code, failed.english):
                continue
            if begun:
                talk.answered(telling.text)
            raise
        except KeyboardInterrupt:
            if begun:
                talk.answered(telling.text)
            raise
        else:
            talk.answered(telling.text)
            telling.end()
            return


def _asks_again(said: str, retry_s: float, after_s: float) -> Text:
    return words.asks_again(said, max(0.0, retry_s - after_s))


class Chat:
    """A talk in a terminal."""

    def __init__(self, line: Line, talk: Talk, screen: Screen, names: list[str]) -> None:
        self._line, self._talk, self._screen, self._names = line, talk, screen, names
        self._commands: dict[str, Callable[[str], bool]] = {
            "/help": self._help,
            "/new": self._new,
            "/model": self._model,
            "/system": self._system,
            "/retry": self._retry,
            "/quit": lambda _: False,
            "/exit": lambda _: False,
        }

    def run(self) -> int:
        """Until it is left; the status."""
        prepare()
        say = self._screen.say
        say(Text(*2 * (f"疾風 Hayate  {self._line.target.origin}  {self._talk.model}",)))
        say(words.GREETING)
        going = True
        while going:
            try:
                said = message(input, self._prompt)
            except KeyboardInterrupt:
                self._screen.write("\n")
                say(words.LEAVE)
                continue
            except EOFError:
                self._screen.write("\n")
                return 0
            going = self._take(said)
        return 0

    @property
    def _prompt(self) -> str:
        """Its colour is marked as what takes no room, or the line would be broken at the wrong place."""
        return "\001\x1b[1m\002>>> \001\x1b[0m\002" if self._screen.paint.on else ">>> "

    def _take(self, said: str) -> bool:
        """One message, or one command; whether it goes on."""
        word, _, rest = said.partition(" ")
        if said.startswith("/") and "\n" not in word and "/" not in word[1:]:
            known = self._commands.get(word)
            if known is not None:
                return known(rest.strip())
            self._screen.say(words.unknown_command(plain(word, 50)))
        elif said:
            self._talk.ask(said)
            self._answer()
        return True

    def _answer(self) -> None:
        telling, kept = Telling(self._screen), self._talk.kept
        try:
            with quiet_keys(sys.stdin.fileno()):
                answer(self._line, self._talk, telling)
        except AnswerFailed as failed:
            telling.broke_off()
            self._screen.write(self._screen.paint(failed.text(self._screen.language), "red") + "\n")
        except KeyboardInterrupt:
            telling.broke_off()
            self._screen.say(words.STOPPED)
        if kept and not self._talk.kept:
            self._screen.say(words.NOT_KEPT)

    def _help(self, _: str) -> bool:
        for name, text in words.HELP:
            self._screen.say(Text(f"{name:<14}{text.en}", f"{name:<14}{text.ja}"))
        return True

    def _new(self, _: str) -> bool:
        self._talk.anew()
        self._screen.say(words.NEW)
        return True

    def _model(self, name: str) -> bool:
        try:
            self._names = self._line.models()
        except CannotChat as error:
            self._screen.say(error.texts)
            return True
        shown = ", ".join(self._names[:MOST_NAMES])
        if not name:
            self._screen.say(Text(*2 * (shown,)))
        elif self._names and name not in self._names:
            self._screen.say(words.no_such_model(plain(name, 200), shown))
        else:
            self._talk.model = name
            self._screen.say(words.goes_on_with(name))
        return True

    def _system(self, text: str) -> bool:
        if text:
            self._talk.system = text
            self._screen.say(words.SYSTEM_SET)
        elif self._talk.system:
            self._screen.say(Text(*2 * (self._talk.system,)))
        else:
            self._screen.say(words.NO_SYSTEM)
        return True

    def _retry(self, _: str) -> bool:
        if self._talk.ask_again():
            self._answer()
        else:
            self._screen.say(words.NOTHING_YET)
        return True
