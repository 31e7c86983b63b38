"""What the parent tells the child."""

from __future__ import annotations

from hayate.tools.embedded.settings import EngineSettings


def test_settings_come_back_as_they_went_in_one_line() -> None:
    settings = EngineSettings(
        "/モデル/x y.gguf", "x", 1234, "key", 1, context_tokens=4096, slots=4, threads=2, verbose=True
    )
    line = settings.render()
    assert line.count(b"\n") == 1
    assert EngineSettings.parse(line) == settings
