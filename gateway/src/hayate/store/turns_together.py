"""Turns that wait to be kept at once, in a few statements for all of them: for each statement the driver lets go of the interpreter
several times, against an event loop that wants it too, and that costs more than the rows.

What is plain is kept together: a turn that begins a conversation, or goes on with one that is as its caller knows it. Whatever
is found to be otherwise, all of them are undone and kept one by one (`awaited`), each as it then comes out.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Sequence

from hayate.errors import ConversationFull
from hayate.store.conversation_items import New, Prepared, Where, add_all
from hayate.store.conversations import Conversation, gone_on, inserted
from hayate.store.kept_responses import insert
from hayate.store.sizes import grown
from hayate.store.turns import Kept, Turn, become, begun, said_in, stretch


class Keeping:
    """What keeps one turn, within a transaction of the thread that writes: by itself as `alone` does."""

    __slots__ = ("_alone", "turn")

    def __init__(self, turn: Turn, alone: Callable[[sqlite3.Connection], Kept]) -> None:
        self.turn = turn
        self._alone = alone

    def __call__(self, connection: sqlite3.Connection) -> Kept:
        """By itself."""
        return self._alone(connection)

    @property
    def is_plain(self) -> bool:
        """Whether it can be tried together with others."""
        turn, known = self.turn, self.turn.known
        if turn.replaces_answer:
            return False
        if turn.conversation is None:
            return True
        return (
            known is not None
            and known.id == turn.conversation
            and known.project == turn.project
            and (turn.head is None or turn.head_stays)
            and turn.behind in (None, known.places)
        )


class _Step:
    """One of the turns, on its way."""

    __slots__ = ("after", "before", "new", "row", "turn")

    def __init__(self, turn: Turn, now: float) -> None:
        is_new = turn.conversation is None
        self.turn = turn
        self.before = begun(turn, now) if is_new or turn.known is None else turn.known
        self.new: list[tuple[Where, Prepared]] = said_in(turn, self.before, head=is_new)
        self.row = become(turn, self.before, self.new, now)
        self.after = Conversation(self.before.number, *self.row)


def keep_together(connection: sqlite3.Connection, turns: Sequence[Turn], now: float) -> list[Kept] | None:
    """Adds turns that are plain, at `now` in seconds since 1970. None when one of them must be kept by itself: then, and when this
    raises, some is done that is to be undone.
    """
    steps = [_Step(turn, now) for turn in turns]
    begin = [step for step in steps if not step.before.number]
    go_on = [step for step in steps if step.before.number]
    if len({step.before.number for step in go_on}) < len(go_on):
        return None  # two of one conversation: the second stands on the first
    for step, number in zip(begin, inserted(connection, [step.row for step in begin]), strict=True):
        step.after = Conversation(number, *step.row)
    if gone_on(connection, [(step.before, step.after) for step in go_on]) < len(go_on):
        return None
    added = add_all(connection, [New(step.after, *each) for step in steps for each in step.new])
    if added is None or not _grown(connection, steps):
        return None
    kept, first = [], 0
    for step in steps:
        if step.turn.response is not None:
            insert(connection, step.after, step.turn.response, *stretch(step.turn, step.before, step.after))
        last = first + len(step.new)
        kept.append(Kept(step.after, tuple(added[first:last])))
        first = last
    return kept


def _grown(connection: sqlite3.Connection, steps: Sequence[_Step]) -> bool:
    """Whether there is room for all of it."""
    of_each: dict[str, list[_Step]] = {}
    for step in steps:
        of_each.setdefault(step.after.project, []).append(step)
    try:
        for project, its in of_each.items():
            limits = its[0].turn.limits
            if any(step.turn.limits is not limits for step in its):
                return False  # they have changed between two of them
            added = sum([step.after.bytes - step.before.bytes for step in its])
            grown(connection, project, added, max([step.after.bytes for step in its]), limits)
    except ConversationFull:
        return False
    return True
