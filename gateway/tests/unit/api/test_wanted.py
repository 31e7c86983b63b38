"""What belongs into a field is said in our words, in both languages, for everything that the operator can send."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import BaseModel, ValidationError

from hayate.api.keys import ChangedKey, NewKey, Rotation
from hayate.api.wanted import wanted
from tests.support.tables import table

MISTAKES: list[tuple[type[BaseModel], dict[str, Any], str]] = [
    (NewKey, {"name": 7}, "text"),
    (NewKey, {"name": "x", "models": "fast"}, "a list"),
    (NewKey, {"name": "x", "models": [7]}, "text"),
    (NewKey, {"name": "x", "models": [""]}, "text that is not empty"),
    (NewKey, {"name": "x", "areas": ["admin"]}, "one of calls, history, usage"),
    (NewKey, {"name": "x", "limits": 7}, "an object"),
    (NewKey, {"name": "x", "limits": {"requests_per_minute": "many"}}, "a whole number"),
    (NewKey, {"name": "x", "limits": {"requests_per_minute": 1.5}}, "a whole number"),
    (NewKey, {"name": "x", "limits": {"strict": "perhaps"}}, "true or false"),
    (NewKey, {"name": "x", "model_limits": [1]}, "an object"),
    (NewKey, {"name": "x", "weight": 0}, "a number of at least 1"),
    (NewKey, {"name": "x", "weight": 1000}, "a number of at most 100"),
    (NewKey, {"name": "x", "max_output_tokens": []}, "a whole number"),
    (NewKey, {"name": "x", "defaults": "fast"}, "an object"),
    (ChangedKey, {"expires_at": "tomorrow"}, "a time with its offset, such as 2027-01-31T00:00:00Z"),
    (ChangedKey, {"expires_at": "2027-01-31T00:00:00"}, "a time with its offset, such as 2027-01-31T00:00:00Z"),
    (ChangedKey, {"expires_at": {}}, "a time with its offset, such as 2027-01-31T00:00:00Z"),
    (Rotation, {"grace_s": "soon"}, "a number"),
    (Rotation, {"grace_s": -1}, "a number of at least 0"),
]


@table(("model", "sent", "says"), MISTAKES)
def test_what_belongs_there_is_said(model: type[BaseModel], sent: dict[str, Any], says: str) -> None:
    with pytest.raises(ValidationError) as told:
        model.model_validate(sent)
    first = told.value.errors()[0]
    form = wanted(first["type"], first.get("ctx", {}))
    assert form is not None, first
    assert form.en == says
    assert not form.ja.isascii()


def test_what_nobody_has_words_for_is_left_to_the_library() -> None:
    assert wanted("some_day", {}) is None
