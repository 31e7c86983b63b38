"""What older releases took still loads, and is told."""

from __future__ import annotations

import pytest

from hayate.config.deprecated import deprecated
from hayate.config.models import Config

ONE = {"qwen": {"backend": "vllm", "replicas": ["http://a"]}}


def test_a_burst_is_said_to_be_ignored() -> None:
    (told,) = deprecated(Config.model_validate({"deployments": ONE, "limits": {"requests_per_minute": 60, "burst": 5}}))
    assert told.where == ("limits", "burst")
    assert "ignored" in told.text.en
    assert "無視" in told.text.ja


@pytest.mark.parametrize("limits", [{}, {"requests_per_minute": 60}])
def test_there_is_nothing_to_say_of_what_goes_on_counting(limits: dict[str, int]) -> None:
    assert list(deprecated(Config.model_validate({"deployments": ONE, "limits": limits}))) == []
