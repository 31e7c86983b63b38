"""How the configuration is found: read once, validated whole, then frozen.

No file: `LLM_BACKEND`, `BACKEND_URL` and `MODEL` make one deployment. With a file
(`--config` or `HAYATE_CONFIG`), YAML with `${NAME}` and `${NAME:-fallback}` taken from the environment. Every mistake is named
with its path and, for a file, its line; for the environment, its variable. Blanks and line breaks around a value are nobody's
intention and are taken off.

The data folder, when it is not an absolute path: of a file, beside that file; of `HAYATE_DATA` or of neither, in the
folder the command runs in.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from hayate.config.environment import (
    file_named,
    from_env_alone,
    looked_through,
    overlay,
    said_by,
    with_defaults,
    with_embedded,
)
from hayate.config.mistakes import ConfigError, Findings, Mistake, Where
from hayate.config.models import Config
from hayate.config.oddities import oddities
from hayate.config.turns import turn_mistakes
from hayate.config.validation import Shown, validated
from hayate.config.wanted import COMMANDS, SHOWN_OF_COMMANDS
from hayate.config.yaml_file import Document, read_yaml
from hayate.config.yaml_tree import line_of, node_at, written_at
from hayate.language import Text

_SHOWN = 60
"""How many characters of a value a message shows."""
Check = Callable[[Config], Iterable[tuple[Where, Text]]]
"""Finds mistakes that the models can't see, each with its place; `serve.specs.option_mistakes` is one."""


@dataclass(frozen=True)
class Sources:
    """Where a configuration comes from: the file, if there is one, and the environment. All are equal: it is no part of what a
    configuration says.
    """

    path: Path | None = field(compare=False)
    env: Mapping[str, str] = field(compare=False)
    document: Document = field(compare=False)

    @property
    def name(self) -> str:
        """For messages."""
        return "environment" if self.path is None else str(self.path)

    def placed(self, mistake: Mistake) -> Mistake:
        """With its line or its variable."""
        if mistake.line is not None or mistake.variable is not None:
            return mistake
        variable = said_by(mistake.where, self.env, alone=self.path is None)
        if variable is not None:
            # Whoever sets a variable never wrote the place in a deployment that it stands for.
            where = () if mistake.where[:1] == ("deployments",) else mistake.where
            return replace(mistake, where=where, variable=variable)
        return replace(mistake, line=line_of(self.document.root, mistake.where))

    def said(self, where: Where) -> tuple[str | None, int | None]:
        """Who says what stands here: a variable, or a line of the file; neither for a default."""
        variable = said_by(where, self.env, alone=self.path is None)
        if variable is not None and self.env.get(variable):
            return variable, None
        _, line, whole = node_at(self.document.root, where)
        return None, line if whole else None

    def shown(self, where: Where, value: Any) -> str | None:
        """A value as it was written, for messages; nothing where it could be a secret."""
        if "api_key" in where:
            return None
        most = SHOWN_OF_COMMANDS if where[-1:] in [(each,) for each in COMMANDS] else _SHOWN
        if said_by(where, self.env, alone=self.path is None) is None:
            written = written_at(self.document.root, where)
            if written is not None and (written.strip() != str(value) or not isinstance(value, str)):
                return written[:most] or None
        if not isinstance(value, str | int | float | None) or len(str(value)) > most:
            return None
        if isinstance(value, str):
            return repr(value)
        return "null" if value is None else str(value).lower()


def load_config(
    path: str | Path | None = None,
    env: Mapping[str, str] | None = None,
    *,
    embedded: Mapping[str, Any] | None = None,
    defaults: Mapping[str, Mapping[str, Any]] | None = None,
    check: Check | None = None,
) -> Config:
    """The configuration from `path`, else `HAYATE_CONFIG`, else the environment alone. Raises ConfigError.

    `embedded` is the deployment of `hayate up`: it stands beside what a file names, and instead of what the environment
    does. `defaults` holds, by section, what takes the place of the usual defaults.
    """
    sources, found = _sources(path, env)
    values = _values(sources, embedded, defaults or {})
    return _checked(sources, values, found, check)


def examine(
    path: str | Path | None = None, env: Mapping[str, str] | None = None, *, check: Check | None = None
) -> tuple[Config, list[Text]]:
    """The configuration, as for `load_config`, and what is legal in it and odd. Raises ConfigError."""
    sources, found = _sources(path, env)
    values = _values(sources, None, {})
    config = _checked(sources, values, found, check)
    odd = [sources.placed(each) for each in oddities(config, values, sources.document.root, sources.env, sources.path)]
    odd.sort(key=lambda each: (each.variable is not None, each.line or 0))
    return config, [each.told(sources.name) for each in odd]


def sources_of(path: str | Path | None, env: Mapping[str, str]) -> Sources:
    """Where the configuration comes from, for whoever has loaded it already. Raises ConfigError."""
    return _sources(path, env)[0]


def data_folder(path: str | Path | None = None, env: Mapping[str, str] | None = None) -> Path:
    """Where a gateway of this configuration keeps its keys. Raises ConfigError, as for any other use of it."""
    return whole_config(path, env).data


def whole_config(path: str | Path | None = None, env: Mapping[str, str] | None = None) -> Config:
    """For what works beside a gateway: the configuration, which need not name an engine, because the file may be meant for
    `hayate up`, whose engine its aliases may name all the same. Raises ConfigError.
    """
    engine_of_up = {"backend": "llamacpp", "replicas": ["http://127.0.0.1"]}
    return load_config(path, env, embedded=engine_of_up)


def _sources(path: str | Path | None, env: Mapping[str, str] | None) -> tuple[Sources, list[Mistake]]:
    env, mistakes = looked_through(os.environ if env is None else env)
    path = path or file_named(env)
    if path is None:
        return Sources(None, env, Document()), mistakes
    try:
        return Sources(Path(path), env, read_yaml(Path(path), env)), mistakes
    except ConfigError as error:
        told = ConfigError.of("environment", mistakes).texts
        raise ConfigError(f"{error.english}\n{told.en}".strip(), f"{error.japanese}\n{told.ja}".strip()) from None


def _values(
    sources: Sources, embedded: Mapping[str, Any] | None, defaults: Mapping[str, Mapping[str, Any]]
) -> dict[str, Any]:
    """What all of it says together, not validated yet."""
    if sources.path is None:
        values = from_env_alone(sources.env) if embedded is None else {}
    else:
        values = dict(sources.document.values)
        if isinstance(values.get("data", "data"), str):
            values["data"] = sources.path.parent / values.get("data", "data")
    if embedded is not None:
        values = with_embedded(values, embedded)
    return overlay(with_defaults(values, defaults), sources.env)


def _checked(sources: Sources, values: dict[str, Any], mistakes: list[Mistake], check: Check | None) -> Config:
    found = Findings()
    for each in (*mistakes, *sources.document.mistakes):
        found.add(each)
    shown: Shown = sources.shown
    config = validated(values, found, shown, whole=sources.document.whole)
    if config is not None:
        for mistake in list(turn_mistakes(config, found, sources.env)):
            found.add(mistake)
    if check is not None and config is not None:
        for where, text in check(config):
            found.add(Mistake(where, text))
    if config is None or found.all:
        raise ConfigError.of(sources.name, map(sources.placed, found.all)) from None
    config.read_from(sources)
    return config
