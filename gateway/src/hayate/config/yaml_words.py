"""What the YAML parser stumbles over, in words that say how to mend it, and the text without it, so that the rest can be
read too and all mistakes are told at once.
"""

from __future__ import annotations

import re

import yaml

from hayate.config.mistakes import Mistake
from hayate.language import Text

_KEY = r"[ \t\u3000\u00a0]*(?:- +)?[A-Za-z_][\w.-]*"
_WIDE_COLON = re.compile(rf"({_KEY}) *：[ \u3000\u00a0]*")
_WIDE_BLANK = re.compile(rf"({_KEY}) *:[ \u3000\u00a0]*[\u3000\u00a0][ \u3000\u00a0]*")
_WIDE_INDENT = re.compile(r"[ \t]*[\u3000\u00a0][ \t\u3000\u00a0]*")
_TAB = re.compile(r" *\t[ \t]*(?=[^\s#])")
_BLOCK_TEXT = re.compile(r"[:-] +[|>][0-9+-]*\s*(?:#.*)?$")
_FROM_ITS_BEGINNING = ("while parsing a flow", "while scanning a quoted", "while scanning a simple key")
"""Where these were opened is the place to mend; the parser notices later."""

WIDE = Text(
    "a full-width colon or blank stands here; write an ordinary colon and ordinary blanks (port: 8080)",
    "全角のコロンか空白があります。半角のコロンと空白で書いてください（例: port: 8080）",
)
TAB = Text(
    "a tab stands before the text; indent with blanks",
    "行頭にタブがあります。半角の空白で字下げしてください",
)
_CONTROL = Text(
    "a control character stands here; remove it",
    "制御文字があります。取り除いてください",
)
_UNREADABLE = Text(
    "is not readable as YAML; look for a missing quote, bracket or blank here and in the line before",
    "YAMLとして読めません。この行と前の行の、引用符、括弧、空白の抜けを確かめてください",
)
DEEP = Text(
    "is nested too deeply, or a part of it contains itself: write it out flatly",
    "入れ子が深すぎるか、自分自身を含んでいます。入れ子を浅くしてください",
)
_WORDS: tuple[tuple[str, Text], ...] = (
    (r"nested too deeply", DEEP),
    (
        r"found unexpected end of stream|found unexpected document separator",
        Text(
            "a quotation mark is opened here and never closed; close it",
            "ここで開いた引用符が閉じられていません。閉じてください",
        ),
    ),
    (
        r"expected ',' or '\]'",
        Text(
            "a bracket [ is opened here and not closed, or a comma is missing; write [one, two]",
            "ここで開いた角括弧[が閉じられていないか、コンマが抜けています。[one, two]のように書いてください",
        ),
    ),
    (
        r"expected ',' or '\}'",
        Text(
            "a brace { is opened here and not closed, or a comma is missing; write {name: value, other: value}",
            "ここで開いた波括弧{が閉じられていないか、コンマが抜けています。{name: value, other: value}のように書いてください",
        ),
    ),
    (
        r"expected the node content|did not find expected node",
        Text(
            "a value is missing, or a bracket is closed that was not opened",
            "値がないか、開いていない括弧が閉じられています",
        ),
    ),
    (
        r"mapping values are not allowed",
        Text(
            "an entry is indented too far, or a text holds a colon: indent it like its neighbours, and put such a text in quotes",
            "字下げが深すぎるか、文字列にコロンが含まれています。前後の項目と字下げをそろえ、コロンを含む文字列は引用符で囲んでください",
        ),
    ),
    (
        r"expected ':'",
        Text(
            "a colon with a blank behind it is missing; write name: value",
            "コロンとその後ろの空白がありません。name: valueのように書いてください",
        ),
    ),
    (
        r"expected <block end>|inconsistent indentation|unindent does not match",
        Text(
            "is indented otherwise than the entries beside it; let them begin in one column",
            "字下げが前後の項目とそろっていません。同じ桁から書き始めてください",
        ),
    ),
    (
        r"expected '<document start>'",
        Text(
            "does not belong to what stands before it: an entry is name: value, and entries beside each other begin in one column",
            "前の行とつながりません。項目はname: valueの形で、同じ桁から書き始めてください",
        ),
    ),
    (
        r"but found another document",
        Text(
            "a second document begins here; a configuration is one: remove the line ---",
            "ここから2つ目の文書が始まっています。設定は1つの文書です。---の行を取り除いてください",
        ),
    ),
    (
        r"sequence entries are not allowed",
        Text(
            "a list's - can't stand here; put it on a line of its own, below its name",
            "リストの-はここには書けません。項目名の次の行に書いてください",
        ),
    ),
    (
        r"found undefined alias",
        Text(
            "points to nothing: no & of this name stands above it; a text that begins with * stands in quotes",
            "参照先がありません。この行より上に、同じ名前の&がありません。*で始まる文字列は引用符で囲んでください",
        ),
    ),
    (
        r"expected alphabetic or numeric|that cannot start any token|expected a tag|expected URI|expected ' '|expected chomping",
        Text(
            "begins with a sign that means something in YAML; put the text in quotes",
            "YAMLで特別な意味を持つ記号で始まっています。引用符で囲んでください",
        ),
    ),
    (
        r"unknown escape character|escape sequence",
        Text(
            'a backslash means something in "double quotes"; use single quotes',
            "二重引用符の中の\\は特別な意味を持ちます。一重引用符を使ってください",
        ),
    ),
    (
        r"for merging|or list of mappings",
        Text(
            "<< takes a section that a & names, or a list of such: <<: [*one, *other]",
            "<<に書けるのは、&で名前を付けたセクションか、そのリスト（<<: [*one, *other]）です",
        ),
    ),
    (
        r"could not determine a constructor",
        Text(
            "a text that begins with ! stands in quotes; tags are not taken here",
            "!で始まる文字列は引用符で囲んでください。タグは使えません",
        ),
    ),
    (
        r"found duplicate anchor",
        Text(
            "this & name stands above already; choose another",
            "この&の名前はすでに使われています。別の名前にしてください",
        ),
    ),
    (
        r"recursive|unhashable|key must be a plain word",
        Text(
            "a name is a plain word, such as qwen; put it in quotes where it holds other signs",
            "名前はqwenのような単語で書いてください。記号を含む場合は引用符で囲んでください",
        ),
    ),
)


