"""`hayate config show`: every setting that holds, and who says so: what was typed, a variable, a line of `.env` or of the
file, or the default. Secrets are never shown, only that they are there.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields, is_dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import typer
from pydantic import ByteSize, SecretStr

from hayate.access.key_files import ADMIN, MAIN
from hayate.config.environment import EMBEDDED
from hayate.config.load import Sources, load_config, sources_of
from hayate.config.mistakes import Where
from hayate.config.models import Config
from hayate.config.values import shown_size
from hayate.config.yaml_tree import written_at
from hayate.language import Language, Text
from hayate.serve.specs import option_mistakes
from hayate.tools.environment import Environment
from hayate.tools.gateway.options import ShowOptions
from hayate.tools.gateway.place import ENGINE_OF_UP

NAME, VALUE = 24, 24
"""Columns of a name and of a value; a longer one pushes what follows."""
SECRET = re.compile(r"key|token(?!izer)|secret|password|authorization|cookie|headers", re.IGNORECASE)
VARIABLE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)")
HIDDEN = Text("(hidden)", "（非表示）")
DEFAULT = Text("default", "既定値")


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


def run_show(options: ShowOptions, env: Environment) -> int:
    """Prints all of it; the status. Raises ConfigError, as a start would."""
    around = env.typing(HAYATE_CONFIG=options.config, HAYATE_HOST=options.host, HAYATE_PORT=options.port)
    sources = sources_of(None, around)
    # A file without deployments is meant for `hayate up`, which brings one.
    for_up = sources.path is not None and not sources.document.values.get("deployments")
    config = load_config(None, around, embedded=ENGINE_OF_UP if for_up else None, check=option_mistakes)
    found = [*_variables(config, sources, around), *_settings(config, sources, around)]
    if options.as_json:
        typer.echo(json.dumps({"settings": [_as_json(each) for each in found]}, ensure_ascii=False, indent=2))
    else:
        typer.echo("\n".join(_lines(found, env.language)))
    return 0


def _settings(config: Config, sources: Sources, env: Environment) -> Iterator[Setting]:
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
        if name != EMBEDDED or each.replicas != tuple(ENGINE_OF_UP["replicas"]):
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


def _source(where: Where, items: int, sources: Sources, env: Environment) -> Source:
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


def _of_variable(name: str, env: Environment) -> Source:
    origin = env.origin(name)
    if origin is not None and origin.kind == "typed":
        return Source("command line", Text("command line", "コマンドライン"), name)
    if origin is not None and origin.kind == "file":
        text = Text(f".env line {origin.line} ({name})", f".envの{origin.line}行目（{name}）")
        return Source(".env", text, name, origin.line)
    return Source("environment", Text(f"environment variable {name}", f"環境変数{name}"), name)


def _variables(config: Config, sources: Sources, env: Environment) -> Iterator[Setting]:
    """What is no part of the file: where the file is, the language, and the keys."""
    for name in ("HAYATE_CONFIG", "HAYATE_LANG", "HF_TOKEN"):
        given = env.get(name, "").strip()
        value = str(sources.path) if name == "HAYATE_CONFIG" and sources.path else given or None
        source = _of_variable(name, env) if given else Source("default", DEFAULT)
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


def _as_json(each: Setting) -> dict[str, Any]:
    value = each.value
    if each.is_secret:
        value = None
    elif isinstance(value, Path | Decimal):
        value = str(value)
    return {
        "name": ".".join(each.where),
        "value": value,
        "secret": each.is_secret and each.value is not None,
        "source": each.source.kind,
        "variable": each.source.variable,
        "line": each.source.line,
    }


def _lines(found: list[Setting], language: Language) -> Iterator[str]:
    from rich.cells import cell_len

    def padded(text: str, width: int) -> str:
        return text + " " * max(1, width - cell_len(text))

    group: tuple[str, ...] | None = None
    for each in found:
        depth = {"deployments": 2, "prices": 2, "gpus": 2}.get(each.where[0], 1) if len(each.where) > 1 else 0
        if each.where[:depth] != group:
            if group is not None:
                yield ""
            group = each.where[:depth]
            if group:
                yield ".".join(group)
        name, value = ".".join(each.where[depth:]), _shown(each).of(language)
        yield f"  {padded(name, NAME)}{padded(value, VALUE)}{each.source.text.of(language)}"


def _shown(each: Setting) -> Text:
    """A value in a line, for people."""
    value = each.value
    if value is None:
        return Text("-", "-")
    if each.is_secret:
        return HIDDEN
    if isinstance(value, bool):
        text = "true" if value else "false"
    elif isinstance(value, ByteSize):
        text = shown_size(value)
    elif isinstance(value, float):
        text = f"{value:g}"
    elif isinstance(value, tuple | list):
        text = ", ".join(map(str, value)) or "[]"
    else:
        text = json.dumps(value, ensure_ascii=False) if isinstance(value, Mapping) else str(value)
    return Text(text, text)
