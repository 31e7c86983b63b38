"""The plot as a PNG, with matplotlib and without."""

from __future__ import annotations

import struct
import subprocess
import sys
from importlib.resources import files
from pathlib import Path

import pytest

from hayate.language import Language
from hayate.tools.measure.chart_png import write_png
from hayate.tools.measure.record import Record
from hayate.tools.measure.words import WORDS
from tests.unit.tools.measure.measured import record
from tests.unit.tools.measure.plotted import AFTER, BEFORE, BROKEN, figures


@pytest.mark.parametrize("language", ["en", "ja"])
@pytest.mark.parametrize(("shown", "before"), [(AFTER, BEFORE), (BROKEN, None)])
def test_a_png_is_drawn_whatever_the_names(
    tmp_path: Path, shown: Record, before: Record | None, language: Language
) -> None:
    path = tmp_path / "plot.png"
    write_png(shown, before, path, language)
    data = path.read_bytes()
    assert data.startswith(b"\x89PNG\r\n\x1a\n")
    width, height = struct.unpack(">II", data[16:24])
    assert width > 1000
    assert height > 300


def test_every_word_of_ours_can_be_written_in_the_font_of_the_package(tmp_path: Path) -> None:
    from matplotlib import ft2font

    font = ft2font.FT2Font(str(files("hayate.tools.measure") / "font" / "HayateChart.otf"))
    there = font.get_charmap()
    words = "".join(text.ja + text.en for text in WORDS.values()) + "日本語のモデル、変更前（量子化）"
    assert {each for each in words if ord(each) not in there} == set()


@pytest.mark.parametrize("language", ["en", "ja"])
def test_japanese_is_drawn_without_a_letter_missing(
    tmp_path: Path, language: Language, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "warnings.filterwarnings", lambda *_, **__: None
    )  # a letter that no font has is a warning, and fails
    label = "量子化したモデル（変更後）"
    write_png(record(figures("日本語モデル-7B"), label=label), BEFORE, tmp_path / "plot.png", language)
    assert (tmp_path / "plot.png").stat().st_size > 10_000


def test_html_needs_no_matplotlib_and_a_png_says_that_it_does(tmp_path: Path) -> None:
    program = (
        "import sys; sys.modules['matplotlib'] = None\n"
        "from hayate.tools.measure import commands\n"
        "from hayate.tools.measure.plan import check_plot\n"
        "from pathlib import Path\n"
        "check_plot(Path('x.html'))\n"
        "try:\n    check_plot(Path('x.png'))\nexcept Exception as error:\n    print(error)\n"
    )
    ran = subprocess.run([sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert "pip install matplotlib" in ran.stdout
