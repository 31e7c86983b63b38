"""A conversation as a document: the JSON of an export, and what reads it again.

    {"object": "conversation.export", "version": 1, "conversation": {…}, "items": [{…}, {…}], "responses": [{…}]}

Goals: whoever imports must not hold up others, however many items there are, and whoever has laid the document out anew
may import it too. Plan: a parser would make an object of every value at once, so the lists are first cut at their items, by
brackets and quotes alone; then each is parsed for itself, whenever there is time. Responses are of the gateway that made
them, and not read. Linear in the document's length.
"""

from __future__ import annotations

import re
from collections.abc import Generator, Iterator
from typing import Any, Final

from hayate.errors import InvalidRequest
from hayate.wire.json_values import MAX_WEIGHT_PER_MIB
from hayate.wire.refusals import given_twice, wrong
from hayate.wire.request_body import parse_object

KIND: Final = "conversation.export"
VERSION: Final = 1
_ITEMS: Final = b'"items"'
_LISTS: Final = frozenset({_ITEMS, b'"responses"'})
PAUSE_TOKENS: Final = 4096
"""Brackets and strings that are looked at in less than a millisecond."""
LEAST_WEIGHT: Final = 4
"""Of a string, a bracket or a brace, as `json_values` weighs them."""
_MIB: Final = 1 << 20
_TOKEN: Final = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"|[][{}]', re.DOTALL)
_BEGIN: Final = re.compile(rb"\s*:\s*\[")
_OPEN: Final = frozenset(b"[{")
_QUOTE: Final = ord('"')


class Exported:
    """A document that was exported: first its `items`, then the `rest`."""

    def __init__(self, raw: bytes, max_weight_per_mib: int = MAX_WEIGHT_PER_MIB) -> None:
        self._raw = raw
        self._max_weight = max_weight_per_mib
        self._max_tokens = max_weight_per_mib * max(len(raw), _MIB) // _MIB // LEAST_WEIGHT
        """Of one item, or of all that is none: what has more would be refused as it is parsed."""
        self._end = 0
        """Of the last list that was cut out."""
        self._rest: list[bytes] = []
        """The document before it, without its lists."""
        self._cut_out: set[bytes] = set()
        self.count = 0
        """Items so far."""

    def items(self) -> Iterator[dict[str, Any] | None]:
        """The items, one after the other; None now and then, as a moment for others. Raises InvalidRequest that names the one
        that is none.
        """
        depth = 0
        while (found := (yield from self._next_list(depth))) is not None:
            name, first = found
            if name in self._cut_out:
                raise given_twice(_said(name))
            self._cut_out.add(name)
            self._rest.append(self._raw[self._end : first])
            for element in self._elements(name, first):
                if element is None:
                    yield None
                elif name == _ITEMS:
                    yield parse_object(element, self._max_weight)
                    self.count += 1
            depth = 2  # the bracket that closes the list is still to come

    def _next_list(self, depth: int) -> Generator[None, None, tuple[bytes, int] | None]:
        """The name of the next list of the document's own, and where it begins; None where there is none."""
        raw = self._raw
        for number, token in enumerate(_TOKEN.finditer(raw, self._end)):
            if number % PAUSE_TOKENS == 0:
                self._check_weight(number, self._end)
                yield None
            mark = raw[token.start()]
            if mark in _OPEN:
                depth += 1
            elif mark != _QUOTE:
                depth -= 1
            elif depth == 1 and (name := token.group()) in _LISTS and (found := _BEGIN.match(raw, token.end())):
                return name, found.end()
        return None

    def _elements(self, name: bytes, first: int) -> Iterator[bytes | None]:
        """The objects of the list that begins there, uncut; None now and then."""
        raw, depth, here, count = self._raw, 0, first, 0
        began, before = here, 0
        for number, token in enumerate(_TOKEN.finditer(raw, here)):
            if number % PAUSE_TOKENS == 0:
                self._check_weight(number - before, began)
                yield None
            mark = raw[token.start()]
            if mark in _OPEN:
                if not depth:
                    began, before = token.start(), number
                    _check(name, count, raw[here:began].strip() == (b"," if count else b"") and mark == ord("{"))
                depth += 1
            elif mark != _QUOTE:
                depth -= 1
                if depth < 0:
                    _check(name, count, not raw[here : token.start()].strip() and mark == ord("]"))
                    self._end = token.start()
                    return
                if not depth:
                    here = token.end()
                    yield raw[began:here]
                    count += 1
            else:
                _check(name, count, depth > 0)
        raise InvalidRequest(
            f"The exported conversation is cut off: the list '{_said(name)}' has no end.",
            f"エクスポートされた会話が途中で切れています（'{_said(name)}' のリストが終わっていません）。",
            param=_said(name),
        )

    def _check_weight(self, tokens: int, began: int) -> None:
        """Raises InvalidRequest for what begins there and has so many tokens already that no parser may be given it."""
        if tokens > self._max_tokens:
            parse_object(self._raw[began:], self._max_weight)

    def rest(self) -> dict[str, Any]:
        """The document without its items. Raises InvalidRequest for what is no exported conversation."""
        whole = parse_object(b"".join(self._rest) + self._raw[self._end :], self._max_weight)
        if whole.get("object") != KIND or not isinstance(whole.get("conversation"), dict):
            raise InvalidRequest(
                f"This is no exported conversation: 'object' must be '{KIND}', and 'conversation' an object. Send what "
                "GET /v1/conversations/…/export?format=json gave.",
                f"エクスポートされた会話ではありません（'object' は '{KIND}'、'conversation' はオブジェクト）。"
                "`GET /v1/conversations/…/export?format=json` の内容を送ってください。",
                param="object",
            )
        if type(whole.get("version")) is not int or whole["version"] != VERSION:
            raise InvalidRequest(
                f"'version' must be {VERSION}; another release has written this.",
                f"'version' は {VERSION} にしてください（別のバージョンで作成された可能性があります）。",
                param="version",
            )
        if whole.get("items") != []:
            raise wrong("items", "a list of items", "アイテムのリスト")
        return whole


def _check(name: bytes, count: int, holds: bool) -> None:
    """Whether the next of a list is an object and stands where it should."""
    if not holds:
        raise wrong(
            f"{_said(name)}[{count}]", "an object, parted from the next by a comma", "カンマ区切りのオブジェクト"
        )


def _said(name: bytes) -> str:
    return name.decode().strip('"')
