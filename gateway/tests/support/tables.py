"""Tests of pure functions by the row: `parametrize` makes a test of every row, and a test costs pytest and its workers some
milliseconds; where a row takes microseconds, thousands of rows would be minutes of nothing else.

    @table(("text", "bytes_"), [("1 KiB", 1024), ("1 MiB", 1 << 20)])
    def test_sizes(text: str, bytes_: int) -> None: ...

runs every row in one test. A row that fails ends it, and the failure names it. Rows share what fixtures the test has: whoever
wants a fresh one for each takes `parametrize`. Tables stack, on one another and under `parametrize`.
"""

from __future__ import annotations

import functools
import inspect
import reprlib
from collections.abc import Callable, Iterable
from typing import Any

_short = reprlib.Repr()
_short.maxstring = _short.maxother = 200
_short.maxtuple = _short.maxlist = _short.maxdict = 20

Test = Callable[..., None]


def table(names: str | tuple[str, ...], rows: Iterable[Any]) -> Callable[[Test], Test]:
    """A decorator: the test runs once for each row, whose values are its arguments of these names, separated by commas or in a
    tuple; rows of one name are plain values. An empty table is an error: it would show nothing.
    """
    columns = tuple(name.strip() for name in names.split(",")) if isinstance(names, str) else names
    single = isinstance(names, str) and len(columns) == 1
    cases = [dict(zip(columns, (row,) if single else row, strict=True)) for row in rows]
    if not cases:
        raise ValueError(f"no rows for {', '.join(columns)}")

    def every_row(test: Test) -> Test:
        signature = inspect.signature(test)
        if missing := [column for column in columns if column not in signature.parameters]:
            raise TypeError(f"{test.__name__} takes no {', '.join(missing)}")

        @functools.wraps(test)
        def run(**shared: Any) -> None:
            for case in cases:
                try:
                    test(**shared, **case)
                except BaseException as failure:
                    failure.add_note("where " + ", ".join(f"{name} = {_short.repr(case[name])}" for name in columns))
                    raise

        others = [each for name, each in signature.parameters.items() if name not in columns]
        run.__signature__ = signature.replace(parameters=others)  # type: ignore[attr-defined]  # pytest asks what fixtures
        return run

    return every_row
