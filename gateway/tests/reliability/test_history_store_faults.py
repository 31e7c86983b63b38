"""RELIABILITY: the store fails in the middle of a conversation: its disk is full, another program holds it, it is removed, its
folder is gone. Whoever names a conversation is told so in place of the end, and nothing is forgotten silently; calls without one
go on; afterwards conversations go on, with all that anybody saw the end of.
"""

from __future__ import annotations

import asyncio
import sqlite3
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractContextManager, asynccontextmanager, closing, contextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest

from hayate.store.conversations import load
from hayate.store.kept_responses import response
from hayate.store.sqlite import BUSY_S
from tests.reliability.test_store_faults import (
    ON_A_SMALL_DISK,
    PARTS,
    House,
    away,
    can_mount,
    held,
    house,
    no_room_in_a_file,
    no_room_on_the_disk,
)
from tests.support.engine_script import Request, Script, until
from tests.support.remembered import Line, line_of
from tests.support.tongues import ALL, CHAT, GENERATE, RESPONSES, Told, answered, asked, call, said_before
from tests.support.waiting import eventually

pytestmark = pytest.mark.anyio

Fault = Callable[[House], AbstractContextManager[None]]
WAYS = [(path, streams) for path in ALL for streams in (False, True) if streams or path != GENERATE]
"""In every dialect, whole and streamed."""
OURS = "番"
"""In what is said in conversations."""
FIRST_EVENTS = 4


