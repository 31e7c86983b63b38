"""How fast counts have grown."""

from __future__ import annotations

from hayate.tools.rates import rates


def test_what_was_told_both_times_has_a_rate() -> None:
    before = {"grown": 1000, "same": 7, "anew": 50, "unknown": None, "gone": 1}
    now = {"grown": 1500, "same": 7, "anew": 20, "unknown": 5, "silent": None, "new": 3}
    assert rates(before, now, 2.0) == {"grown": 250.0, "same": 0.0, "anew": 0.0}


def test_no_time_is_no_rate() -> None:
    assert rates({"a": 1}, {"a": 2}, 0.0) == {}
    assert rates({"a": 1}, {"a": 2}, -1.0) == {}
