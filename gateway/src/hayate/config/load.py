"""How the configuration is found: read once, validated whole, then frozen.

No file: `LLM_BACKEND`, `BACKEND_URL` and `MODEL` make one deployment. With a file
(`--config` or `HAYATE_CONFIG`), YAML with `${NAME}` and `${NAME:-fallback}` taken from the environment. Every mistake is named
with its path and, for a file, its line. Blanks and line breaks around a value are nobody's intention and are taken off.

The data folder, when it is not an absolute path: of a file, beside that file; of `HAYATE_DATA` or of neither, in the
folder the command runs in.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from hayate.config.environment import file_named, from_env_alone, overlay, tidied, with_defaults, with_embedded
from hayate.config.models import Config
from hayate.config.yaml_file import ConfigError, read_yaml, told


def _mistakes(error: ValidationError, root: yaml.Node | None) -> Iterator[str]:
    found = error.errors(include_url=False)
    for each in found:
        if each["type"] == "too_short" and any(other["loc"][:-1] == each["loc"] for other in found):
            continue  # its items were refused, each by itself: that none is left is no mistake of its own
        where = tuple(part for part in each["loc"] if not (isinstance(part, str) and part.startswith("function-")))
        text = each["msg"].removeprefix("Value error, ")
        if each["type"] in ("extra_forbidden", "unexpected_keyword_argument"):
            text = "is not an option; see config.example.yaml"
        named, colon, rest = text.partition(": ")
        if not where and colon and " " not in named:  # a check over several sections says itself where
            where, text = tuple(named.split(".")), rest
        yield told(root, where, text)


Check = Callable[[Config], Iterable[tuple[tuple[int | str, ...], str]]]
"""Finds mistakes that the models can't see, each with its place; `serve.specs.option_mistakes` is one."""


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
    env = tidied(os.environ if env is None else env)
    path = path or file_named(env)
    source, root = "environment", None
    if path is None:
        values: Any = from_env_alone(env) if embedded is None else {}
    else:
        source = str(path)
        values, root = read_yaml(Path(path), env)
        if isinstance(values.get("data", "data"), str):
            values["data"] = Path(path).parent / values.get("data", "data")
    if embedded is not None:
        values = with_embedded(values, embedded)
    values = with_defaults(values, defaults or {})
    try:
        config = Config.model_validate(overlay(values, env))
    except ValidationError as error:
        raise ConfigError("\n".join(f"{source}: {mistake}" for mistake in _mistakes(error, root))) from None
    if check is not None and (found := [told(root, where, text) for where, text in check(config)]):
        raise ConfigError("\n".join(f"{source}: {mistake}" for mistake in found))
    return config


def data_folder(path: str | Path | None = None, env: Mapping[str, str] | None = None) -> Path:
    """Where a gateway of this configuration keeps its keys. Raises ConfigError, as for any other use of it.

    It need not name an engine: the file may be meant for `hayate up`, whose engine its aliases may name all the same.
    """
    engine_of_up = {"backend": "llamacpp", "replicas": ["http://127.0.0.1"]}
    return load_config(path, env, embedded=engine_of_up).data
