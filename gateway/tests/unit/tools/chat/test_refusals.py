"""Why an answer did not come."""

from __future__ import annotations

from hayate.tools.chat.refusals import AnswerFailed


def test_what_the_gateway_says_is_told_as_it_is() -> None:
    failed = AnswerFailed("x is not known.", code="model_not_found", status=404)
    assert (failed.text("ja"), failed.code, failed.status) == ("x is not known.", "model_not_found", 404)
