"""Why a command can't go on is one line in both languages, whoever refuses."""

from __future__ import annotations

import ast
import importlib
import pkgutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

import hayate.tools
from hayate.language import BilingualError, Text
from hayate.tools.refusal import Refusal, out_of_range

SOURCE = Path(hayate.tools.__file__).parent
OWN_WORDS = ("UnknownGpu",)
"""Those that make both texts of one value."""


@dataclass(frozen=True)
class Sentence:
    """A text as the source has it: its words, and what is put into it."""

    words: str
    values: tuple[str, ...]


def kinds(parent: type[Refusal]) -> Iterator[type[Refusal]]:
    """Every class below."""
    for child in parent.__subclasses__():
        yield child
        yield from kinds(child)


def sentence(node: ast.expr) -> Sentence | None:
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return Sentence(node.value, ())
    if isinstance(node, ast.JoinedStr):
        words = "".join(str(each.value) for each in node.values if isinstance(each, ast.Constant))
        values = sorted(ast.unparse(each.value) for each in node.values if isinstance(each, ast.FormattedValue))
        return Sentence(words, tuple(values))
    return None


def called(node: ast.Call) -> str:
    """The last word of what is called."""
    if isinstance(node.func, ast.Attribute):
        return node.func.attr
    return node.func.id if isinstance(node.func, ast.Name) else ""


def refusals() -> Iterator[tuple[str, Sentence, Sentence]]:
    """Every refusal that is written out in the source: where, in English, in Japanese."""
    for module in pkgutil.walk_packages(hayate.tools.__path__, "hayate.tools."):
        importlib.import_module(module.name)
    names = {kind.__name__ for kind in kinds(Refusal)}
    for path in sorted(SOURCE.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and (name := called(node)) in names:
                where = f"{path.relative_to(SOURCE)}:{node.lineno}"
                assert len(node.args) == 2 or name in OWN_WORDS, f"{where}: {name} in one language"
                texts = [each for argument in node.args if (each := sentence(argument)) is not None]
                if len(texts) == 2:
                    yield where, texts[0], texts[1]


@pytest.fixture(scope="module")
def written() -> list[tuple[str, Sentence, Sentence]]:
    """Found when they are wanted: every worker collects this file, and one runs it."""
    return list(refusals())


def is_japanese(text: str) -> bool:
    return any("\u3040" <= letter <= "\u9fff" for letter in text)


def neutral(values: tuple[str, ...]) -> set[str]:
    """The values whatever the language: a part that is in one language itself has the same name but for that."""
    in_both = {"english": "text", "japanese": "text", "en": "text", "ja": "text"}
    return {".".join(in_both.get(part, part) for part in value.split(".")) for value in values}


def test_the_refusals_of_every_tool_are_seen(written: list[tuple[str, Sentence, Sentence]]) -> None:
    assert {where.split("/")[0] for where, *_ in written} >= {"embedded", "measure", "planner"}
    assert len(written) > 40


def test_every_refusal_is_in_english_and_in_japanese_with_the_same_values(
    written: list[tuple[str, Sentence, Sentence]],
) -> None:
    wrong = [
        where
        for where, en, ja in written
        if is_japanese(en.words)
        or not (is_japanese(ja.words) or set(ja.values) != set(en.values))
        or neutral(en.values) != neutral(ja.values)
    ]
    assert wrong == []


def test_a_refusal_speaks_the_language_it_is_asked_in() -> None:
    refused = Refusal("No.", "できません。")
    assert isinstance(refused, BilingualError)
    assert (refused.text("en"), refused.text("ja"), str(refused)) == ("No.", "できません。", "No.")


@pytest.mark.parametrize(
    ("value", "least", "most", "said"),
    [
        (0, 1, 512, Text("-c 0: from 1 to 512", "-c 0: 1から512までの値にしてください")),
        (3, 0, 2, Text("-c 3: from 0 to 2", "-c 3: 0から2までの値にしてください")),
        (0.01, 0.05, 1, Text("-c 0.01: from 0.05 to 1", "-c 0.01: 0.05から1までの値にしてください")),
    ],
)
def test_a_number_out_of_range_is_told_with_the_range(value: float, least: float, most: float, said: Text) -> None:
    assert out_of_range("-c", value, least, most) == said
