"""The keys of a running gateway follow the file, whoever writes to it; what was used just before its start counts."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import pytest
from sqlalchemy import Connection

from hayate.access import key_admin
from hayate.access.grants import Grants
from hayate.access.key_admin import KeyChange
from hayate.access.keys import MadeKey
from hayate.access.principals import Principal
from hayate.access.terms import FREE, Terms
from hayate.errors import GatewayError, KeysUnknown, NotAuthenticated, RateLimited
from hayate.serve import keys as module
from hayate.serve.keys import Keys, remember_last_minute
from hayate.settings import Following, Keeping, RateLimits
from hayate.store.store import Store
from hayate.telemetry.record import CallRecord
from hayate.wire.usage import Usage
from tests.support.waiting import eventually

pytestmark = pytest.mark.anyio

Result = TypeVar("Result")


class House:
    """A gateway's keys on a file, and somebody else who writes to the same file."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.store, self.other = Store.open(folder, Keeping()), Store.open(folder, Keeping())
        self.keys = Keys(self.store, Following())
        self.ended: list[tuple[str, GatewayError]] = []
        self.told: list[tuple[str, dict[str, Any]]] = []
        self.keys.ends = self._ends
        monkeypatch.setattr(module, "log_event", lambda event, **facts: self.told.append((event, facts)))

    def _ends(self, key_id: str, why: GatewayError) -> int:
        self.ended.append((key_id, why))
        return 3

    async def change(self, how: Callable[[Connection], Result]) -> Result:
        return await self.other.change(how)

    async def make(self, name: str = "game", terms: Terms = FREE, expires_at: float | None = None) -> MadeKey:
        now = time.time()
        made, _ = await self.change(
            lambda c: key_admin.create(c, name=name, project=None, expires_at=expires_at, terms=terms, now=now)
        )
        return made

    def find(self, made: MadeKey) -> Principal | None:
        return self.keys.ring.find(made.key.encode(), made.digest)

    @contextmanager
    def following(self) -> Iterator[None]:
        task = asyncio.get_running_loop().create_task(self.keys.follow())
        yield
        assert not task.done(), "it ends only when it is cancelled"
        task.cancel()


@pytest.fixture
async def house(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[House]:
    found = House(tmp_path, monkeypatch)
    yield found
    found.keys.close()
    found.store.close()
    found.other.close()


async def test_a_key_that_somebody_else_has_made_is_known_at_once(house: House) -> None:
    made = await house.make()
    found = house.find(made)
    assert found is not None
    assert (found.id, found.project) == (made.id, "game")


async def test_changes_and_ends_are_followed_and_calls_of_a_key_that_ended_are_stopped(house: House) -> None:
    made = await house.make()
    assert house.find(made)
    with house.following():
        await house.change(
            lambda c: key_admin.update(c, key_admin.find(c, made.id), KeyChange(terms=Terms(models=("fast",))), 1.0)
        )

        def changed() -> bool:
            found = house.find(made)
            return found is not None and found.terms.models == ("fast",)

        await eventually(changed)
        assert house.ended == []
        await house.change(lambda c: key_admin.revoke(c, key_admin.find(c, made.id), time.time()))
        await eventually(lambda: house.find(made) is None)
    ((key_id, why),) = house.ended
    assert (key_id, type(why)) == (made.id, NotAuthenticated)
    assert "revoked" in why.english
    assert house.told == [("key_ended", {"key": made.id, "calls_stopped": 3})]


async def test_a_key_whose_time_is_over_ends_its_calls_though_nobody_has_changed_anything(house: House) -> None:
    made = await house.make(expires_at=time.time() + 1)
    with house.following():
        assert house.find(made)
        await eventually(lambda: house.ended)
    assert [key_id for key_id, _ in house.ended] == [made.id]
    for _ in range(2):
        with pytest.raises(NotAuthenticated, match="expired"):
            house.find(made)


async def test_how_long_known_keys_go_on_without_the_file_can_be_changed_while_it_runs(
    house: House, tmp_path: Path
) -> None:
    made, unknown = await house.make(), await house.make("bot")
    assert house.find(made)
    (tmp_path / "hayate.db").rename(tmp_path / "elsewhere")
    house.keys.ring.refresh()
    assert house.find(made), "it is known"
    with pytest.raises(KeysUnknown):
        house.find(unknown)
    house.keys.configure(Following(stale_s=0.0))
    with pytest.raises(KeysUnknown):
        house.find(made)
    (tmp_path / "elsewhere").rename(tmp_path / "hayate.db")
    house.keys.ring.refresh()
    assert house.find(made)
    assert house.find(unknown)


async def test_what_a_key_used_just_before_the_start_counts_against_its_limits(house: House) -> None:
    record = CallRecord("r", "chat", 1.0, key="game", project="games", model="fast", status=200)
    record.ended, record.ended_at, record.usage = 2.0, time.time() - 1, Usage(10, 5, exact=True)
    record.attempts, record.deployment = 1, "qwen"
    house.store.calls_ended([record])
    await eventually(lambda: not house.store.writer.backlog)
    grants = Grants(time.monotonic)
    await remember_last_minute(house.store, grants)
    for key, is_refused in (("game", True), ("other", False)):
        terms = Terms(limits=RateLimits(requests_per_minute=1))
        grant = grants.grant(Principal(key, "games", terms=terms), RateLimits(), {})
        try:
            grant.enter(grants.now())
        except RateLimited:
            assert is_refused
        else:
            assert not is_refused
