"""What the live view says is said of everything that there is, in both languages."""

from __future__ import annotations

from typing import get_args

from hayate.policy.ceiling import Why
from hayate.tools.top.words import WHY, more_deployments, more_lanes, no_answer


def test_every_reason_of_a_ceiling_has_words() -> None:
    assert set(WHY) == set(get_args(Why))
    assert all(each.en and each.ja and each.en != each.ja for each in WHY.values())


def test_what_is_counted_stands_in_both_languages() -> None:
    for text in (more_lanes(7, 3, 20), more_deployments(7)):
        assert "7" in text.en
        assert "7" in text.ja
    assert all("10:20" in each for each in (no_answer("10:20").en, no_answer("10:20").ja))
