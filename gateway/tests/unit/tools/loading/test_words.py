"""What is said of engines is said of everything that there is, in both languages."""

from __future__ import annotations

from typing import get_args

from hayate.policy.tenant import State, Why
from hayate.terminal import width
from hayate.tools.loading.answer import RESTING
from hayate.tools.loading.report import STATE
from hayate.tools.loading.words import STATES, WHY


def test_every_state_and_every_reason_has_words() -> None:
    assert set(STATES) == {each.value for each in State} | {"not_ready"}
    assert set(WHY) == set(get_args(Why))
    assert set(STATES) > RESTING


def test_a_state_fits_its_column() -> None:
    assert all(width(each) < STATE for text, _ in STATES.values() for each in (text.en, text.ja))
