"""Keys as lines: columns stand under each other in either language, and keep to the terminal."""

from __future__ import annotations

from dataclasses import replace

import pytest

from hayate.access.key_admin import KeyInfo
from hayate.access.terms import FREE, Defaults, Terms
from hayate.language import Language
from hayate.settings import RateLimits
from hayate.terminal import width
from hayate.tools.keys.report import aligned, key_lines, key_table, limits_in_words, moment_in_words

NOW = 1_800_000_000.0
KEY = KeyInfo("0123456789ab", "game", "games", NOW - 60, None, None, None, FREE)
RICH = Terms(
    models=("fast", "smart"),
    areas=("calls",),
    limits=RateLimits(requests_per_minute=60, tokens_per_minute=100_000, strict=True),
    model_limits={"smart": RateLimits(concurrency=1)},
    weight=5,
    max_output_tokens=1024,
    defaults=Defaults(model="fast"),
)
BOT = replace(KEY, id="ba9876543210", name="日本語のボット", terms=RICH, expires_at=NOW + 60)


@pytest.mark.parametrize("language", ["en", "ja"])
def test_columns_stand_under_each_other(language: Language) -> None:
    head, *rows = key_table([KEY, BOT], NOW, language)
    last = "limits" if language == "en" else "上限"
    at = width(head.partition(last)[0])
    for row, limits in zip(rows, ("-", "rpm=60 tpm=100000 strict"), strict=True):
        assert row.endswith(limits)
        assert width(row.removesuffix(limits)) == at


@pytest.mark.parametrize("columns", [60, 80, 200])
def test_a_table_keeps_to_the_terminal(columns: int) -> None:
    long = replace(BOT, name="長い名前" * 16, terms=replace(RICH, models=tuple(f"model-{n}" for n in range(30))))
    lines = key_table([KEY, long], NOW, "en", columns)
    assert max(map(width, lines)) <= columns
    assert all(KEY.id[:7] in lines[1] for _ in lines)
    assert max(map(width, key_table([KEY, long], NOW, "en"))) > 200, "in a pipe nothing is cut"


def test_one_key_says_what_it_says_and_no_more() -> None:
    lines = key_lines(KEY, NOW, "en")
    assert [line.split()[0] for line in lines] == [
        "id",
        "name",
        "project",
        "state",
        "created",
        "expires",
        "models",
        "for",
    ]
    rich = "\n".join(key_lines(BOT, NOW, "ja"))
    for said in ("日本語のボット", "fast, smart", "smart", "concurrency=1", "優先度", "1024", "model=fast"):
        assert said in rich


def test_a_key_that_is_over_says_since_when_and_an_old_one_until_when() -> None:
    revoked = "\n".join(key_lines(replace(KEY, revoked_at=NOW), NOW, "en"))
    assert f"revoked  {moment_in_words(NOW)}" in revoked
    rotated = replace(KEY, old_until=NOW + 3600)
    assert f"old key until  {moment_in_words(NOW + 3600)}" in "\n".join(key_lines(rotated, NOW, "en"))
    assert "old key until" not in "\n".join(key_lines(rotated, NOW + 7200, "en"))


def test_times_are_those_of_this_machines_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    import time

    for zone, shown in (("UTC", "2027-01-15 08:00"), ("Asia/Tokyo", "2027-01-15 17:00")):
        monkeypatch.setenv("TZ", zone)
        time.tzset()
        assert moment_in_words(NOW) == shown
    monkeypatch.undo()
    time.tzset()
    assert moment_in_words(None) is None


def test_limits_are_said_as_they_are_typed() -> None:
    assert limits_in_words(RateLimits()) == ""
    assert limits_in_words(RateLimits(output_tokens_per_minute=5, strict=False)) == "output-tpm=5"


def test_a_cell_keeps_some_columns_however_narrow_the_terminal() -> None:
    assert aligned([["a" * 50, "b" * 50]], 20) == ["aaaaaaaa…  bbbbbbbb…"]
