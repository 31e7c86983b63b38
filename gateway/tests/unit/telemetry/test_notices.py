"""Events as sentences."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path
from string import Formatter

import hayate
from hayate.language import Text
from hayate.telemetry.notices import SENTENCES, notice_of
from tests.support.tables import table

SOURCE = Path(hayate.__file__).parent


def told() -> Iterator[tuple[str, set[str]]]:
    """Every event that the gateway tells, with the names of its facts."""
    for file in SOURCE.rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            named = isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "log_event"
            if named and isinstance(node, ast.Call) and isinstance(node.args[0], ast.Constant):
                yield str(node.args[0].value), {str(each.arg) for each in node.keywords}


def test_every_event_has_a_sentence_that_tells_facts_it_has() -> None:
    events = list(told())
    assert len(events) > 5
    for event, facts in events:
        assert event in SENTENCES
        for text in (SENTENCES[event].text.en, SENTENCES[event].text.ja):
            named = {name for _, name, _, _ in Formatter().parse(text) if name}
            assert named <= facts, event


def test_both_languages_tell_the_same_facts() -> None:
    for event, sentence in SENTENCES.items():
        english, japanese = (
            sorted(name for _, name, _, _ in Formatter().parse(text) if name)
            for text in (sentence.text.en, sentence.text.ja)
        )
        assert english == japanese, event


def test_a_fact_in_two_languages_is_told_in_the_readers() -> None:
    facts = {"replica": "a/0", "for_s": 3.0, "reason": Text("nothing listens", "待ち受けがありません")}
    assert notice_of("replica_ejected", facts, "en").text.endswith("3.0 s: nothing listens")
    assert notice_of("replica_ejected", facts, "ja").text.endswith("止めます: 待ち受けがありません")


def test_a_reload_says_what_needs_a_restart() -> None:
    facts = {"deployments": ("a",), "aliases": {}, "restart_needed": ("server.port", "data")}
    assert notice_of("reloaded", facts, "en").text.splitlines()[1:] == ["a restart is needed for: server.port, data"]
    assert notice_of("reloaded", {**facts, "restart_needed": ()}, "en").text == "The configuration was reloaded"


@table("event", [*SENTENCES, "something_new"])
def test_an_event_that_lacks_facts_or_has_others_is_told_all_the_same(event: str) -> None:
    assert notice_of(event, {}, "en").text
    assert notice_of(event, {"reason": None, "{odd}": "{braces}"}, "ja").text


def test_one_without_a_sentence_is_told_by_its_facts() -> None:
    assert notice_of("something_new", {"a": 1, "b": ["x", "y"]}, "ja").text == "something_new: a=1 b=x, y"
