"""What `-h` shows, in either language, in as many columns as the terminal has: a Japanese letter takes two of them."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from hayate.language import Language, Text

if TYPE_CHECKING:
    from typer._click import Command, Context, Parameter
    from typer.core import TyperCommand, TyperGroup

MOST, LEAST = 100, 40
LEFT = 26
"""Columns of the names, with the two before them; a longer one has a line of its own."""
NO_START = "、。，．・：；？！）」』】〕〉》ーぁぃぅぇぉっゃゅょァィゥェォッャュョ々…"
NO_END = "（「『【〔〈《"
HELP = Text("Show this and end.", "この説明を表示して終了します。")
KINDS = {"int": Text("N", "数値"), "float": Text("N", "数値"), "Path": Text("PATH", "パス")}
WORD = Text("TEXT", "文字列")
REQUIRED = Text(" [required]", "[必須]")


def group_help(group: TyperGroup, ctx: Context, language: Language) -> str:
    """The commands of a group, each with a line."""
    texts: Mapping[str, Text] = {**getattr(group, "texts", {}), **_told(group).get("texts", {})}
    word = Text("[COMMAND]", "[コマンド]") if group.invoke_without_command else Text("COMMAND", "コマンド")
    usage = Text(f"Usage: {ctx.command_path} {word.en} [OPTIONS]", f"使い方: {ctx.command_path} {word.ja} [オプション]")
    commands = [(name, group.get_command(ctx, name)) for name in group.list_commands(ctx)]
    rows = [(name, _says(each).of(language)) for name, each in commands if each is not None]
    parts = [usage.of(language), *_paragraph(_says(group).of(language), columns()), ""]
    parts += [Text("Commands:", "コマンド:").of(language), *_table(rows, columns()), ""]
    parts += [
        Text("Options:", "オプション:").of(language),
        *_table(_options(group, ctx, language, texts), columns()),
    ]
    return "\n".join(parts) + "\n"


def command_help(command: TyperCommand, ctx: Context, language: Language) -> str:
    """One command: what it does, and each of its options."""
    texts: Mapping[str, Text] = _told(command).get("texts", {})
    arguments = [each for each in command.params if each.param_type_name == "argument"]
    names = [str(each.name).upper() for each in arguments]
    words = "".join(f" {name}" if each.required else f" [{name}]" for name, each in zip(names, arguments, strict=True))
    usage = Text(f"Usage: {ctx.command_path}{words} [OPTIONS]", f"使い方: {ctx.command_path}{words} [オプション]")
    parts = [usage.of(language), *_paragraph(_says(command).of(language), columns()), ""]
    if arguments:
        rows = [(str(each.name).upper(), texts.get(str(each.name), WORD).of(language)) for each in arguments]
        parts += [Text("Arguments:", "引数:").of(language), *_table(rows, columns()), ""]
    parts += [Text("Options:", "オプション:").of(language), *_table(_options(command, ctx, language, texts), columns())]
    return "\n".join(parts) + "\n"


def columns() -> int:
    """What a line may take."""
    return max(LEAST, min(MOST, shutil.get_terminal_size().columns))


def _told(command: Command) -> dict[str, Any]:
    return getattr(command.callback, "__dict__", {})


def _says(command: Command) -> Text:
    """What a command says of itself: a verb by what it was made with, a group by itself."""
    said = getattr(command, "says", None) or _told(command).get("says")
    return said if isinstance(said, Text) else Text(command.help or "", command.help or "")


def _options(command: Command, ctx: Context, language: Language, texts: Mapping[str, Text]) -> list[tuple[str, str]]:
    rows = [
        (_names(each, language), _with_default(each, texts.get(str(each.name), Text(*2 * (_help(each),))), language))
        for each in sorted(command.params, key=lambda each: not each.required)  # what must be typed comes first
        if each.param_type_name == "option" and not getattr(each, "hidden", False)
    ]
    return [*rows, (", ".join(ctx.help_option_names), HELP.of(language))]


def _help(param: Parameter) -> str:
    return getattr(param, "help", None) or ""


def _names(param: Parameter, language: Language) -> str:
    """All ways to write it, and what goes with it."""
    names = ", ".join(sorted(param.opts, key=len))
    if param.secondary_opts:
        return f"{names}, {', '.join(param.secondary_opts)}"
    if getattr(param, "is_flag", False):
        return names
    kind = getattr(getattr(param, "type_descriptor", None), "annotation", str)
    return f"{names} {KINDS.get(getattr(kind, '__name__', ''), WORD).of(language)}"


def _with_default(param: Parameter, text: Text, language: Language) -> str:
    """The text, with what holds where nothing is typed; not for what is off."""
    default = param.default
    if param.required:
        return f"{text.of(language)}{REQUIRED.of(language)}"
    if default is None or default is False:
        return text.of(language)
    if default is True:
        default = param.opts[0]
    return f"{text.of(language)}{Text(f' [default: {default}]', f'[既定値: {default}]').of(language)}"


def _table(rows: Sequence[tuple[str, str]], width: int) -> Iterator[str]:
    from rich.cells import cell_len

    for name, text in rows:
        lines = wrapped(text, width - LEFT) or [""]
        if cell_len(name) > LEFT - 4:
            yield f"  {name}"
        else:
            yield f"  {name}{' ' * (LEFT - 2 - cell_len(name))}{lines.pop(0)}".rstrip()
        yield from (" " * LEFT + line for line in lines if line)


def _paragraph(text: str, width: int) -> Iterator[str]:
    if text:
        yield ""
        yield from (f"  {line}" for line in wrapped(" ".join(text.split()), width - 2))


def wrapped(text: str, width: int) -> list[str]:
    """The text in lines of at most `width` columns: between words, or between Japanese letters where the rules of
    setting allow it. A word that is longer than a line keeps its length.
    """
    from rich.cells import cell_len

    lines, line = [], ""
    for piece in _pieces(text):
        if line and cell_len(line) + cell_len(piece.rstrip()) > width:
            lines.append(line.rstrip())
            line = piece.lstrip()
        else:
            line += piece
    return [*lines, line.rstrip()] if line.strip() else lines


def _pieces(text: str) -> list[str]:
    """What must stay on one line, each with the blanks behind it."""
    pieces: list[str] = []
    for each in re.findall(r"[!-~]+\s*|\s+|[^!-~\s]\s*", text):
        joins = pieces and (each[0] in NO_START or pieces[-1][-1] in NO_END)
        if joins:
            pieces[-1] += each
        else:
            pieces.append(each)
    return pieces
