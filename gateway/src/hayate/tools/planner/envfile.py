"""`.env`, changed in place: the lines that a plan decides, every other byte as it was.

Read as Docker Compose reads it: `NAME=value`, `export NAME=value`, quotes that may span lines, ` # comments` after
unquoted values; the last of several assignments counts, so all of them are set. The new file takes the old one's place
in one step and keeps its mode and owner; a new one is for its owner alone, because keys belong in it.
"""

from __future__ import annotations

import difflib
import os
import re
import shlex
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from hayate.language import reason_of
from hayate.tools.refusal import Refusal, unreadable

HEADER = "# Written by `hayate plan --write`."
_ASSIGNMENT = re.compile(r"(?P<head>[ \t]*(?:export[ \t]+)?(?P<name>[A-Za-z_][A-Za-z0-9_]*)[ \t]*=[ \t]*)")
_PLAIN = re.compile(r"[A-Za-z0-9_./:@,+=~-]*")
_COMMENT = re.compile(r"[ \t]+#.*$")
_SECRET = re.compile(r"(?i)(--[a-z_-]*(?:key|token(?!s)|secret|password)[a-z_-]*[= ]+)(\S+)|(?<=://)[^/@\s]+(?=@)")

# Other spellings of the flags that a plan puts into an engine's EXTRA_ARGS.
SPELLINGS: Mapping[str, tuple[str, ...]] = {
    "--tensor-parallel-size": ("-tp", "--tensor_parallel_size"),
    "--tp-size": ("--tp", "--tensor-parallel-size"),
    "--tp_size": ("--tp-size",),
    "--cache-type-k": ("-ctk",),
    "--cache-type-v": ("-ctv",),
}


class UnusableEnvFile(Refusal):
    """The file can't be read or replaced."""


@dataclass(frozen=True, slots=True)
class _Piece:
    """A stretch of the file: one assignment, or one line of anything else (`name` empty)."""

    text: str
    name: str = ""
    head: str = ""
    value: str = ""
    tail: str = ""


def _pieces(text: str) -> Iterator[_Piece]:
    at = 0
    while at < len(text):
        end = text.find("\n", at) + 1 or len(text)
        match = _ASSIGNMENT.match(text, at, end)
        if match is None:
            yield _Piece(text[at:end])
            at = end
            continue
        start, quote = match.end(), text[match.end() : match.end() + 1]
        closing = _closing_quote(text, start) if quote in ("'", '"') else None
        if closing is not None:
            end = text.find("\n", closing) + 1 or len(text)
            value = text[start : closing + 1]
        else:
            line = text[start:end].rstrip("\r\n")
            value = _COMMENT.sub("", line).rstrip() if not line.startswith("#") else ""
        yield _Piece(text[at:end], match["name"], match["head"], value, text[start + len(value) : end])
        at = end


def _closing_quote(text: str, start: int) -> int | None:
    """Where the quoted value that begins at `start` ends; None when it never does."""
    quote, at = text[start], start + 1
    while at < len(text):
        if quote == '"' and text[at] == "\\":
            at += 1
        elif text[at] == quote:
            return at
        at += 1
    return None


def _unquoted(value: str) -> str:
    if len(value) >= 2 and value[0] == value[-1] == "'":
        return value[1:-1]
    if len(value) >= 2 and value[0] == value[-1] == '"':
        return re.sub(r"\\(.)", lambda match: {"n": "\n", "t": "\t"}.get(match[1], match[1]), value[1:-1])
    return value


def _quoted(value: str) -> str:
    if _PLAIN.fullmatch(value):
        return value
    if "'" not in value:
        return f"'{value}'"
    return '"' + re.sub(r'(["\\$`])', r"\\\1", value) + '"'


def read_values(text: str) -> dict[str, str]:
    """What the file sets, as Compose would see it."""
    return {piece.name: _unquoted(piece.value) for piece in _pieces(text.removeprefix("\ufeff")) if piece.name}


def merged(text: str, values: Mapping[str, str]) -> str:
    """`text` with `values` set: in place where they are assigned already, else at the end. A value already so is not touched."""
    bom = "\ufeff" if text.startswith("\ufeff") else ""
    newline = "\r\n" if "\r\n" in text else "\n"
    out, seen = [], set()
    for piece in _pieces(text.removeprefix(bom) if bom else text):
        wanted = values.get(piece.name) if piece.name else None
        seen.add(piece.name)
        if wanted is None or _unquoted(piece.value) == wanted:
            out.append(piece.text)
        else:
            out.append(piece.head + _quoted(wanted) + piece.tail)
    fresh = [f"{name}={_quoted(value)}" for name, value in values.items() if name not in seen]
    whole = "".join(out)
    if fresh:
        if whole and not whole.endswith("\n"):
            whole += newline
        if HEADER not in whole:
            fresh.insert(0, HEADER)
            whole += newline if whole else ""
        whole += "".join(line + newline for line in fresh)
    return bom + whole


def with_flags(arguments: str, flags: Mapping[str, str | None]) -> str:
    """An EXTRA_ARGS value with `flags` set (or taken out, for None); everything else in it stays."""
    try:
        words = shlex.split(arguments)
    except ValueError as error:
        raise UnusableEnvFile(
            f"{arguments!r} has a quotation mark that is not closed ({error})",
            f"{arguments!r}の引用符が閉じられていません（{error}）",
        ) from None
    gone = {spelling for name in flags for spelling in (name, *SPELLINGS.get(name, ()))}
    kept, skip = [], False
    for word in words:
        if skip or word.split("=", 1)[0] in gone:
            skip = not skip and "=" not in word
            continue
        kept.append(word)
    added = [part for name, value in flags.items() if value is not None for part in (name, value)]
    return shlex.join([*kept, *added])


def changed_lines(old: str, new: str) -> list[str]:
    """The lines that differ, with - and +, secrets masked. Unchanged lines are left out: they may be keys."""
    lines = difflib.unified_diff(old.splitlines(), new.splitlines(), n=0, lineterm="")
    shown = [line for line in lines if not line.startswith(("---", "+++", "@@"))]
    return [_SECRET.sub(lambda match: f"{match[1] or ''}***", line) for line in shown]


def read_env_file(path: Path) -> str:
    """Its text, empty when there is none. Raises UnusableEnvFile."""
    try:
        return path.read_bytes().decode("utf-8")
    except FileNotFoundError:
        return ""
    except (OSError, UnicodeDecodeError) as error:
        said = unreadable(path, error)
        raise UnusableEnvFile(said.en, said.ja) from None


def replace_env_file(path: Path, text: str) -> None:
    """Puts `text` in the file's place: all of it, or nothing. Raises UnusableEnvFile."""
    target = Path(os.path.realpath(path))
    scratch: Path | None = None
    try:
        try:
            state = target.stat()
        except FileNotFoundError:
            state = None
        handle, name = tempfile.mkstemp(prefix=f".{target.name}.", dir=target.parent)
        scratch = Path(name)
        with os.fdopen(handle, "wb") as file:
            file.write(text.encode("utf-8"))
            file.flush()
            os.fsync(file.fileno())
        if state is not None:
            if (state.st_uid, state.st_gid) != (os.getuid(), os.getgid()):
                with suppress(PermissionError):
                    os.chown(scratch, state.st_uid, state.st_gid)
            scratch.chmod(state.st_mode & 0o7777)
        scratch.replace(target)
    except OSError as error:
        if scratch is not None:
            scratch.unlink(missing_ok=True)
        why = reason_of(error)
        raise UnusableEnvFile(f"{path}: can't be written ({why.en})", f"{path}: 書き込めません（{why.ja}）") from None
