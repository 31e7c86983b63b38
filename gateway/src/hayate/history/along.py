"""What goes along with one call: the head of its conversation, its notes, its turns from some turn on, and what is said now."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import groupby, takewhile
from operator import attrgetter
from typing import Any, Final

from hayate.errors import InvalidRequest
from hayate.history.answer_items import has_words
from hayate.history.cache import Cached
from hayate.history.dialects import Dialect, Said
from hayate.history.fitting_calls import Fields, size_of
from hayate.history.prefix import New, Prefix, put_turns, turns_from
from hayate.policy.fitting import Known, Request
from hayate.policy.prompt_sizes import Size, Turn
from hayate.store.conversations import Stored
from hayate.wire.items import Item, answers_tools, message
from hayate.wire.numbers import largest_limit

_body: Final = attrgetter("body")
_LOST: Final = "\ufffd"
"""Stands for part of a character: what was one token takes three to be said again."""
_ALWAYS: Final = ("tools", "functions")
"""Fields beside what is said that are a part of the prompt."""


@dataclass(slots=True)
class Along:
    """One per call; nothing in it changes but `prefix` and `new`, and `fields`, which are the request's and get what goes along."""

    dialect: Dialect
    fields: Fields
    said: Said
    stored: Sequence[Stored]
    """Of the conversation, its head too; without an answer that is to be replaced."""
    cached: Cached | None = None
    """The conversation; None for a new one."""
    goes_on: bool = False
    """The call is not a turn of its own, but goes on with the last one."""
    adds: Callable[[Fields], None] = lambda _: None
    """What else comes into a request at last: the words that a key puts before all others."""
    prefix: Prefix | None = None
    """What was said of the turns, for the next call."""
    new: New | None = None
    """What is said now, once it has been put into words."""

    @property
    def new_turn(self) -> int:
        """The number of the turn that this call is, or goes on with."""
        turns = 0 if self.cached is None else self.cached.loaded.conversation.turns
        return turns if self.goes_on else turns + 1

    def fields_from(self, first_turn: int) -> Fields:
        """The request with the turns from that one on."""
        dialect, before = self.dialect, self._before()
        turns = self.stored[turns_from(self.stored, max(1, min(first_turn, self.new_turn))) :]
        known = self.prefix or (None if self.cached is None else self.cached.prefix)
        told = put_turns(dialect, first_turn, turns, self._new(), known)
        if told is None:
            sent = self.fields | dialect.put([*before, *map(_body, turns), *self.said.items])
        else:
            said, self.prefix = told
            put = dialect.put(before) if before else {dialect.field: []}
            sent = self.fields | put
            sent[dialect.field] = put[dialect.field] + said
        self.adds(sent)
        return sent

    def use(self, first_turn: int) -> None:
        """Puts the same into the request itself."""
        fields = self.fields_from(first_turn)
        self.fields.update(fields)
        if fields.get("system", "") is None:
            del self.fields["system"]

    def request(self, *, whole: bool, truncates: bool) -> Request:
        """What is to be fitted. `whole`: turns that were left out before may come back."""
        rest = self._rest()
        known, left_out = self._known(rest), 0
        if self.cached is not None and not whole:
            left_out = max(0, self.cached.loaded.conversation.first_turn - 1)
        first, limit = left_out + 1, largest_limit(self.fields)
        return Request(
            turns=lambda: self._turns(first),
            new_turn=self.new_turn,
            new=size_of(self._new().said),
            rest=rest,
            current=self._current(),
            known=known,
            left_out=left_out,
            output=None if limit is None else self.fields[limit],
            truncates=truncates,
        )

    def _new(self) -> New:
        if self.new is None:
            items = self.said.items
            self.new = New(items, self.dialect.put(items)[self.dialect.field] if items else [])
        return self.new

    def _known(self, rest: Size) -> Known:
        if self.cached is None:
            return Known()
        conversation, cached = self.cached.loaded.conversation, self.cached
        tokens = conversation.tokens if self._says_as_much() else None
        return Known(conversation.first_turn, conversation.window, tokens, cached.deployment, cached.rest_bytes)

    def _says_as_much(self) -> bool:
        """Whether what the engine counted of the last call is no less than what goes along now: another head has another size,
        and so has an answer that is not read again as it was made. An answer that is replaced only goes.
        """
        if self.said.head is not None and not self.head_stays:
            return False
        answers = takewhile(attrgetter("answer"), reversed(self.stored))
        return not any(has_words(each.body, _LOST) for each in answers)

    @property
    def head_stays(self) -> bool:
        """Whether what is said to stand before all turns is what stands there already."""
        return self.said.head is not None and self.said.head == self._stored_head()

    def _head(self) -> list[Item]:
        return [*map(_body, self.stored[: turns_from(self.stored, 1)])]

    def _stored_head(self) -> list[Item]:
        return [{key: value for key, value in each.items() if key != "id"} for each in self._head()]

    def _before(self) -> list[Item]:
        """What stands before all turns, with the notes: as one message where that can be, for many models' templates know one."""
        head = self.said.head if self.said.head is not None else self._head()
        notes = None if self.cached is None else self.cached.loaded.conversation.notes
        if not notes:
            return head
        if len(head) == 1 and len(head[0]["content"]) == 1 and "text" in (words := head[0]["content"][0]):
            return [{**head[0], "content": [{**words, "text": f"{words['text']}\n\n{notes}"}]}]
        return [*head, message("system", notes)]

    def _rest(self) -> Size:
        size, media = self._size(self._before())
        for name in _ALWAYS:
            if isinstance(given := self.fields.get(name), list):
                size += size_of(given).bytes
        return Size(size, media)

    def _current(self) -> Size:
        """What is stored of the turn that this call goes on with."""
        if not self.goes_on:
            return Size()
        return self._size([*map(_body, self.stored[turns_from(self.stored, self.new_turn) :])])

    def _turns(self, first: int) -> list[Turn]:
        between = self.stored[turns_from(self.stored, first) : turns_from(self.stored, self.new_turn)]
        return [
            Turn(number, *self._size([each.body for each in items]))
            for number, items in groupby(between, key=lambda each: each.turn)
        ]

    def _size(self, items: Sequence[Item]) -> Size:
        """What they come to as they are sent."""
        if not items:
            return Size()
        put = self.dialect.put(items)
        size, media = size_of(put[self.dialect.field])
        return Size(size + len(str(put.get("system") or "").encode()), media)


