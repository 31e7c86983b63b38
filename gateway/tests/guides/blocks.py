"""The code in a document: its fenced blocks, and the commands in them without their remarks.

What follows a block's language says what it needs: ```sh needs=gpu runs nowhere in the tests, and is gone through dry.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

REPOSITORY = Path(__file__).parents[3]
DOCS = REPOSITORY / "docs-llm_api"
_FENCED = re.compile(r"^```(\w*)(?: needs=(\w+))?\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_REMARK = re.compile(r"(^|\s+)(?:#|//)\s.*$")


class Block(NamedTuple):
    """A fenced block of a document."""

    language: str
    needs: str
    code: str


def fenced(text: str) -> list[Block]:
    """Every fenced block, in order."""
    return [Block(*each) for each in _FENCED.findall(text)]


def blocks(document: str, language: str) -> list[str]:
    """The blocks in `language`, in order."""
    return [each.code for each in fenced((DOCS / document).read_text(encoding="utf-8")) if each.language == language]


def bare(code: str) -> list[str]:
    """The lines without remarks, which are in the document's own language."""
    return [stripped for line in code.splitlines() if (stripped := _REMARK.sub("", line).rstrip())]


def commands(document: str) -> list[str]:
    """Every line of the shell blocks, continued lines joined."""
    joined = "\n".join(blocks(document, "sh")).replace("\\\n", " ")
    return bare(joined)


def command(document: str, *parts: str) -> str:
    """The first command that holds all `parts`."""
    return next(each for each in commands(document) if all(part in each for part in parts))
