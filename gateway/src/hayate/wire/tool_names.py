"""A response's tools by the names that a chat has for them.

A chat has functions alone, all in one row: one of a namespace is called `namespace__name` there, and a custom tool is a function of
one text. What the model calls is told by the names that the caller gave.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from hashlib import sha256
from typing import Any, Final, NamedTuple

from hayate.wire.http1 import Headers

OMITTED: Final = b"x-hayate-tools-omitted"
MOST_CHARS: Final = 64
"""Of a function's name: OpenAI takes no longer one, nor do some engines."""
PLAIN: Final = "functions"
"""The namespace of functions that are in none."""
_ODD: Final = re.compile(r"[^a-zA-Z0-9_-]")
_DIGITS: Final = 8


class Called(NamedTuple):
    """A tool as its caller names it."""

    name: str
    namespace: str | None = None
    custom: bool = False
    """Whether it takes a text in place of arguments."""

    def said(self) -> dict[str, Any]:
        """As the item of a call names it."""
        return {"name": self.name} if self.namespace is None else {"name": self.name, "namespace": self.namespace}


class ToolNames:
    """One per call. Names that only history says are known, too: each comes to the same every time."""

    __slots__ = ("_alone", "_called", "_count", "_names")

    def __init__(self) -> None:
        self._names: dict[Called, str] = {}
        self._called: dict[str, Called] = {}
        self._alone: dict[str, Called | None] = {}
        """The tools of namespaces by their names alone, None where several have that."""
        self._count: dict[str, int] = {}
        """How many came to the same name: whoever sends many such must not have them counted anew each time."""

    def add(self, called: Called) -> str:
        """The name of a tool that is offered; no two have the same."""
        known = self._names.get(called)
        if known is not None:
            return known
        name = flat = flat_name(called.name, called.namespace)
        while name in self._called:
            self._count[flat] = n = self._count.get(flat, 1) + 1
            name = _cut(f"{flat}_{n}")
        self._names[called] = name
        self._called[name] = called
        if called.namespace is not None:
            self._alone[called.name] = None if called.name in self._alone else called
        return name

    def of(self, called: Called) -> str:
        """The name of a tool that is offered, or was once."""
        return self._names.get(called) or flat_name(called.name, called.namespace)

    def called(self, name: str) -> Called:
        """What the model calls. Some leave the namespace out: then it is the one tool of that name, if there is one."""
        return self._called.get(name) or self._alone.get(name) or Called(name)


def flat_name(name: str, namespace: str | None) -> str:
    """A tool's name in one row with all others."""
    if not namespace or namespace == PLAIN:
        return name
    joint = "" if namespace.endswith("__") else "__"
    return _cut(_ODD.sub("_", f"{namespace}{joint}{name}"))


def _cut(name: str) -> str:
    """A name that is too long, cut to one that no other is."""
    if len(name) <= MOST_CHARS:
        return name
    digest = sha256(name.encode("utf-8", "replace")).hexdigest()[:_DIGITS]
    return f"{name[: MOST_CHARS - _DIGITS - 1]}_{digest}"


def tell_omitted(headers: Headers, omitted: Iterable[str]) -> None:
    """Says in an answer's head which kinds of tools were left out, in place of what was said of that before."""
    headers[:] = [pair for pair in headers if pair[0] != OMITTED]
    if kinds := ", ".join(omitted):
        headers.append((OMITTED, kinds.encode("ascii")))
