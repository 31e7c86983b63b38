"""Usage as lines: a row and a bar for each group in eighty columns, in either language, whatever the numbers."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hayate.language import Language
from hayate.settings import Price
from hayate.store.costs import Prices
from hayate.store.usage import Used
from hayate.terminal import width
from hayate.tools.records.report import BAR, ESTIMATES, LEAST, AddedUp, short, usage_table

SPAN = (1_799_971_200.0, 1_800_000_000.0)
BOT = Used("ba9876543210", 12, 1, 900, 100, 100, 0)
GAME = Used("0123456789ab", 3, 0, 200, 0, 50, 0)
LABELS = {BOT.name: "日本語のボット", GAME.name: "game"}


def table(found: list[Used], columns: int = 80, language: Language = "en") -> list[str]:
    return usage_table(
        AddedUp("key", SPAN, found, {str(name): label for name, label in LABELS.items()}), language, columns
    )


def test_each_group_has_a_bar_as_long_as_its_tokens() -> None:
    _, _, bot, game, total = table([BOT, GAME], 100)
    assert bot.endswith("1,000  " + "█" * BAR)
    assert game.endswith("250  " + "█" * (BAR // 4))
    assert "█" not in total
    assert total.split() == ["total", "15", "1", "1,100", "100", "150", "1,250"]


def test_who_used_little_has_a_bar_and_who_used_nothing_has_none() -> None:
    none = Used("x", 1, 1, 0, 0, 0, 0)
    _, _, _, little, nothing, _ = table([BOT, Used("y", 1, 0, 1, 0, 0, 0), none])
    assert little.endswith("  █")
    assert nothing.endswith("  0")
    assert "█" not in "".join(table([none]))


numbers = st.integers(0, 10**15)
names = st.text(st.characters(categories=("L", "N", "P")), max_size=70)
costs = st.none() | st.decimals(0, 10**9, places=4)
groups = st.lists(st.builds(Used, names, *[numbers] * 6, costs, numbers), min_size=1, max_size=4)
prices = st.sampled_from([Prices(), Prices({"x": Price()}, "USD")])


@given(groups, st.sampled_from(["en", "ja"]), prices)
def test_eighty_columns_are_enough(found: list[Used], language: Language, prices: Prices) -> None:
    head, heads, *rows = usage_table(AddedUp("project", SPAN, found, prices=prices), language, 80)
    assert len(rows) == len(found) + 1 + any(each.inexact for each in found)
    assert max(width(each) for each in (head, heads, *rows)) <= 80


@pytest.mark.parametrize("language", ["en", "ja"])
def test_columns_stand_under_each_other(language: Language) -> None:
    _, heads, *rows = table([BOT, GAME], language=language)
    ends = width(heads)
    for row, total in zip(rows, ("1,000", "250", "1,250"), strict=True):
        assert width(row.partition("  █")[0].rstrip()) == ends
        assert row.partition("  █")[0].rstrip().endswith(total)


def test_a_long_name_gives_way_to_the_bar() -> None:
    long = Used("長い名前" * 20, 1, 0, 10, 0, 10, 0)
    row = usage_table(AddedUp("project", SPAN, [long]), "ja", 80)[2]
    assert "…" in row
    assert row.endswith("█" * LEAST)
    wide = usage_table(AddedUp("project", SPAN, [long]), "ja", 300)[2]
    assert "…" not in wide
    assert wide.endswith("█" * BAR)


def test_two_keys_of_one_name_are_told_apart() -> None:
    again = Used("ffffffffffff", 1, 0, 10, 0, 10, 0)
    lines = usage_table(
        AddedUp("key", SPAN, [GAME, again], {"0123456789ab": "game", "ffffffffffff": "game"}), "en", 100
    )
    assert lines[2].startswith("game (0123456789ab) ")
    assert lines[3].startswith("game (ffffffffffff) ")


def test_what_has_no_name_has_a_dash() -> None:
    assert usage_table(AddedUp("deployment", SPAN, [Used("", 1, 1, 0, 0, 0, 0)]), "en", 80)[2].startswith("- ")
    assert usage_table(AddedUp("key", SPAN, [Used("", 1, 1, 0, 0, 0, 0)]), "en", 80)[2].startswith("(no key) ")


def test_an_estimate_is_marked_and_explained() -> None:
    lines = table([BOT, Used("x", 1, 0, 10, 0, 10, 1)])
    assert lines[2].partition("█")[0].rstrip().endswith(" 1,000")
    assert lines[3].partition("█")[0].rstrip().endswith(" ~20")
    assert lines[-2].endswith(" ~1,020")
    assert lines[-1] == ESTIMATES.en
    assert ESTIMATES.en not in table([BOT])


def test_days_and_hours_are_those_of_this_machines_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    import time

    monkeypatch.setenv("TZ", "Asia/Tokyo")
    time.tzset()
    try:
        ms = int(SPAN[0] * 1000)
        assert usage_table(AddedUp("hour", SPAN, [Used(ms, 1, 0, 1, 0, 1, 0)]), "en", 80)[2].startswith(
            "2027-01-15 09:00  "
        )
        lines = usage_table(AddedUp("day", SPAN, [Used(ms, 1, 0, 1, 0, 1, 0)]), "ja", 80)
        assert lines[0] == "2027-01-15 09:00から2027-01-15 17:00まで"
        assert lines[2].startswith("2027-01-15  ")
    finally:
        monkeypatch.undo()
        time.tzset()


@pytest.mark.parametrize(
    ("count", "shown"),
    [
        (0, "0"),
        (999_999, "999,999"),
        (1_000_000, "1.00M"),
        (12_345_678, "12.3M"),
        (999_499_999, "999M"),
        (999_500_000, "1.00G"),
        (10**12, "1.00T"),
        (10**15, "1000T"),
    ],
)
def test_numbers_are_short(count: int, shown: str) -> None:
    assert short(count) == shown
