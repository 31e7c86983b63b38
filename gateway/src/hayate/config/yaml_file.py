"""A YAML file as plain values that remember where they stand: `${NAME}` and `${NAME:-fallback}` come from the
environment, merge keys (`<<: *base`) work, a key written twice is refused, and every place has a line for messages.
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
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff]")
_MERGE = "tag:yaml.org,2002:merge"
MAX_NUMBER = 10**15
"""Of seconds, bytes, tokens or calls no more can be meant, and arithmetic with it stays exact."""
_NO_SUCH_CHARACTER = "has a line break or another control character inside; remove it"


def clean(env: Mapping[str, str], name: str) -> str:
    """A variable's value without the blanks and line breaks around it, which secrets are often kept with; empty when it
    is not set. Raises ConfigError for a control character inside: it would end a header early, or be part of no name.
    """
    value = env.get(name, "").strip()
    if _CONTROL.search(value):
        raise ConfigError(f"{name}: {_NO_SUCH_CHARACTER}")
    return value


class _Expansion:
    """Fills in variables, and notes what is wrong with them and with any other text. One per file."""

    def __init__(self, env: Mapping[str, str]) -> None:
        self.mistakes: list[tuple[tuple[int | str, ...], str]] = []
        self._env = env

    def of(self, value: Any, path: tuple[int | str, ...] = ()) -> Any:
        """`value` with every text filled in."""
        if isinstance(value, str):
            return self._text(value, path)
        if isinstance(value, dict):
            return {self._key(key, path): self.of(item, (*path, key)) for key, item in value.items()}
        if isinstance(value, list):
            return [self.of(item, (*path, n)) for n, item in enumerate(value)]
        if isinstance(value, int | float) and abs(value) > MAX_NUMBER:
            self.mistakes.append((path, f"is too large a number: at most {MAX_NUMBER:.0e}"))
        return value

    def _key(self, key: Any, path: tuple[int | str, ...]) -> Any:
        if isinstance(key, str) and _CONTROL.search(key):
            self.mistakes.append(((*path, repr(key)), _NO_SUCH_CHARACTER))
        return key

    def _text(self, value: str, path: tuple[int | str, ...]) -> str:
        def named(match: re.Match[str]) -> str:
            name, fallback = match.groups()
            try:
                found = clean(self._env, name) or fallback
            except ConfigError as error:
                self.mistakes.append((path, str(error)))
                return ""
            if found is None:
                self.mistakes.append((path, f"the environment has no {name}"))
                return ""
            return found

        filled = _VARIABLE.sub(named, value).strip()
        if _CONTROL.search(filled):
            self.mistakes.append((path, _NO_SUCH_CHARACTER))
        return filled


class _Loader(yaml.SafeLoader):
    """SafeLoader that refuses a key written twice: the second would silently win. One that a merge brings in (`<<`) is
    no second one: what is written beside the merge wins.
    """

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self._checked: set[yaml.Node] = set()

    def flatten_mapping(self, node: yaml.MappingNode) -> None:
        """Called before a mapping is made of `node`, and for each that is merged into it; puts merged keys in front."""
        if node not in self._checked:
            self._checked.add(node)
            self._refuse_twice(node)
        super().flatten_mapping(node)

    def construct_object(self, node: yaml.Node, deep: bool = False) -> Any:
        """A value that its tag does not fit (a date such as 2026-99-99) is a mistake with a place, not a fault of ours."""
        try:
            return super().construct_object(node, deep)
        except (ValueError, LookupError, AttributeError, TypeError):
            kind = node.tag.rpartition(":")[2]
            raise yaml.constructor.ConstructorError(
                None,
                None,
                f"{str(node.value)[:40]!r} is no valid {kind}; put it in quotes if it is text",
                node.start_mark,
            ) from None

    def _refuse_twice(self, node: yaml.MappingNode) -> None:
        seen: set[object] = set()
        for key_node, _ in node.value:
            key = key_node.value if key_node.tag == _MERGE else self.construct_object(key_node, deep=True)
            if not isinstance(key, Hashable):
                raise yaml.constructor.ConstructorError(None, None, "a key must be a plain word", key_node.start_mark)
            if key in seen:
                more = "; several are a list: <<: [*one, *other]" if key_node.tag == _MERGE else ""
                raise yaml.constructor.ConstructorError(
                    None, None, f"{key!r} is written twice{more}", key_node.start_mark
                )
            seen.add(key)


def line_of(root: yaml.Node | None, path: tuple[int | str, ...]) -> int | None:
    """The line on which `path` (or as much of it as the file has) stands, counted from 1."""
    node, line = root, None
    for step in path:
        if isinstance(node, yaml.MappingNode):
            # The last one counts: before it stands what a merge brought in and the mapping itself says otherwise.
            found = next(((k, v) for k, v in reversed(node.value) if k.value == step), None)
            if found is None:
                break
            line, node = found[0].start_mark.line + 1, found[1]
        elif isinstance(node, yaml.SequenceNode) and isinstance(step, int) and step < len(node.value):
            node = node.value[step]
            line = node.start_mark.line + 1
        else:
            break
    return line


def told(root: yaml.Node | None, where: tuple[int | str, ...], text: str) -> str:
    """A mistake with its line and its path."""
    line = line_of(root, where)
    path = ".".join(str(part) for part in where)
    return f"{f'line {line}: ' if line else ''}{f'{path}: ' if path else ''}{text}"


def read_yaml(path: Path, env: Mapping[str, str]) -> tuple[dict[str, Any], yaml.Node | None]:
    """The file's values, and its tree for `line_of`. Raises ConfigError."""
    try:
        root, values = _parse(path.read_text(encoding="utf-8"))
        expansion = _Expansion(env)
        values = expansion.of(values)
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror}") from None
    except RecursionError:
        raise ConfigError(f"{path}: is nested too deeply, or a part of it contains itself") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        mark = getattr(error, "problem_mark", None)
        where = f"line {mark.line + 1}: " if mark else ""
        raise ConfigError(f"{path}: {where}{getattr(error, 'problem', None) or error}") from None
    if not isinstance(values, dict):
        raise ConfigError(f"{path}: a mapping with 'deployments' is expected at the top")
    if expansion.mistakes:
        raise ConfigError("\n".join(f"{path}: {told(root, *each)}" for each in expansion.mistakes))
    return {key: value for key, value in values.items() if not str(key).startswith("x-")}, root


def _parse(text: str) -> tuple[yaml.Node | None, Any]:
    """The tree, with merges done, and what it says."""
    loader = _Loader(text)
    try:
        root = loader.get_single_node()
        return root, None if root is None else loader.construct_document(root)
    finally:
        loader.dispose()