@dataclass
class Party:
    """Conversations, one of each way, in which is talked at the same time."""

    house: House
    go: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when the engine may end its answers."""
    ids: dict[tuple[str, bool], str] = field(default_factory=dict)
    told: dict[tuple[str, bool], list[Line]] = field(default_factory=lambda: {way: [] for way in WAYS})
    """What was said in turns of which the end was told."""
    responses: dict[str, bool] = field(default_factory=dict)
    """Those that nobody goes on from, and whether they said that they are kept."""
    rounds: int = 0

    def answer(self, request: Request) -> Script:
        words = said_before(request)[-1]
        steps = [*answered(request, ["はい", "。", words])]
        if OURS in words:
            steps.insert(2 * FIRST_EVENTS if request.asks_for_stream else 0, until(self.go))
        return steps

    async def say(self) -> list[Told]:
        """The next turn in each; what was told."""
        self.rounds += 1
        words = f"{self.rounds}{OURS}"
        return [*await asyncio.gather(*(self._say(way, words) for way in WAYS))]

    async def begin_saying(self) -> asyncio.Task[list[Told]]:
        """The same, once every answer has begun; it does not end before `go`."""
        self.go.clear()
        saying = asyncio.create_task(self.say())
        await eventually(lambda: self.house.engine.open == len(WAYS) or saying.done())
        return saying

    async def _say(self, way: tuple[str, bool], words: str) -> Told:
        (path, streams), told, named = way, Told(), self.ids.get(way, "new")
        before = self.told[way]
        await call(self.house.gateway.url, path, asked(path, words, stream=streams, conversation=named), told)
        if told.ended:
            assert told.text == f"はい。{words}"
            self.ids.setdefault(way, told.conversation)
            turn = 1 + (before[-1][0] if before else 0)
            before += [(turn, "user", words), (turn, "assistant", told.text)]
            prompts = [said_before(each) for each in self.house.engine.requests]
            assert [each[2] for each in before[:-1]] in prompts, "it was not told what is kept"
        else:
            assert told.failure
            assert told.status == (200 if told.text else 503)
        return told

    async def end(self) -> list[Told]:
        """Once no call fails any more."""
        told: list[Told] = []

        async def is_so() -> bool:
            told[:] = await self.say()
            return all(each.ended for each in told)

        await eventually(is_so)
        return told

    def check(self) -> None:
        """What is kept is what was told to have ended, and nothing else."""
        with self.house.copied() as file, closing(sqlite3.connect(file)) as connection:
            assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
            for way, lines in self.told.items():
                loaded = load(connection, "default", self.ids[way], whole=True)
                assert loaded is not None
                assert [line_of(each.turn, each.body) for each in loaded.items] == lines, way
            for each, stored in self.responses.items():
                assert (response(connection, "default", each) is not None) == stored
            count = "SELECT count(*) FROM conversations WHERE listed"
            assert connection.execute(count).fetchone() == (len(WAYS),)

    async def nothing_begins(self, chained: str) -> None:
        """No new conversation, and no response that is wanted to be kept or goes on from one that is."""
        url = self.house.gateway.url
        begins = [(path, asked(path, "hi", stream=streams, conversation="new")) for path, streams in WAYS]
        begins += [
            (RESPONSES, asked(RESPONSES, "hi", store=True)),
            (RESPONSES, asked(RESPONSES, "hi", previous_response_id=chained)),
        ]
        told = [Told() for _ in begins]
        await asyncio.gather(*(call(url, *each, into) for each, into in zip(begins, told, strict=True)))
        for each in told:
            assert (each.ended, each.status) == (False, 200 if each.text else 503)
            assert each.status == 200 or not each.conversation

    async def plain_calls_go_on(self) -> None:
        """Those that name no conversation; responses say whether they are kept."""
        told = [Told() for _ in WAYS]
        url = self.house.gateway.url
        calls = (
            call(url, path, asked(path, "hi", stream=streams), into)
            for (path, streams), into in zip(WAYS, told, strict=True)
        )
        await asyncio.gather(*calls)
        for (path, _), each in zip(WAYS, told, strict=True):
            assert (each.text, each.ended, each.failure) == ("はい。hi", True, "")
            if path == RESPONSES:
                self.responses[each.response] = each.stored is True


@asynccontextmanager
async def party(*through: str, **more: Any) -> AsyncIterator[Party]:
    async with house(*through, **more) as found:
        each = Party(found)
        found.engine.script = each.answer
        each.go.set()
        assert all(told.ended for told in await each.say())
        each.check()
        yield each


@contextmanager
def held_by_another(each: House) -> Iterator[None]:
    with held(each.data / "hayate.db"):
        yield


@contextmanager
def folder_away(each: House) -> Iterator[None]:
    with away(each.data):
        yield


FAULTS: dict[str, tuple[Fault, tuple[str, ...]]] = {
    "a full disk": (no_room_on_the_disk, ON_A_SMALL_DISK),
    "a limit on files": (no_room_in_a_file, ()),
    "a lock": (held_by_another, ()),
    "no folder": (folder_away, ()),
}

SOME_ROOM = (no_room_on_the_disk, no_room_in_a_file)
"""A little may find a place all the same, where something was before."""


@pytest.mark.parametrize("fault", FAULTS)
async def test_who_names_a_conversation_is_told_that_it_can_not_be_kept(fault: str) -> None:
    fails, through = FAULTS[fault]
    if through and not can_mount():
        pytest.skip("no namespace of one's own: nothing can be mounted")
    async with party(*through) as each:
        chained = Told()
        await call(each.house.gateway.url, RESPONSES, asked(RESPONSES, "hi"), chained)
        saying = await each.begin_saying()
        with fails(each.house):
            if fails in SOME_ROOM:
                await each.house.failing(trying=True)
            each.go.set()
            told = [*await saying, *await each.say()]
            assert not all(each.ended for each in told)
            if fails not in SOME_ROOM:
                assert not any(each.ended for each in told)
                await each.nothing_begins(chained.response)
            await each.plain_calls_go_on()
        await each.end()
        await each.plain_calls_go_on()
        each.check()
        again = Told()
        await call(
            each.house.gateway.url, RESPONSES, asked(RESPONSES, "hi", previous_response_id=chained.response), again
        )
        assert again.ended
        assert said_before(each.house.engine.requests[-1]) == ["hi", "はい。hi", "hi"]


@pytest.mark.parametrize("parts", [PARTS[:1], PARTS], ids=["the file", "all three"])
async def test_what_was_told_is_there_again_when_the_file_was_removed(parts: tuple[str, ...]) -> None:
    async with party() as each:
        await each.say()
        saying = await each.begin_saying()
        for part in parts:
            (each.house.data / part).unlink()
        each.go.set()
        for told in await saying:
            assert told.ended or "history_unavailable" in told.failure or "database" in told.failure
        await each.end()
        assert len(each.house.said("store_restored")) == 1
        each.check()


async def test_a_lock_of_a_moment_is_waited_for() -> None:
    async with party() as each:

        async def is_short() -> bool:
            saying = await each.begin_saying()
            with held_by_another(each.house):
                held_at = time.monotonic()
                each.go.set()
                await asyncio.sleep(0.3)
                assert not any(each.told[way][-1][2].endswith(f"{each.rounds}{OURS}") for way in WAYS)
                told = Told()
                await call(each.house.gateway.url, CHAT, asked(CHAT, "hi", stream=True), told)
                assert told.ended
            told_all = all(told.ended for told in await saying)
            lasted = time.monotonic() - held_at
            assert told_all or lasted > BUSY_S
            return told_all

        await eventually(is_short)
        each.check()
