"""Who speaks at the terminal says each line in one language, on standard error."""

from __future__ import annotations

import subprocess
import sys

import pytest

from hayate.language import Language

SAY = """
import sys
from hayate.tools.embedded.speaker import Speaker
say = Speaker(sys.argv[1])
say("Ready.", "準備ができました。")
say.write("  as it is\\n")
"""


@pytest.mark.parametrize(("language", "said"), [("en", "Ready."), ("ja", "準備ができました。")])
def test_a_line_is_said_in_the_language_of_whoever_reads(language: Language, said: str) -> None:
    command = [sys.executable, "-c", SAY, language]
    spoken = subprocess.run(command, capture_output=True, encoding="utf-8", check=True)
    assert (spoken.stdout, spoken.stderr) == ("", f"{said}\n  as it is\n")
