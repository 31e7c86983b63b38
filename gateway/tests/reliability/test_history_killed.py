"""RELIABILITY: `kill -9` at any moment under conversations that are talked in. Of whatever a client saw the end, both halves are
there, once and in their order; of the rest nothing, or all, or a part that is marked. Nothing else is there, search finds that and
nothing else, and what was talked about is gone on with.
"""

from __future__ import annotations

import asyncio
import random
import signal
import sqlite3
from collections import Counter
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from hayate.store.conversations import Loaded, load
from hayate.store.kept_responses import response
from hayate.store.search import MAX_NEW, search
from hayate.store.search_upkeep import Upkeep
from tests.support.fake_engine import running_engine
from tests.support.gateway import KEY, RunningGateway, running_gateway
from tests.support.http import fetch
from tests.support.nursery import run
from tests.support.remembered import line_of
from tests.support.scene import settings
from tests.support.stages import FORGIVING
from tests.support.talk_states import CUT, State, Talk, agrees
from tests.support.talkers import ENDED, Listener, Talker
from tests.support.talks import TALKS
from tests.support.waiting import eventually

pytestmark = pytest.mark.anyio

TALKERS = 20
CHAINS = 4
"""So many of them go on from response to response."""
MOST_CALLS, MOST_S = 100, 0.01
"""It is killed when so many calls have come to their end, at most, and so long after that."""
PROJECT = "default"
GONE = (ConnectionError, asyncio.IncompleteReadError)


async def until_killed(gateway: RunningGateway, listener: Listener, talkers: list[Talker], seen: Counter[str]) -> None:
    kill_at = seen[ENDED] + random.randint(0, MOST_CALLS)
    tasks = [asyncio.ensure_future(each.talk(gateway.url, listener)) for each in talkers]
    await eventually(lambda: seen[ENDED] >= kill_at or any(each.done() for each in tasks))
    await asyncio.sleep(random.uniform(0, MOST_S))
    await gateway.stop(signal.SIGKILL)
    for ended in await asyncio.gather(*tasks, return_exceptions=True):
        if isinstance(ended, BaseException) and not isinstance(ended, GONE):
            raise ended


def lines_in(loaded: Loaded, end_place: int | None = None) -> State:
    return tuple(line_of(each.turn, each.body) for each in loaded.items if end_place is None or each.place <= end_place)


class Look:
    """The file after a kill, as whoever opens it first finds it. `before`: the conversations as they were then."""

    def __init__(self, connection: sqlite3.Connection, before: dict[str, int], seen: Counter[str]) -> None:
        self._connection = connection
        self._seen = seen
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        assert connection.execute("PRAGMA foreign_key_check").fetchall() == []
        connection.execute("INSERT INTO items_fts (items_fts) VALUES ('integrity-check')")
        self.listed: dict[str, int] = dict(
            connection.execute(
                "SELECT id, version FROM conversations WHERE listed AND project = ?", (PROJECT,)
            ).fetchall()
        )
        """The versions of the conversations that callers see."""
        changed = [each for each, version in self.listed.items() if before.get(each) != version]
        self._changed = {each: self.lines(each) for each in changed}
        self._gone = before.keys() - self.listed.keys()

    def lines(self, conversation: str) -> State:
        loaded = load(self._connection, PROJECT, conversation, whole=True)
        assert loaded is not None
        return lines_in(loaded)

    def at(self, talkers: list[Talker]) -> None:
        """All that they have talked about, and nothing else."""
        self._index()
        for talker in talkers:
            for talk in talker.talks:
                if talker.by_response:
                    self._at_chain(talk)
                else:
                    self._at(talk)
            for word, talk in talker.words:
                is_there = not talker.by_response and any(word in words for _, _, words in talk.known or ())
                found = [each.conversation for each in search(self._connection, PROJECT, word, limit=5)]
                assert found == ([talk.id] if is_there else []), f"{word} in {talk}"
        assert not self._changed, "nobody talked in these"
        assert not self._gone, "these nobody has deleted"

    def _index(self) -> None:
        """What is said is found before it is in the index, unless very much is; a gateway that lives for so short a time may be
        behind with it, and the next one goes on from there.
        """
        upkeep = Upkeep()
        while self._connection.execute("SELECT count(*) FROM unsearched").fetchone()[0] > MAX_NEW:
            upkeep.step(self._connection)

    def _at(self, talk: Talk) -> None:
        if not talk.id and talk.first:  # its name was never told
            named = [each for each, lines in self._changed.items() if lines and lines[0][2] == talk.first]
            talk.id = named[0] if named else ""
        if talk.told_gone or (talk.asked_gone and talk.id not in self.listed):
            assert talk.id not in self.listed
            self._gone.discard(talk.id)
            talk.states, talk.told_gone = {()}, True
            return
        lines = self._changed.pop(talk.id, None)
        if lines is None:
            lines = self.lines(talk.id) if talk.id in self.listed else ()
        before = talk.states
        assert talk.saw(lambda state: agrees(state, lines)), f"{lines} is none of {before}"
        if len(before) > 1:
            is_part = bool(lines) and lines[-1][2].endswith(CUT)
            least = min(len(each) for each in before)
            self._seen["a part" if is_part else "nothing" if len(lines) == least else "whole"] += 1

    def _at_chain(self, talk: Talk) -> None:
        if not talk.id:
            return
        found = response(self._connection, PROJECT, talk.id)
        assert found is not None
        assert not found.conversation.listed
        loaded = load(self._connection, PROJECT, found.conversation.id, whole=True)
        assert loaded is not None
        lines = lines_in(loaded, found.end_place)
        assert talk.saw(lambda state: agrees(state, lines)), f"{lines} is not {talk.states}"


