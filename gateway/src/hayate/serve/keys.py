"""The keys of the store in a running gateway: followed twice a second, and what they have used of the last minute."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Final

from hayate.access.counters import Past
from hayate.access.grants import Grants
from hayate.access.key_ring import REFRESH_S, KeyRing
from hayate.access.key_source import SqliteKeys
from hayate.access.principals import Principal
from hayate.errors import GatewayError, NotAuthenticated
from hayate.policy.windows import BUCKETS
from hayate.settings import Following
from hayate.store.last_minute import lately
from hayate.store.store import Store
from hayate.telemetry.log import log_event

ENDED: Final = (
    "This key has been revoked or has expired.",
    "このAPIキーは失効したか、有効期限が切れました。",
)


class Keys:
    """One per gateway. `ends` stops the calls of a key that is no longer good; it is set when calls are there."""

    def __init__(self, store: Store, following: Following) -> None:
        self._source = SqliteKeys(store.path)
        self.ring = KeyRing(
            self._source,
            now=time.monotonic,
            wall_clock=time.time,
            stale_s=following.stale_s,
            changed=self._changed,
        )
        self.ends: Callable[[str, GatewayError], int] = lambda _, __: 0

    def configure(self, following: Following) -> None:
        """What a reload may change."""
        self.ring.stale_s = following.stale_s

    async def follow(self) -> None:
        """Looks every REFRESH_S what has changed. Ends only when cancelled."""
        while True:
            await asyncio.sleep(REFRESH_S)
            self.ring.refresh()

    def close(self) -> None:
        """Gives the connection back."""
        self._source.close()

    def _changed(self, key_id: str, principal: Principal | None) -> None:
        if principal is None:
            log_event("key_ended", key=key_id, calls_stopped=self.ends(key_id, NotAuthenticated(*ENDED)))


async def remember_last_minute(store: Store, grants: Grants) -> None:
    """What keys have used before this process began counts for a minute.

    A wall clock that was set back since makes calls count for longer. If it was set forward across the restart, by more than
    a minute, they are forgotten: nobody wrote down that it was.
    """
    await asyncio.to_thread(_remember, store, grants)
    asyncio.get_running_loop().call_later(BUCKETS, grants.forget_past)


def _remember(store: Store, grants: Grants) -> None:
    wall = time.time()
    with store.engine.connect() as connection:
        for used in lately(connection, wall, grants.now() - wall):
            grants.remember(used.key, Past(*used[1:]))
