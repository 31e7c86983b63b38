"""No test may fail because the machine is busy: none waits for less than a minute, none holds a duration against the clock."""

from __future__ import annotations

import ast
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.tables import table
from tests.support.waiting import eventually

TESTS = Path(__file__).parents[1]
SHORT_S = 60
LIMITS = ("timeout", "within_s", "limit_s", "wait_s")
CLOCKS = ("monotonic", "perf_counter")
EXPECTED = "# runs out"
"""At the end of a line: this limit is there to be met."""


def hurried(code: str) -> Iterator[int]:
    """The lines of this code that give something too little time."""
    lines = code.splitlines()
    for node in ast.walk(ast.parse(code)):
        match node:
            case ast.Call():
                short = any(_short(each) for each in _limits(node))
            case ast.BinOp():
                short = isinstance(node.op, ast.Add) and _is_clock(node.left) and _short(node.right)
            case ast.Compare():
                short = _is_upper_bound(node)
            case _:
                continue
        if short and not lines[node.lineno - 1].endswith(EXPECTED):
            yield node.lineno


def _limits(call: ast.Call) -> Iterator[ast.expr]:
    name = ast.unparse(call.func)
    if name in ("asyncio.timeout", "asyncio.wait_for", "eventually"):
        yield from call.args[0 if name == "asyncio.timeout" else 1 :][:1]
    yield from (each.value for each in call.keywords if each.arg in LIMITS)


def _short(limit: ast.expr) -> bool:
    return isinstance(limit, ast.Constant) and isinstance(limit.value, int | float) and limit.value < SHORT_S


def _is_upper_bound(node: ast.Compare) -> bool:
    """`monotonic() - began < 5`, and that between two bounds."""
    terms = [node.left, *node.comparators]
    return any(isinstance(sign, ast.Lt | ast.LtE) and _reads_a_clock(terms[at]) for at, sign in enumerate(node.ops))


def _is_clock(term: ast.expr) -> bool:
    return isinstance(term, ast.Call) and ast.unparse(term.func).rpartition(".")[2] in CLOCKS


def _reads_a_clock(term: ast.expr) -> bool:
    return isinstance(term, ast.BinOp) and isinstance(term.op, ast.Sub) and _is_clock(term.left)


@table(
    ("code", "found"),
    [
        ("async with asyncio.timeout(10): ...", True),
        ("async with asyncio.timeout(LAST_RESORT_S): ...", False),
        ("async with asyncio.timeout(0.1): ...  # runs out", False),
        ("asyncio.wait_for(task, 5)", True),
        ("subprocess.run(['x'], timeout=30)", True),
        ("eventually(holds, within_s=1)", True),
        ("assert time.monotonic() - began < 5", True),
        ("assert 0.4 < time.monotonic() - began < 5", True),
        ("ends_at = time.monotonic() + 20", True),
        ("assert time.monotonic() - began > 0.4", False),
        ("assert time.process_time() - began < 1", False),
    ],
)
def test_what_is_hurried_is_found(code: str, found: bool) -> None:
    assert bool(list(hurried(code))) is found


def test_no_test_is_hurried() -> None:
    files = [file for file in TESTS.rglob("*.py") if "triton_models" not in file.parts]
    found = [
        f"{file.relative_to(TESTS)}:{line}" for file in files for line in hurried(file.read_text(encoding="utf-8"))
    ]
    assert not found


@pytest.mark.anyio
async def test_waiting_ends_when_it_is_so_and_not_before() -> None:
    asked: list[float] = []

    def third_time() -> bool:
        asked.append(time.monotonic())
        return len(asked) == 3

    await eventually(third_time)
    assert len(asked) == 3


@pytest.mark.anyio
async def test_what_never_comes_fails_and_is_named() -> None:
    never_so = False
    with pytest.raises(AssertionError, match="never_so"):
        await eventually(lambda: never_so, within_s=0.02)  # runs out
