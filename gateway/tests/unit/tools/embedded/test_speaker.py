"""Who speaks at the terminal says each line in one language, on standard error."""

from __future__ import annotations

import os
import subprocess
import sys
import termios

import pytest

from hayate.language import Language
from hayate.terminal import width
from hayate.tools.embedded.speaker import NOT_FIRST, folded
from tests.support.tables import table

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


@table("most", [20, 40, 79, 80])
@table(
    "text",
    [
        "A sentence with blanks, which is folded at them. " * 4,
        "内蔵の極小モデルを使います。覚えているのはわずかな文（「こんにちは」など）だけで、それ以外の答えは意味のない文字列です。",
        "MODEL=/models/x.ggufが存在しません。完全な.ggufファイルを指定するか、MODELを外してください。",
    ],
)
def test_a_long_line_is_folded_without_losing_a_character(text: str, most: int) -> None:
    lines = list(folded(text, most))
    assert all(width(line) <= most for line in lines)
    assert "".join(lines).replace(" ", "") == text.replace(" ", "")
    assert not any(line.strip()[0] in NOT_FIRST for line in lines)


def test_an_address_that_is_too_long_stays_whole() -> None:
    url = "http://127.0.0.1/" + "x" * 100
    assert list(folded(f"It is at {url} for you.", 40)) == ["It is at", f"  {url}", "  for you."]


def test_on_a_terminal_lines_are_folded_and_stand_in_the_place_of_the_keys() -> None:
    ours, theirs = os.openpty()
    termios.tcsetwinsize(theirs, (24, 30))
    code = f"{SAY}\nsay('a long line of words that is folded', '')\nsay.over_the_keys('Stopped.', '')"
    subprocess.run([sys.executable, "-c", code, "en"], stderr=theirs, check=True)
    os.close(theirs)
    said = os.read(ours, 4096).decode().replace("\r\n", "\n")
    assert said == "Ready.\n  as it is\na long line of words that is\n  folded\n\rStopped.\n"
    os.close(ours)
