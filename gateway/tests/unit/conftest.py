"""What tests of rooms that know the store share."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from hayate.settings import Keeping
from hayate.store.store import Store
from tests.support.stores import new_file


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    """Open in a folder of its own, and closed at the end."""
    keeping = Keeping()
    new_file(tmp_path / keeping.file)
    found = Store.open(tmp_path, keeping)
    yield found
    found.close()
