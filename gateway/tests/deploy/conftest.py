"""A bench of stand-ins for each test."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.deploy.stand_ins import Bench


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)
