"""What commands on a data folder share."""

from __future__ import annotations

from pathlib import Path

import pytest

from hayate.settings import Keeping
from hayate.store.store import Store
from tests.unit.tools.typist import Typed, typist


@pytest.fixture
def typed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Typed:
    """Commands beside a data folder where a gateway has been."""
    Store.open(tmp_path / "data", Keeping()).close()
    return typist(monkeypatch, tmp_path)
