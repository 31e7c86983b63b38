"""Items as a person reads them: a title, a document.

Whoever speaks is a heading, in the reader's language. What a tool is asked and returns stands in a fence that nothing inside
can end.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator
from typing import Any, Final

import orjson

from hayate.language import Language, Text
from hayate.wire.item_shapes import CALLS, OUTPUTS, Item
from hayate.wire.items import text_of

MAX_TITLE_CHARS: Final = 60
_READ_CHARS: Final = 4096
"""A title is looked for in so many."""
_LEAST_TITLE_CHARS: Final = 12
"""A title that a sentence's end makes shorter goes on."""
_SENTENCE: Final = re.compile(r"[。！？!?](?=.)|[.．](?=\s)")
_BETWEEN: Final = re.compile(r"[\s、，,;；:：）)」』\]]")
_JOINER: Final = "\u200d"
_JOINED: Final = frozenset({_JOINER, "\ufe0e", "\ufe0f", *map(chr, range(0x1F3FB, 0x1F400))})
"""Joiners, variation selectors, skin tones: nothing is cut before them."""

_SPEAKERS: Final = {
    "user": Text("User", "ユーザー"),
    "assistant": Text("Assistant", "アシスタント"),
    "system": Text("System", "システム"),
    "developer": Text("Developer", "開発者"),
}
_CALL: Final = Text("Tool call", "ツール呼び出し")
_OUTPUT: Final = Text("Tool result", "ツールの結果")
_REASONING: Final = Text("Reasoning", "推論")
_CUT: Final = Text("(cut off)", "（途中まで）")
_FILES: Final = {
    "input_image": Text("image", "画像"),
    "computer_screenshot": Text("image", "画像"),
    "input_file": Text("file", "ファイル"),
    "input_audio": Text("audio", "音声"),
    "output_audio": Text("audio", "音声"),
}
_PRETTY_CHARS: Final = 4096
_MOST_BLANKS: Final = 8
_TICKS: Final = re.compile(r"`{3,}")


def title_of(items: Iterable[Item]) -> str:
    """The first words that a user said, on one line, at most `MAX_TITLE_CHARS` characters; empty when none did."""
    for item in items:
        if item["type"] == "message" and item["role"] == "user":
            said = " ".join(text_of(item)[:_READ_CHARS].split())
            if said:
                return _cut(said)
    return ""


def markdown_of(items: Iterable[Item], language: Language = "en") -> str:
    """The conversation as a document, a heading for each who speaks; empty when nobody does."""
    blocks = []
    before = ""
    for item in items:
        heading = _heading(item, language)
        if heading != before:
            blocks.append(f"## {heading}")
        before = heading
        blocks += filter(None, _body(item, language))
        if item.get("status") == "incomplete":
            blocks.append(f"*{_CUT.of(language)}*")
    return "\n\n".join(blocks) + "\n" if blocks else ""


def _cut(text: str) -> str:
    """A line of text at a place where it may end: after a sentence, between words, else between characters."""
    ends = [found.end() for found in _SENTENCE.finditer(text[: MAX_TITLE_CHARS + 1])]
    at = next((end for end in ends if _LEAST_TITLE_CHARS <= end <= MAX_TITLE_CHARS), None)
    if at is not None:
        return text[:at]
    if len(text) <= MAX_TITLE_CHARS:
        return text
    room = MAX_TITLE_CHARS - 1  # for the dots
    gaps = [found.start() for found in _BETWEEN.finditer(text[: room + 1])]
    at = next((gap for gap in reversed(gaps) if gap >= room // 2), None)
    if at is None:
        at = room
        while at and _belongs(text[at - 1], text[at]):
            at -= 1
    return text[: at or room].rstrip() + "…"


def _belongs(before: str, after: str) -> bool:
    """Whether two characters are seen as one."""
    return before == _JOINER or after in _JOINED or unicodedata.combining(after) != 0


def _heading(item: Item, language: Language) -> str:
    kind = item["type"]
    if kind == "message":
        speaker = _SPEAKERS.get(item["role"])
        return speaker.of(language) if speaker else item["role"]
    if kind in CALLS or kind.endswith("_call"):
        return _CALL.of(language)
    if kind in OUTPUTS.values() or kind.endswith("_output"):
        return _OUTPUT.of(language)
    return _REASONING.of(language) if kind == "reasoning" else kind


def _body(item: Item, language: Language) -> Iterator[str]:
    kind = item["type"]
    if kind == "message":
        for part in item["content"]:
            yield _said(part, language)
    elif kind in CALLS:
        yield f"`{item['name']}`"
        yield _fenced(_pretty(item[CALLS[kind]]))
    elif kind in OUTPUTS.values():
        output = item["output"]
        yield from [_fenced(_pretty(output))] if type(output) is str else [_said(part, language) for part in output]
    else:
        yield text_of(item)


def _said(part: dict[str, Any], language: Language) -> str:
    said = next((part[name] for name in ("text", "refusal", "transcript") if type(part.get(name)) is str), None)
    if said is not None:
        return str(said)
    file = _FILES.get(part["type"])
    if file is None:
        return ""
    url = part.get("image_url") or part.get("file_url")
    if type(url) is str and url[:5].lower() != "data:":
        return f"<{url}>"
    named = f": {part['filename']}" if part.get("filename") else ""
    return f"*[{file.of(language)}{named}]*"


def _pretty(text: str) -> str:
    """JSON on several lines; what is none, long or nested so deeply that it would be mostly blanks as it is."""
    if len(text) > _PRETTY_CHARS:
        return text
    try:
        pretty = orjson.dumps(orjson.loads(text), option=orjson.OPT_INDENT_2).decode()
    except (orjson.JSONDecodeError, orjson.JSONEncodeError):
        return text
    return pretty if len(pretty) <= _MOST_BLANKS * len(text) else text


def _fenced(text: str) -> str:
    """A text between fences longer than any inside."""
    longest = max((len(found) for found in _TICKS.findall(text)), default=2)
    fence = "`" * (longest + 1)
    return f"{fence}json\n{text}\n{fence}" if text[:1] in ("{", "[") else f"{fence}\n{text}\n{fence}"
