"""In which order files are run, and by which worker, so that the processors have work all the time and all workers end together.

- First what one worker runs alone, since what it shares is dear to start in every one: engines with their gateways, a browser.
- Then everything else, and files that wait more than they compute evenly among those that compute: workers that all wait at once
  leave the processors idle. None of them is among the last, for it may take longer than what is left.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import pytest
from xdist.scheduler import LoadFileScheduling

FIRST: Final = ("tests/browser/", "tests/contract/", "tests/engines/", "tests/unit/tools/embedded/", "tests/start/")
WAITING: Final = (
    "tests/deploy/",
    "tests/examples/",
    "tests/fairness/",
    "tests/guides/",
    "tests/reliability/",
    "tests/switching/",
    "tests/unit/tools/measure/",
)
WAITED_FOR: Final = 0.8
"""Of what comes after the first: in this part of it the files that wait begin."""
TOGETHER: Final = (
    ("tests/contract/",),
    ("tests/engines/",),
    ("tests/browser/", "tests/guides/test_readme.py", "tests/unit/tools/measure/test_chart_html.py"),
)
"""What one worker runs."""


class ByFile(LoadFileScheduling):  # type: ignore[misc]  # xdist has no types
    """A file to a worker, as `--dist loadfile`, but for what belongs together."""

    def _split_scope(self, nodeid: str) -> str:
        return next((group[0] for group in TOGETHER if nodeid.startswith(group)), file_of(nodeid))


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> ByFile | None:
    """Another `--dist` than that of scripts/test is left alone."""
    return ByFile(config, log) if config.getoption("dist") == "loadfile" else None


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Files in their order, tests of a file as they stand in it."""
    files = in_order(list(dict.fromkeys(file_of(item.nodeid) for item in items)))
    places = {file: place for place, file in enumerate(files)}
    items.sort(key=lambda item: places[file_of(item.nodeid)])


def file_of(nodeid: str) -> str:
    """The file that a test is in."""
    return nodeid.partition("::")[0]


def in_order(files: Sequence[str]) -> list[str]:
    """The files as they are to begin."""
    first, rest = _apart(files, FIRST)
    first.sort(key=lambda file: next(rank for rank, start in enumerate(FIRST) if file.startswith(start)))
    waiting, computing = _apart(rest, WAITING)
    places = {file: (at + 0.5) / len(waiting) * WAITED_FOR for at, file in enumerate(waiting)}
    places |= {file: (at + 0.5) / len(computing) for at, file in enumerate(computing)}
    return first + sorted(rest, key=places.__getitem__)


def _apart(files: Sequence[str], starts: tuple[str, ...]) -> tuple[list[str], list[str]]:
    return [each for each in files if each.startswith(starts)], [each for each in files if not each.startswith(starts)]
