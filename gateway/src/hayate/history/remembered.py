"""One call that goes on with a conversation, or begins one: from its turn to the moment in which that is kept.

In order: `recall` waits until no other call goes on with the conversation, reads it and puts what goes along into the
request; `open` asks the engine, again with fewer turns if it finds them too many; `keep` keeps question and answer together,
before the caller is told the end. On the way out `close` keeps what there is of an answer that was cut, and lets the next
call in once that is kept. A call whose answer never began leaves nothing.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace
from time import time
from typing import Any, Final, TypeVar

from hayate.errors import ContextTooLong, InvalidRequest, UnknownConversation
from hayate.history.along import Along, along
from hayate.history.answer_items import says_something
from hayate.history.cache import Cached, up_to
from hayate.history.conversations import Conversations, Sent
from hayate.history.fitting_calls import Fields, fit, fit_again
from hayate.history.kept_turn import Answered, keeping, new_turn
from hayate.history.locks import key_of
from hayate.history.wanted import Engines, Wanted
from hayate.policy.fitting import Fit, Known, Request, wants_all
from hayate.store.branches import ResponseBranch
from hayate.store.conversations import Conversation, Stored
from hayate.store.kept_responses import KeptResponse
from hayate.store.turns import Kept, Turn
from hayate.telemetry.record import CallRecord
from hayate.wire.faults import UNREADABLE
from hayate.wire.gathered import Gathered
from hayate.wire.history_ids import unknown_response
from hayate.wire.items import Item, message

MOST_AT_ONCE: Final = 250
"""Items that are copied in the very step that keeps a turn; a longer branch is made in steps of its own, before."""
JSON_TIMES: Final = 2
"""So much longer than an item's text may be what is gathered of it, with its escapes."""

Asked = TypeVar("Asked")
Opened = TypeVar("Opened")


