"""An answer gets what the context has left."""

from __future__ import annotations

import pytest

from hayate.backends.prompts import answer_limit
from hayate.errors import ContextTooLong


@pytest.mark.parametrize(("asked", "used", "limit"), [(None, 90, 10), (5, 90, 5), (50, 90, 10), (1, 99, 1)])
def test_what_was_asked_for_as_far_as_it_fits(asked: int | None, used: int, limit: int) -> None:
    assert answer_limit(asked, used, 100) == limit


@pytest.mark.parametrize("used", [100, 5000])
def test_a_prompt_that_fills_the_context_is_refused(used: int) -> None:
    with pytest.raises(ContextTooLong) as refusal:
        answer_limit(1, used, 100)
    assert refusal.value.code == "context_length_exceeded"
    assert str(used) in refusal.value.english
    assert str(used) in refusal.value.japanese
