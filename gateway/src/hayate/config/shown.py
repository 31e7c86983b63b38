"""A configuration as people and programs are shown it: every setting that holds, and who says so: what was typed, a variable, a
line of `.env` or of the file, or the default. Secrets are never shown, only that they are there.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields, is_dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from pydantic import SecretStr

from hayate.access.key_files import ADMIN, MAIN
from hayate.config.load import Sources
from hayate.config.mistakes import Where
from hayate.config.models import Config
from hayate.config.yaml_file import Document
from hayate.config.yaml_tree import written_at
from hayate.language import Text

SECRET = re.compile(r"key|token(?!izer)|secret|password|authorization|cookie|headers", re.IGNORECASE)
VARIABLE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)")
DEFAULT = Text("default", "既定値")
TYPED = Text("command line", "コマンドライン")


class Origin(Protocol):
    """Where a variable comes from: `kind` is typed, environment or file; `line` is that of `.env`."""

    @property
    def kind(self) -> str:
        """Which of the three says what it is."""

    @property
    def line(self) -> int:
        """Its line in `.env`; 0 where it is in none."""


@runtime_checkable
class Knowing(Protocol):
    """Variables that know where they come from (`tools.environment`)."""

    def origin(self, name: str) -> Origin | None:
        """Of a variable; None where it is not set."""


@dataclass(frozen=True, slots=True)
class Source:
    """Who says so."""

    kind: str
    """command line, environment, .env, file, key file or default; for `--json`."""
    text: Text
    variable: str | None = None
    line: int | None = None


@dataclass(frozen=True, slots=True)
class Setting:
    """One thing that holds."""

    where: tuple[str, ...]
    value: Any
    source: Source
    is_secret: bool = False

    @property
    def name(self) -> str:
        """Its place in a file, with points between."""
        return ".".join(self.where)

    def as_json(self) -> dict[str, Any]:
        """For programs: the value unless it is secret."""
        value = self.value
        if self.is_secret:
            value = None
        elif isinstance(value, Path | Decimal):
            value = str(value)
        return {
            "name": self.name,
            "path": list(self.where),
            "value": value,
            "secret": self.is_secret and self.value is not None,
            "source": self.source.kind,
            "variable": self.source.variable,
            "line": self.source.line,
        }


def shown(config: Config, env: Mapping[str, str]) -> list[Setting]:
    """All of it: what is no part of the file first. `env` is what the configuration was read with."""
    sources: Sources = config.sources or Sources(None, env, Document())
    return [*_variables(config, sources, env), *_settings(config, sources, env)]


def _settings(config: Config, sources: Sources, env: Mapping[str, str]) -> Iterator[Setting]:
    for where, value in _leaves(config):
        secret = isinstance(value, SecretStr) or ("options" in where and SECRET.search(where[-1]) is not None)
        items = len(value) if isinstance(value, tuple) else 0
        source = _source(where, items, sources, env)
        if where[2:4] == ("run", "env"):
            secret = bool(SECRET.search(where[-1])) or source.variable is not None
        # A command is told as it is written: what variables say of it may be secret.
        root, is_command = sources.document.root, where[2:4] == ("run", "command")
        told = tuple(written_at(root, (*where, n)) or "…" for n in range(items)) if is_command else value
        yield Setting(where, told, source, secret)


def _leaves(config: Config) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Every value with its place, the place of the file."""
    yield ("data",), config.data
    yield ("currency",), config.currency
    yield ("preload",), config.preload
    for section in ("server", "limits", "safety", "health", "store", "record", "history", "keys"):
        yield from _inside((section,), getattr(config, section))
    for name, gpu in config.gpus.items():
        yield from _inside(("gpus", name), gpu)
    for name, each in config.deployments.items():
        yield from _inside(("deployments", name), each)
    for name, price in config.prices.items():
        yield from _inside(("prices", name), price)
    for name, targets in config.aliases.items():
        yield ("aliases", name), targets


def _inside(where: tuple[str, ...], value: Any) -> Iterator[tuple[tuple[str, ...], Any]]:
    if is_dataclass(value):
        for field in fields(value):
            yield from _inside((*where, field.name), getattr(value, field.name))
    elif isinstance(value, Mapping) and value:
        for name, each in value.items():
            yield from _inside((*where, str(name)), each)
    else:
        yield where, value


def _source(where: Where, items: int, sources: Sources, env: Mapping[str, str]) -> Source:
    """Of a value, or of a list of so many; with the variables that the file takes it from."""
    variable, line = sources.said(where)
    if variable is not None:
        return _of_variable(variable, env)
    if line is None:
        return Source("default", DEFAULT)
    places = [where, *((*where, number) for number in range(items))]
    named = VARIABLE.findall(" ".join(written_at(sources.document.root, place) or "" for place in places))
    through = [_of_variable(name, env).text for name in named if name in env]
    place = Text(f"{sources.name} line {line}", f"{sources.name}の{line}行目")
    if through:
        en, ja = ", ".join(each.en for each in through), "、".join(each.ja for each in through)
        place = Text(f"{place.en} ({en})", f"{place.ja}（{ja}）")
    return Source("file", place, named[0] if named else None, line)


def _of_variable(name: str, env: Mapping[str, str]) -> Source:
    origin = env.origin(name) if isinstance(env, Knowing) else None
    if origin is not None and origin.kind == "typed":
        return Source("command line", TYPED, name)
    if origin is not None and origin.kind == "file":
        text = Text(f".env line {origin.line} ({name})", f".envの{origin.line}行目（{name}）")
        return Source(".env", text, name, origin.line)
    return Source("environment", Text(f"environment variable {name}", f"環境変数{name}"), name)


def _variables(config: Config, sources: Sources, env: Mapping[str, str]) -> Iterator[Setting]:
    """What is no part of the file: where the file is, the language, and the keys."""
    for name in ("HAYATE_CONFIG", "HAYATE_LANG", "HF_TOKEN"):
        given = env.get(name, "").strip()
        value = str(sources.path) if name == "HAYATE_CONFIG" and sources.path else given or None
        source = _of_variable(name, env) if given else Source("default", DEFAULT)
        if name == "HAYATE_CONFIG" and sources.path and not given:
            source = Source("command line", TYPED, name)
        yield Setting((name,), value, source, is_secret=name == "HF_TOKEN" and bool(given))
    for place in (MAIN, ADMIN):
        if env.get(place.variable, "").strip():
            yield Setting((place.variable,), "", _of_variable(place.variable, env), is_secret=True)
        else:
            yield _kept(place.variable, config.data / place.file)


def _kept(name: str, path: Path) -> Setting:
    """A key of the data folder, which may be another user's, or not there yet."""
    try:
        is_there = path.is_file()
    except OSError:
        is_there = False
    if is_there:
        return Setting((name,), "", Source("key file", Text(str(path), str(path))), is_secret=True)
    return Setting((name,), None, Source("default", Text("made at the first start", "初回起動時に作成")))
