"""Commands as they are typed, in this process, on a data folder of the test's own and beside no other gateway."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import Result

from tests.support.typed import typed_in

Typed = Callable[..., Result]


def typist(monkeypatch: pytest.MonkeyPatch, folder: Path, **env: str) -> Typed:
    """Types words; `lang` is the terminal's language."""
    monkeypatch.chdir(folder)
    for name in ("HAYATE_CONFIG", "HAYATE_API_KEY", "HAYATE_DATA"):
        monkeypatch.delenv(name, raising=False)

    def typed(*words: str, lang: str = "en") -> Result:
        around = {"XDG_RUNTIME_DIR": str(folder / "run"), "HAYATE_DATA": str(folder / "data"), "HAYATE_LANG": lang}
        return typed_in(*words, env={**around, **env})

    return typed
