"""The check of the house sees what it is there to see."""

from __future__ import annotations

import pytest

from tests.support.house import does_something, silent_docstrings
from tests.support.tables import table


def function(said: str, *statements: str) -> str:
    return "\n    ".join(("async def enter(self):", f'"""{said}"""', *statements)) + "\n"


@table(
    ("text", "found"),
    [
        (function("Enters the room.", "a()", "b()"), [1]),
        (function("Enters the room, or waits.", "a()", "b()"), []),
        (function("Enters.", "a()"), []),
        ("class Door:\n    " + function("Enters.", "a()", "b()").replace("\n    ", "\n        "), [2]),
        ("def enter():\n    a()\n    b()\n", []),
    ],
)
def test_a_docstring_of_few_words_on_more_than_a_statement_is_told_with_its_line(text: str, found: list[int]) -> None:
    assert [line for line, _ in silent_docstrings(text)] == found


@pytest.mark.parametrize(
    ("text", "does"),
    [
        ("LIMIT = 7\n", False),
        ('class Door(Protocol):\n    def enter(self) -> None:\n        """Enters."""\n', False),
        ("def enter():\n    pass\n", True),
        ('def enter():\n    """Enters."""\n    return 7\n', True),
    ],
)
def test_a_module_of_types_and_constants_alone_has_nothing_to_test(text: str, does: bool) -> None:
    assert does_something(text) is does
