"""Every reason has its words in both languages, tells callers no setting, and says whether trying again helps."""

from __future__ import annotations

from hayate.reasons import Reason
from tests.support.tables import table


@table("reason", Reason)
def test_every_reason_has_words_for_the_operator_and_for_callers(reason: Reason) -> None:
    texts = (reason.says, reason.advice, reason.to_callers)
    assert all(text.en and text.ja and text.en != text.ja for text in texts)
    assert reason.advice.en[-1] in ".?"
    assert not reason.says.en.endswith(".")  # sentences go on from it
    assert reason.value == reason.name.lower()


@table("reason", Reason)
def test_callers_are_told_no_setting(reason: Reason) -> None:
    for text in (reason.to_callers.en, reason.to_callers.ja):
        assert not [word for word in ("BACKEND", "api_key", "http", "compose", "plan") if word in text]