class Remembered:
    """One per call."""

    __slots__ = (
        "_along",
        "_branch",
        "_busy",
        "_cached",
        "_chain",
        "_conversations",
        "_engines",
        "_fit",
        "_holds",
        "_record",
        "_request",
        "_size",
        "_was_kept",
        "id",
        "wanted",
    )

    def __init__(self, conversations: Conversations, wanted: Wanted, record: CallRecord) -> None:
        named = wanted.named
        self.wanted = wanted
        self.id = conversations.new_id() if named is None or named.id is None else named.id
        """The conversation's."""
        self._conversations = conversations
        self._record = record
        self._holds: str | None = None
        """The conversation that no other call goes on with meanwhile."""
        self._busy = False
        """Whether the store has what is to be kept, and has not said yet that it is."""
        self._was_kept = False
        """Whether it has been tried: it is not tried again."""
        self._branch: KeptResponse | None = None
        """The response behind which others have gone on already: what is said now begins a branch there."""
        self._chain: KeptResponse | None = None
        """The response that is gone on with, at the end of its chain."""
        self._cached: Cached | None = None
        self._along: Along | None = None
        self._request: Request | None = None
        self._fit: Fit | None = None
        self._engines: Engines | None = None
        self._size = 0
        """About how many bytes wait to be kept: what is said now, and an answer that is hardly longer."""

    @property
    def keeps(self) -> bool:
        """Whether anything is kept of it."""
        return self.wanted.keeps and self._along is not None

    @property
    def is_named(self) -> bool:
        """Whether the caller knows of the conversation: a chain of responses is known by those."""
        return self.wanted.named is not None

    @property
    def is_new(self) -> bool:
        """Whether the conversation begins with this call."""
        return self._cached is None

    @property
    def omitted(self) -> int:
        """How many turns were left out."""
        return 0 if self._fit is None else self._fit.omitted

    async def recall(self, fields: Fields, engines: Engines, size: int) -> None:
        """Waits for its turn, and puts what goes along into a request that has been checked and came in `size` bytes. Raises
        ConversationLocked, UnknownConversation, UnknownResponse, HistoryUnavailable, ContextTooLong, and InvalidRequest for what
        can't be said here.
        """
        wanted, self._engines, self._size = self.wanted, engines, 2 * size
        named = wanted.named
        if wanted.previous is not None:
            self._cached = await self._recall_response(wanted.previous)
        elif named is None or named.id is None:
            self._take(self.id)
        else:
            key = key_of(wanted.project, named.id)
            await self._conversations.locks.take(key, wanted.limits.wait_s if named.waits else 0)
            self._holds = key
            self._cached = await self._conversations.recall(wanted.project, named.id, self._wants_all)
        try:
            said = wanted.dialect.said(fields, self._resolve)
            regenerates = named is not None and named.regenerates
            self._along = along(wanted.dialect, fields, said, self._cached, regenerates=regenerates, adds=engines.adds)
        except InvalidRequest:
            if wanted.must:
                raise  # else an engine may take what can't be kept
        if self._along is None or not wanted.state:
            engines.adds(fields)
        elif self._cached is None:
            self._along.use(1)
        else:
            await self._choose(self._cached, self._along, engines)

    async def open(self, opening: Callable[[Asked], Awaitable[Opened]], asked: Asked) -> Opened:
        """What `opening` gives, which sends the request; with fewer turns as long as an engine finds them too many."""
        while True:
            try:
                opened = await opening(asked)
            except ContextTooLong:
                engines, request, sent = self._engines, self._request, self._fit
                if engines is None or request is None or sent is None:
                    raise
                path = self.wanted.dialect.path
                fewer = fit_again(request, sent, engines.deployment, engines.estimates, path=path)
                if fewer is None:
                    raise
                self._use(fewer)
            else:
                if self._along is not None:
                    self._along.fields = {}  # a long prompt must not stay in memory for as long as its answer takes
                return opened

    def gatherer(self) -> Gathered:
        """What the answer's stream is gathered in."""
        return self.wanted.dialect.gathers(JSON_TIMES * self.wanted.limits.max_item_bytes)

    async def keep(self, answer: dict[str, Any], size: int, *, cut: bool = False) -> bool:
        """Keeps question and answer, which came in `size` bytes: they are on the disk when this returns. False for an answer that
        was cut before it began, of which nothing is kept. Raises HistoryUnavailable, ConversationFull, UnknownConversation when
        it has been deleted meanwhile, ConversationLocked when it has been gone on with elsewhere and this makes no sense behind
        that; one of `UNREADABLE` for what is no answer.
        """
        dialect = self.wanted.dialect
        ended = not cut and dialect.has_ended(answer)
        turn = self._turn(answer, size, cut=cut or dialect.is_cut(answer), ended=ended)
        if not says_something(turn.answer):
            if not ended:
                return False
            # Its caller is told its end: it is an answer, and what is said next comes after one.
            turn = replace(turn, answer=dialect.items_of(answer, cut=False) or [message("assistant", "")])
        if self._branch is not None and len(self._stored) > MOST_AT_ONCE:
            making = ResponseBranch(self._branch, limits=self.wanted.limits, now=time())
            made = await self._conversations.store.keep_in_steps(making)
            self._branch, turn = None, replace(turn, conversation=made.id, behind=None)
        self._busy = self._was_kept = True
        try:
            how, within_s = keeping(turn, self._branch, self._chain), self.wanted.within_s
            kept = await self._conversations.store.keep(how, self._size, left=self._release, within_s=within_s)
        except Exception:  # who is cancelled has it kept all the same
            self._busy = False
            raise
        self._busy = False
        self._tell(kept)
        return True

    def close(self, gathered: Gathered | None = None) -> None:
        """The call is over. What was `gathered` of an answer whose end has not come is kept, and the conversation is free for the
        next call: at once, or when that is done.
        """
        try:
            if gathered is not None and self._along is not None and not self._was_kept:
                self._keep_cut(gathered)
        finally:
            if not self._busy:
                self._release()

    # Whose turn it is, and what there is.

    def _take(self, conversation_id: str) -> bool:
        key = key_of(self.wanted.project, conversation_id)
        if not self._conversations.locks.try_take(key):
            return False
        self._holds = key
        return True

    def _release(self) -> None:
        self._busy = False
        if self._holds is not None:
            self._conversations.locks.give_back(self._holds)
            self._holds = None

    def _wants_all(self, conversation: Conversation) -> bool:
        window = None if self._engines is None else self._engines.deployment.context_tokens
        known = Known(conversation.first_turn, conversation.window)
        return wants_all(known, window, truncates=self.wanted.truncates)

    async def _recall_response(self, response_id: str) -> Cached:
        """What a response stands on. It is gone on with where it is the last of a chain, and nobody else does so; else what is
        said now becomes a branch behind it.
        """
        project, conversations = self.wanted.project, self._conversations
        found = await conversations.response(project, response_id)
        if found is None:
            raise unknown_response(response_id, param="previous_response_id")
        chain = found.conversation
        holds = self.wanted.keeps and not chain.listed and found.is_last and self._take(chain.id)
        try:
            cached = await conversations.recall(
                project, chain.id, lambda now: self._wants_all(now) or now.places != found.end_place
            )
        except UnknownConversation:
            raise unknown_response(response_id, param="previous_response_id") from None
        if holds and cached.loaded.conversation.places == found.end_place:
            self.id, self._chain = chain.id, found
            return cached
        self._release()
        self._branch = found
        return up_to(cached, found.end_place)

    def _resolve(self, item_id: str) -> Item | None:
        return next((each.body for each in self._stored if each.id == item_id), None)

    @property
    def _stored(self) -> tuple[Stored, ...]:
        return () if self._cached is None else self._cached.loaded.items

    # What goes along.

    async def _choose(self, cached: Cached, goes: Along, engines: Engines) -> None:
        whole = cached.whole and self._wants_all(cached.loaded.conversation)
        self._request = request = goes.request(whole=whole, truncates=self.wanted.truncates)
        self._use(
            await fit(
                request,
                engines.deployment,
                engines.estimates,
                path=self.wanted.dialect.path,
                model=engines.model,
                fields_from=goes.fields_from,
            )
        )

    def _use(self, chosen: Fit) -> None:
        self._fit = chosen
        if self._along is not None:
            self._along.use(chosen.first_turn)

    # What is kept.

    def _turn(self, answer: dict[str, Any], size: int, *, cut: bool, ended: bool = False) -> Turn:
        goes = self._along
        if goes is None:
            raise ValueError("nothing was said yet")
        return new_turn(self.wanted, goes, Answered(answer, size, self._record.usage, cut, ended), self._fit, self.id)

    def _keep_cut(self, gathered: Gathered) -> None:
        """Keeps an answer whose end has not come, if it has begun."""
        try:
            turn = self._turn(gathered.answer(), gathered.size, cut=True)
        except UNREADABLE:  # an engine may say anything
            return
        if says_something(turn.answer):
            self._busy = self._was_kept = True
            how = keeping(turn, self._branch, self._chain)
            self._conversations.store.keep_later(how, self._size, then=self._release)

    def _tell(self, kept: Kept) -> None:
        """The next call finds in memory what this one has read and said."""
        goes, request = self._along, self._request
        if goes is not None and kept.conversation.id == self.id:  # no branch
            sent = Sent(self._record.deployment, None if request is None else request.rest.bytes, goes.prefix)
            self._conversations.kept(kept, self._cached, goes.stored, sent)
        self.id = kept.conversation.id
