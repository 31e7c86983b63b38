"""What a command finds around it, as one mapping: what was typed, then the process's environment, then `.env` in the
working folder.

Each verb is handed one `Environment` and reads nothing else; `main` alone looks at the process and at the folder. The
process's own environment is left as it is, but for what libraries read there by themselves (`lend`).
"""

from __future__ import annotations

import io
import os
from collections.abc import Iterator, Mapping, MutableMapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from hayate.language import Language, Text, terminal_language

FILE = ".env"
LENT = ("HF_TOKEN", "HF_ENDPOINT", "HF_HOME", "HF_HUB_CACHE", "HF_HUB_OFFLINE")
"""What the Hub's library reads for itself."""
MAX_BYTES = 1024 * 1024
"""What is read of it."""


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a variable comes from: `line` is that of `.env`."""

    kind: Literal["typed", "environment", "file"]
    line: int = 0


@dataclass(frozen=True, slots=True)
class Environment(Mapping[str, str]):
    """The three, the first that has a name wins. A variable that is set and empty hides what `.env` says, as in compose."""

    process: Mapping[str, str]
    file: Mapping[str, tuple[str, int]]
    """Of `.env`: each value and its line."""
    typed: Mapping[str, str]
    left: tuple[str, ...] = ()
    """What `.env` has and this command leaves alone."""
    complaints: tuple[Text, ...] = ()
    """What of `.env` could not be read; the rest of it holds."""

    def __getitem__(self, name: str) -> str:
        if name in self.typed:
            return self.typed[name]
        return self.process[name] if name in self.process else self.file[name][0]

    def __iter__(self) -> Iterator[str]:
        return iter({**self.file, **self.process, **self.typed})

    def __len__(self) -> int:
        return len({*self.file, *self.process, *self.typed})

    @property
    def language(self) -> Language:
        """What to speak at this terminal."""
        return terminal_language(self)

    def origin(self, name: str) -> Origin | None:
        """Which of the three says what `name` is."""
        if name in self.typed:
            return Origin("typed")
        if name in self.process:
            return Origin("environment")
        return Origin("file", self.file[name][1]) if name in self.file else None

    def typing(self, **values: object) -> Environment:
        """With what was typed in place of variables; what is None was not typed."""
        return replace(
            self, typed={**self.typed, **{name: str(value) for name, value in values.items() if value is not None}}
        )

    def leaving(self, names: Sequence[str]) -> Environment:
        """Without what `.env` says of these names; where something else says it, it holds."""
        left = tuple(name for name in names if name in self.file and name not in self.process)
        return replace(self, file={name: each for name, each in self.file.items() if name not in names}, left=left)

    def lend(self, process: MutableMapping[str, str]) -> None:
        """Puts what libraries read by themselves where they read it."""
        for name in LENT:
            if name in self.file:
                process.setdefault(name, self.file[name][0])


def alone(process: Mapping[str, str]) -> Environment:
    """A process's environment, whatever folder it works in."""
    return Environment(process, {}, {})


def read_environment(process: Mapping[str, str] = os.environ, folder: Path = Path()) -> Environment:
    """With the folder's `.env`, as compose reads it. A line that can't be read is left out and told."""
    path = folder / FILE
    try:
        with path.open("rb") as file:
            text = file.read(MAX_BYTES)
        found, broken = _parsed(text.decode("utf-8-sig"), process)
    except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
        return alone(process)
    except OSError as error:
        return replace(alone(process), complaints=(_unreadable(error.strerror or ""),))
    except ValueError:
        return replace(alone(process), complaints=(_NO_TEXT,))
    return Environment(process, found, {}, complaints=tuple(_broken(line) for line in broken))


def _parsed(text: str, process: Mapping[str, str]) -> tuple[dict[str, tuple[str, int]], list[int]]:
    """The variables with their lines, and the lines that are none. `${NAME}` is filled in, but not in single quotes."""
    from dotenv.parser import parse_stream
    from dotenv.variables import parse_variables

    found: dict[str, tuple[str, int]] = {}
    broken: list[int] = []
    for each in parse_stream(io.StringIO(text)):
        # The blank lines before it belong to what was read.
        written = each.original.string
        line = each.original.line + written[: len(written) - len(written.lstrip())].count("\n")
        if each.error:
            broken.append(line)
        elif each.key is not None and each.value is not None:
            known = {name: value for name, (value, _) in found.items()} | dict(process)
            parts = (atom.resolve(known) for atom in parse_variables(each.value))
            literal = written.partition("=")[2].lstrip().startswith("'")
            found[each.key] = each.value if literal else "".join(parts), line
    return found, broken


_NO_TEXT = Text(".env is no text in UTF-8, and is left alone.", ".envはUTF-8のテキストではないため、使いません。")


def _unreadable(reason: str) -> Text:
    return Text(
        f".env can't be read, and is left alone: {reason}.", f".envを読み取れないため、使いません（{reason}）。"
    )


def _broken(line: int) -> Text:
    return Text(
        f".env line {line} is left out: NAME=value is expected, and a quote needs its end.",
        f".envの{line}行目は無視しました。NAME=値の形で書き、引用符は閉じてください。",
    )