def along(
    dialect: Dialect,
    fields: Fields,
    said: Said,
    cached: Cached | None,
    *,
    regenerates: bool,
    adds: Callable[[Fields], None],
) -> Along:
    """For a call that says this. Raises InvalidRequest where it says nothing, or something that can't be said here."""
    stored: Sequence[Stored] = () if cached is None else cached.loaded.items
    turns = 0 if cached is None else cached.loaded.conversation.turns
    if regenerates:
        if said.items:
            raise _said_too_much(dialect.field)
        if not turns:
            raise _nothing_said(dialect.field)
        stored = without_answer(stored, turns)
    elif not said.items:
        raise _nothing_said(dialect.field)
    goes_on = regenerates or (turns > 0 and answers_tools(said.items[0]))
    if goes_on and not regenerates:
        _check_outputs(said.items, stored, dialect.field)
    return Along(dialect, fields, said, stored, cached, goes_on, adds)


def without_answer(stored: Sequence[Stored], turn: int) -> list[Stored]:
    """Without what an engine said last in the last turn, behind all that was said to it."""
    last = len(stored)
    while last and stored[last - 1].answer and stored[last - 1].turn == turn:
        last -= 1
    return list(stored[:last])


def _check_outputs(items: Sequence[Item], stored: Sequence[Stored], field: str) -> None:
    calls: set[Any] = {each.body.get("call_id") for each in stored if "call_id" in each.body}
    for item in items:
        if not answers_tools(item):
            break
        if item.get("call_id") not in calls:
            shown = str(item.get("call_id"))[:60]
            raise InvalidRequest(
                f"'{field}' begins with what a tool returned to a call ({shown}) that is not in this conversation. "
                "Send the call's own id, as the answer had it.",
                f"'{field}' の先頭にあるツールの結果（{shown}）に対応する呼び出しが、この会話にはありません。"
                "回答に含まれていた呼び出しのIDを指定してください。",
                param=field,
            )


def _nothing_said(field: str) -> InvalidRequest:
    return InvalidRequest(
        f"'{field}' says nothing new: send what comes next in the conversation, or ask for the last answer anew with "
        '"conversation": {"id": …, "regenerate": true}.',
        f"'{field}' に新しい発言がありません。会話の続きを送るか、直前の回答を作り直すには "
        '"conversation": {"id": …, "regenerate": true} を指定してください。',
        param=field,
    )


def _said_too_much(field: str) -> InvalidRequest:
    return InvalidRequest(
        f"With 'conversation.regenerate' the last question is answered anew: leave '{field}' out, or send a system prompt alone.",
        f"'conversation.regenerate' を指定すると直前の質問に答え直します。'{field}' は省略してください"
        "（システムプロンプトだけは送れます）。",
        param=field,
    )
