"""A YAML file's tree: names are text as they are written, a name written twice is noted, and every place has its line."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import yaml

from hayate.config.mistakes import Mistake, Where
from hayate.language import Text

MAX_DEPTH = 64
_VERY_DEEP = re.compile(rf"(?:[\[{{] *){{{MAX_DEPTH}}}")
TOO_DEEP = "nested too deeply"
_TAG = "tag:yaml.org,2002:"
_MERGE = _TAG + "merge"
_KEY_TAGS = {_TAG + each for each in ("int", "float", "bool", "null", "timestamp", "value")}


class Loader(yaml.SafeLoader):
    """SafeLoader that notes a key written twice: the second would silently win. One that a merge brings in (`<<`) is no
    second one: what is written beside the merge wins.
    """

    def __init__(self, text: str) -> None:
        if (deep := _VERY_DEEP.search(text)) is not None:  # much work for the parser before it noticed
            line = text.count("\n", 0, deep.start())
            raise yaml.composer.ComposerError(None, None, TOO_DEEP, yaml.Mark("", deep.start(), line, 0, None, 0))
        super().__init__(text)
        self.mistakes: list[tuple[yaml.Node, Mistake]] = []
        self._checked: set[yaml.Node] = set()
        self._depth = 0

    def close(self) -> None:
        """It refers to itself until it is told to let go."""
        self.dispose()

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        """Called for each value, inside of the one around it."""
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise yaml.composer.ComposerError(None, None, TOO_DEEP, self.get_mark())
        node: yaml.Node | None = super().compose_node(parent, index)
        self._depth -= 1
        return node

    def flatten_mapping(self, node: yaml.MappingNode) -> None:
        """Called before a mapping is made of `node`, and for each that is merged into it; puts merged keys in front."""
        if node not in self._checked:
            self._checked.add(node)
            self._look_at_keys(node)
        super().flatten_mapping(node)
        # The last one counts. Without the others, merges of merges grow no faster than what they name.
        node.value = list({_name(key): (key, value) for key, value in node.value}.values())

    def construct_object(self, node: yaml.Node, deep: bool = False) -> Any:
        """A value that its tag does not fit (a date such as 2026-99-99) is a mistake with a place, not a fault of ours."""
        try:
            return super().construct_object(node, deep)
        except (ValueError, LookupError, AttributeError, TypeError):
            kind, shown = node.tag.rpartition(":")[2], str(node.value)[:40]
            text = Text(
                f"{shown!r} is no valid {kind}; put it in quotes if it is text",
                f"{shown!r}は{kind}として読めません。文字列であれば引用符で囲んでください",
            )
            self.mistakes.append((node, Mistake((), text, node.start_mark.line + 1)))
            return str(node.value)

    def _look_at_keys(self, node: yaml.MappingNode) -> None:
        seen: dict[str, int] = {}
        for key, value in node.value:
            if not isinstance(key, yaml.ScalarNode):
                raise yaml.constructor.ConstructorError(None, None, "a key must be a plain word", key.start_mark)
            if key.tag in _KEY_TAGS:
                key.tag = _TAG + "str"  # a name such as 70 or on is text as it is written
            name = _name(key)
            if name in seen:
                more = "; <<: [*one, *other]" if key.tag == _MERGE else ""
                text = Text(
                    f"{key.value!r} is written twice, in line {seen[name]} too; keep one{more}",
                    f"{key.value!r}が2回書かれています（{seen[name]}行目にもあります）。1つにしてください{more}",
                )
                self.mistakes.append(
                    (node if key.tag == _MERGE else value, Mistake((), text, key.start_mark.line + 1, outer=False))
                )
            seen.setdefault(name, key.start_mark.line + 1)


def _name(key: yaml.Node) -> str:
    return f"{key.tag == _MERGE} {key.value}"


def node_at(root: yaml.Node | None, path: Where) -> tuple[yaml.Node | None, int | None, bool]:
    """The node at `path` (or of as much of it as the file has), its line, counted from 1, and whether it is all of the path."""
    node, line = root, None
    for step in path:
        if isinstance(node, yaml.MappingNode):
            # The last one counts: before it stands what a merge brought in and the mapping itself says otherwise.
            found = next(((k, v) for k, v in reversed(node.value) if k.value == step), None)
            if found is None:
                return node, line, False
            line, node = found[0].start_mark.line + 1, found[1]
        elif isinstance(node, yaml.SequenceNode) and isinstance(step, int) and step < len(node.value):
            node = node.value[step]
            line = node.start_mark.line + 1
        else:
            return node, line, False
    return node, line, True


def line_of(root: yaml.Node | None, path: Where) -> int | None:
    """The line on which `path` (or as much of it as the file has) stands, counted from 1."""
    return node_at(root, path)[1]


def placed(mistake: Mistake, node: yaml.Node, root: yaml.Node | None) -> Mistake:
    """With the path to its node."""
    waiting: list[tuple[Where, yaml.Node]] = [((), root)] if root is not None else []
    seen: set[int] = set()
    while waiting:
        path, each = waiting.pop()
        if each is node:
            return replace(mistake, where=path)
        if id(each) in seen:
            continue
        seen.add(id(each))
        if isinstance(each, yaml.MappingNode):
            waiting += [((*path, key.value), value) for key, value in reversed(each.value)]
        elif isinstance(each, yaml.SequenceNode):
            waiting += reversed([((*path, n), value) for n, value in enumerate(each.value)])
    return mistake


def written_at(root: yaml.Node | None, path: Where) -> str | None:
    """The text of one value as it stands in the file."""
    node, _, whole = node_at(root, path)
    return node.value if whole and isinstance(node, yaml.ScalarNode) else None
