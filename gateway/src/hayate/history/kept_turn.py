"""What a call adds to a conversation, and how that is kept."""

from __future__ import annotations

import sqlite3
from dataclasses import replace
from time import time
from typing import Any, Final, NamedTuple

from hayate.errors import ConversationLocked
from hayate.history.along import Along
from hayate.history.answer_items import within
from hayate.history.wanted import Wanted
from hayate.policy.fitting import Fit
from hayate.store.branches import ResponseBranch
from hayate.store.kept_responses import KeptResponse, NewResponse
from hayate.store.turns import Kept, Turn, keep
from hayate.store.turns_together import Keeping
from hayate.wire.usage import Usage

_NOT_KEPT: Final = ("id", "output", "input", "input_messages", "output_messages")
"""Of a response: what its items say, or its row."""


class Answered(NamedTuple):
    """An engine's answer in its dialect, and how many bytes it came in."""

    said: dict[str, Any]
    size: int
    usage: Usage
    cut: bool
    """Whether it is less than the engine would have said: its limit cuts it, too."""
    ended: bool = True
    """Whether it came to its end, be it that of its limit: what it used is known then."""


def new_turn(wanted: Wanted, goes: Along, answered: Answered, chosen: Fit | None, conversation_id: str) -> Turn:
    """The turn of a call that has been answered, in the conversation of that id; a new one, if the call began it. Raises one of
    `faults.UNREADABLE` for what is no answer.
    """
    named, usage, most = wanted.named, answered.usage, wanted.limits.max_item_bytes
    answer = wanted.dialect.items_of(answered.said, cut=answered.cut)
    regenerates = named is not None and named.regenerates
    behind = None if goes.cached is None else goes.cached.loaded.conversation.places
    return Turn(
        project=wanted.project,
        conversation=None if goes.cached is None else conversation_id,
        new_id=conversation_id if goes.cached is None else None,
        listed=named is not None,
        known=None if goes.cached is None else goes.cached.loaded.conversation,
        head=goes.said.head,
        head_stays=goes.head_stays,
        items=goes.said.items,
        answer=answer if answered.size <= most else within(answer, most),
        replaces_answer=regenerates,
        goes_on=goes.goes_on and not regenerates,
        behind=behind if goes.goes_on or wanted.previous is not None else None,
        tokens=usage.prompt_tokens + usage.completion_tokens if usage.exact and answered.ended else None,
        first_turn=None if chosen is None else chosen.first_turn,
        window=None if chosen is None else chosen.window,
        response=_response(wanted, answered.said),
        limits=wanted.limits,
    )


def keeping(turn: Turn, branch: KeptResponse | None, chain: KeptResponse | None = None) -> Keeping:
    """What keeps the turn within a transaction of the thread that writes, together with others where it can; in a `branch` behind
    that response, if there is one. So it does where another process has gone on from the last response of a `chain` meanwhile.
    """

    def how(connection: sqlite3.Connection) -> Kept:
        if branch is not None:
            return _branched(connection, turn, branch)
        try:
            return keep(connection, turn, time())
        except ConversationLocked:
            if chain is None:
                raise
            return _branched(connection, turn, chain)

    return Keeping(turn if branch is None else replace(turn, known=None), how)


def _branched(connection: sqlite3.Connection, turn: Turn, behind: KeptResponse) -> Kept:
    now = time()
    making = ResponseBranch(behind, limits=turn.limits, now=now)
    while (made := making(connection)) is None:
        pass
    return keep(connection, replace(turn, conversation=made.id, behind=None), now)


def _response(wanted: Wanted, said: dict[str, Any]) -> NewResponse | None:
    if wanted.response_id is None:
        return None
    body = {name: value for name, value in said.items() if name not in _NOT_KEPT}
    return NewResponse(wanted.response_id, body, wanted.previous)
