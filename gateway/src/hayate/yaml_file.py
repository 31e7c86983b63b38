"""A YAML file as plain values that remember where they stand: `${NAME}` and `${NAME:-fallback}` come from the environment, a key
written twice is refused, and every place has a line for messages.
"""

from __future__ import annotations

import re
from collections.abc import Hashable, Mapping
from pathlib import Path
from typing import Any

import yaml


class ConfigError(Exception):
    """The configuration can't be used; the text lists every mistake, one a line."""


_VARIABLE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)(?::-([^}]*))?\}")


def _expand(value: Any, env: Mapping[str, str], path: str, missing: list[str]) -> Any:
    if isinstance(value, str):

        def named(match: re.Match[str]) -> str:
            name, fallback = match.groups()
            found = env.get(name) or fallback
            if found is None:
                missing.append(f"{path}: the environment has no {name}")
                return ""
            return found

        return _VARIABLE.sub(named, value)
    if isinstance(value, dict):
        return {key: _expand(item, env, f"{path}.{key}" if path else str(key), missing) for key, item in value.items()}
    if isinstance(value, list):
        return [_expand(item, env, f"{path}.{n}", missing) for n, item in enumerate(value)]
    return value


class _UniqueKeyLoader(yaml.SafeLoader):
    """SafeLoader that refuses a key written twice: the second would silently win."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen: set[object] = set()
        for key_node, _ in node.value:
            key = self.construct_object(key_node, deep=True)
            if not isinstance(key, Hashable):
                raise yaml.constructor.ConstructorError(None, None, "a key must be a plain word", key_node.start_mark)
            if key in seen:
                raise yaml.constructor.ConstructorError(None, None, f"{key!r} is written twice", key_node.start_mark)
            seen.add(key)
        return super().construct_mapping(node, deep)


def line_of(root: yaml.Node | None, path: tuple[int | str, ...]) -> int | None:
    """The line on which `path` (or as much of it as the file has) stands, counted from 1."""
    node, line = root, None
    for step in path:
        if isinstance(node, yaml.MappingNode):
            found = next(((k, v) for k, v in node.value if k.value == step), None)
            if found is None:
                break
            line, node = found[0].start_mark.line + 1, found[1]
        elif isinstance(node, yaml.SequenceNode) and isinstance(step, int) and step < len(node.value):
            node = node.value[step]
            line = node.start_mark.line + 1
        else:
            break
    return line


def read_yaml(path: Path, env: Mapping[str, str]) -> tuple[dict[str, Any], yaml.Node | None]:
    """The file's values, and its tree for `line_of`. Raises ConfigError."""
    try:
        text = path.read_text(encoding="utf-8")
        root = yaml.compose(text, Loader=yaml.SafeLoader)
        values = yaml.load(text, Loader=_UniqueKeyLoader)  # noqa: S506  a subclass of SafeLoader
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror}") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        mark = getattr(error, "problem_mark", None)
        where = f"line {mark.line + 1}: " if mark else ""
        raise ConfigError(f"{path}: {where}{getattr(error, 'problem', None) or error}") from None
    if not isinstance(values, dict):
        raise ConfigError(f"{path}: a mapping with 'deployments' is expected at the top")
    missing: list[str] = []
    values = _expand(values, env, "", missing)
    if missing:
        raise ConfigError("\n".join(f"{path}: {line}" for line in missing))
    return values, root
