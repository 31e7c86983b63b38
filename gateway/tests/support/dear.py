"""Tests that are too dear to be quick, one by one and by measurement: a few in a hundred, and most of the processor
time of all.

- `dear.txt` beside this file names tests, or single cases, that took DEAR_CPU_S or more: they are slow as if they were marked.
- `scripts/test --note-dear` adds what is as dear now; on a quiet machine. What became cheap is taken out by hand.
- In every file a test stays quick, the cheapest if need be, so that whatever there is, a quick run has tried some of it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Final

DEAR_CPU_S: Final = 0.15
"""Of processor time, that of the processes it starts included."""
LIST: Final = Path(__file__).with_name("dear.txt")


def listed(path: Path = LIST) -> frozenset[str]:
    """What the list names."""
    return frozenset(path.read_text(encoding="utf-8").splitlines())


def is_dear(nodeid: str, names: frozenset[str]) -> bool:
    """Whether a test, or this case of it, is named."""
    return nodeid in names or function_of(nodeid) in names


def function_of(nodeid: str) -> str:
    """A test without the case."""
    return nodeid.partition("[")[0]


def noted(before: Iterable[str], took: Mapping[str, float]) -> list[str]:
    """The list with what is dear among tests that `took` so many seconds each: whole tests where all their cases are."""
    files: dict[str, dict[str, float]] = defaultdict(dict)
    for nodeid, seconds in took.items():
        files[nodeid.partition("::")[0]][nodeid] = seconds
    dear: set[str] = set()
    for tests in files.values():
        found = {nodeid for nodeid, seconds in tests.items() if seconds >= DEAR_CPU_S}
        if len(found) == len(tests):
            found.remove(min(tests, key=lambda nodeid: tests[nodeid]))
        dear |= found
    whole = {function_of(each) for each in dear} - {function_of(each) for each in took if each not in dear}
    return sorted({*before} | whole | {each for each in dear if function_of(each) not in whole})
