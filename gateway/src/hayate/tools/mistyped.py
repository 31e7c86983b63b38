"""What was mistyped, in a line of both languages, and where the help is."""

from __future__ import annotations

import re
from collections.abc import Sequence
from difflib import get_close_matches
from typing import TYPE_CHECKING, Literal, get_args, get_origin

# Typer keeps its command-line library inside, and offers no public name for most of its exceptions.
from typer._click import exceptions as typed

from hayate.language import Language, Text

if TYPE_CHECKING:
    from typer._click import Context, Parameter


class NoSuchVerb(typed.UsageError):
    """A word that is no command."""

    def __init__(self, word: str, known: Sequence[str], ctx: Context) -> None:
        super().__init__(f"No such command: {word}", ctx)
        self.word = word
        self.close = get_close_matches(word, known, 1)


def told(error: typed.ClickException, language: Language) -> str:
    """Everything to show of it."""
    if isinstance(error, typed.NoArgsIsHelpError):
        return error.format_message()
    text = _text(error)
    ctx = error.ctx if isinstance(error, typed.UsageError) else None
    path = ctx.command_path if ctx is not None else "hayate"
    more = Text(f"`{path} -h` shows what it takes.", f"使い方は「{path} -h」で表示します。")
    return f"{text.of(language)}\n{more.of(language)}"


def _text(error: typed.ClickException) -> Text:
    match error:
        case NoSuchVerb():
            near = (
                Text(f" Did you mean {error.close[0]}?", f"{error.close[0]}のことですか？") if error.close else _NOTHING
            )
            return Text(
                f"There is no command {shown(error.word)}.{near.en}",
                f"コマンド「{shown(error.word)}」はありません。{near.ja}",
            )
        case typed.NoSuchOption():
            close = sorted(error.possibilities or ())[:1]
            near = Text(f" Did you mean {close[0]}?", f"{close[0]}のことですか？") if close else _NOTHING
            return Text(
                f"There is no option {shown(error.option_name)}.{near.en}",
                f"オプション「{shown(error.option_name)}」はありません。{near.ja}",
            )
        case typed.MissingParameter(param=param) if param is not None:
            name = _name(param)
            return Text(f"{name} is missing.", f"{name}を指定してください。")
        case typed.BadParameter(param=param) if param is not None:
            wanted = _wanted(param)
            return Text(
                f"{_name(param)}: {wanted.en} is expected.", f"{_name(param)}には{wanted.ja}を指定してください。"
            )
        case typed.BadOptionUsage():
            return _option_usage(error)
    many = re.search(r"unexpected extra arguments?(?:\(s\))? \((.*)\)$", error.format_message(), re.DOTALL)
    if many is not None:
        return Text(f"Too much was typed: {shown(many[1])}", f"余分な引数があります: {shown(many[1])}")
    said = shown(error.format_message())
    return Text(said, f"コマンドラインに誤りがあります（{said}）。")


_NOTHING = Text("", "")


def _option_usage(error: typed.BadOptionUsage) -> Text:
    """An option without its value, or a switch with one."""
    name = shown(error.option_name)
    if "does not take" in error.message:
        return Text(f"{name} takes no value.", f"{name}に値は指定できません。")
    return Text(f"{name} needs a value.", f"{name}には値が必要です。")


def shown(word: str) -> str:
    """A word as it was typed, without what would move the terminal's cursor, and not longer than a line."""
    plain = "".join(each if each.isprintable() else "?" for each in word)
    return plain if len(plain) <= 100 else f"{plain[:99]}…"


def _name(param: Parameter) -> str:
    return param.opts[0] if param.param_type_name == "option" else str(param.name).upper()


def _wanted(param: Parameter) -> Text:
    """What would have been taken in its place."""
    kind = getattr(getattr(param, "type_descriptor", None), "annotation", str)
    least, most = getattr(param, "min", None), getattr(param, "max", None)
    number = Text("a whole number", "整数") if kind is int else Text("a number", "数値")
    if get_origin(kind) is Literal:
        words = get_args(kind)
        return Text(f"one of {', '.join(words)}", f"{'、'.join(words)}のいずれか")
    if kind not in (int, float):
        return Text("another value", "別の値")
    if least is not None and most is not None:
        return Text(f"{number.en} from {least} to {most}", f"{least}から{most}までの{number.ja}")
    if least is not None:
        return Text(f"{number.en} of at least {least}", f"{least}以上の{number.ja}")
    return number