@pytest.mark.parametrize("moments", [4, pytest.param(100, marks=pytest.mark.slow)], ids=["quick", "slow"])
async def test_a_kill_at_any_moment_leaves_every_turn_whole_or_marked_and_in_order(
    tmp_path: Path, moments: int
) -> None:
    env: dict[str, Any] = {"HAYATE_DATA": str(tmp_path / "data")}
    file = tmp_path / "data" / "hayate.db"
    seen, listener = Counter[str](), Listener()
    talkers = [Talker(number, number >= TALKERS - CHAINS, seen) for number in range(TALKERS)]
    listed: dict[str, int] = {}
    settled: dict[str, State] = {}
    async with running_engine(listener) as engine:
        config = settings(engine.url, health=FORGIVING, context_tokens=1_000_000)
        for _ in range(moments):
            async with running_gateway(env, config=config) as gateway:
                await gateway.ready()
                await until_killed(gateway, listener, talkers, seen)
            with closing(sqlite3.connect(file, isolation_level=None)) as connection:
                look = Look(connection, listed, seen)
                look.at(talkers)
                listed = look.listed
            for talker in talkers:
                for talk in talker.talks:
                    if talk.id in listed:
                        settled[talk.id] = talk.known or ()
                    else:
                        settled.pop(talk.id, None)
                talker.talks = [each for each in talker.talks[-1:] if each.known and not each.told_gone]
                talker.words.clear()
        done = await asyncio.to_thread(run, ["db", "check"], {**env, "PATH": "/usr/bin:/bin"}, tmp_path)
        assert done.returncode == 0, done.stderr
        async with running_gateway(env, config=config) as gateway:
            await gateway.ready()
            for conversation, lines in random.sample([*settled.items()], min(20, len(settled))):
                query = "items?order=asc&limit=100"
                reply = await fetch(gateway.url, f"{TALKS}/{conversation}/{query}", key=KEY)
                assert [line_of(0, each)[1:] for each in reply.json["data"]] == [each[1:] for each in lines]
    with closing(sqlite3.connect(file)) as connection:
        look = Look(connection, {}, seen)
        assert {each: look.lines(each) for each in look.listed} == settled
    print(f"{moments} kills: {dict(seen)}; {len(settled)} conversations")
    assert seen[ENDED] > 5 * moments, "hardly anybody talked: it shows nothing"
    assert seen["nothing"] > moments, "hardly anything was under way"
