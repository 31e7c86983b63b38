"""What a call wants of the history."""

from __future__ import annotations

import pytest

from hayate.history.dialects import OF_PATH
from hayate.history.wanted import Wanted
from hayate.settings import History
from hayate.store.spare import SPARE_S
from hayate.wire.paths import RESPONSES


@pytest.mark.parametrize(("must", "within_s"), [(True, None), (False, SPARE_S)])
def test_what_nobody_has_asked_for_is_not_waited_for_long(must: bool, within_s: float | None) -> None:
    assert Wanted("p", OF_PATH[RESPONSES], History(), must=must).within_s == within_s