def mistake_of(error: yaml.YAMLError, text: str) -> Mistake:
    """What the parser stumbled over in `text`, with the line to mend."""
    if isinstance(error, yaml.reader.ReaderError):
        return Mistake((), _CONTROL, text.count("\n", 0, error.position) + 1)
    problem, context = str(getattr(error, "problem", "") or ""), str(getattr(error, "context", "") or "")
    mark = getattr(error, "problem_mark", None)
    if context.startswith(_FROM_ITS_BEGINNING):
        mark = getattr(error, "context_mark", None) or mark
    said = f"{problem} {context}"
    words = next((each for pattern, each in _WORDS if re.search(pattern, said)), _UNREADABLE)
    return Mistake((), words, mark.line + 1 if mark else None)


def straightened(text: str) -> tuple[str, list[Mistake]]:
    """With full-width colons and blanks, where only ordinary ones have a meaning, made ordinary; and where they stood."""
    if "：" not in text and "\u3000" not in text and "\u00a0" not in text:
        return text, []
    lines, found = text.split("\n"), []
    for number, line in _structure(lines):
        mended = _WIDE_COLON.sub(r"\1: ", line) if _WIDE_COLON.match(line) else line
        mended = _WIDE_BLANK.sub(r"\1: ", mended) if _WIDE_BLANK.match(mended) else mended
        if (indent := _WIDE_INDENT.match(mended)) is not None:
            plain = "".join("  " if each == "\u3000" else " " for each in indent[0])
            mended = plain + mended[indent.end() :]
        if mended != line:
            lines[number] = mended
            if mended.strip() and not mended.lstrip().startswith("#"):
                found.append(Mistake((), WIDE, number + 1))
    return "\n".join(lines), found


def without_tabs(text: str) -> tuple[str, list[Mistake]]:
    """With blanks where lines begin with a tab; and where they did."""
    lines, found = text.split("\n"), []
    for number, line in _structure(lines):
        if (indent := _TAB.match(line)) is not None:
            lines[number] = indent[0].replace("\t", "  ") + line[indent.end() :]
            found.append(Mistake((), TAB, number + 1))
    return "\n".join(lines), found


def _structure(lines: list[str]) -> list[tuple[int, str]]:
    """The lines that are no part of a block of text (`|`, `>`), which may hold anything."""
    found, text_below = [], -1
    for number, line in enumerate(lines):
        indent = len(line) - len(line.lstrip())
        if text_below >= 0 and (not line.strip() or indent > text_below):
            continue
        text_below = indent if _BLOCK_TEXT.search(line) else -1
        found.append((number, line))
    return found


def blanked(text: str, line: int) -> str | None:
    """Without the entry that holds this line: an entry of a section if it is inside of one, else the section. None if there
    is nothing left to take away.
    """
    lines = text.split("\n")
    number = min(line - 1, len(lines) - 1)
    while number > 0 and not lines[number].strip():
        number -= 1
    if not lines[number].strip():
        return None
    top = next((n for n in range(number, -1, -1) if _indent(lines[n]) == 0), 0)
    inner = min((_indent(each) for each in lines[top + 1 : number + 1] if _indent(each) > 0), default=0)
    first = next((n for n in range(number, top, -1) if 0 < _indent(lines[n]) <= inner), top)
    edge = _indent(lines[first])
    end = next((n for n in range(first + 1, len(lines)) if 0 <= _indent(lines[n]) <= edge), len(lines))
    return "\n".join([*lines[:first], *[""] * (max(end, number + 1) - first), *lines[max(end, number + 1) :]])


def _indent(line: str) -> int:
    """How far it is indented; -1 for one that says nothing."""
    said = line.lstrip()
    return -1 if not said or said.startswith("#") else len(line) - len(said)
