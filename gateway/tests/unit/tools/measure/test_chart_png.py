"""The plot as a PNG, with matplotlib and without."""

from __future__ import annotations

import struct
import subprocess
import sys
from pathlib import Path

import pytest

from hayate.language import Language
from hayate.tools.measure.chart_png import write_png
from hayate.tools.measure.record import Record
from tests.unit.tools.measure.plotted import AFTER, BEFORE, BROKEN


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
