"""The store that the benchmark fills is one that the gateway takes for its own."""

from __future__ import annotations

import time
from pathlib import Path

from bench.full_store import fill

from hayate.access.key_ring import KeyRing
from hayate.access.key_source import SqliteKeys
from hayate.access.keys import digest_of
from hayate.settings import Keeping
from hayate.store.store import FILE, Store
from hayate.store.usage import Filter, used


def test_its_keys_are_known_and_its_calls_add_up(tmp_path: Path) -> None:
    keys = fill(tmp_path / "data", 5, 33)
    source = SqliteKeys(tmp_path / "data" / FILE)
    ring = KeyRing(source, now=time.monotonic, wall_clock=time.time, stale_s=0)
    principals = [ring.find(key.encode(), digest_of(key.encode())) for key in keys]
    source.close()
    assert all(each is not None and each.terms.limits.tokens_per_minute for each in principals)
    store = Store.open(tmp_path / "data", Keeping())
    try:
        with store.engine.connect() as connection:
            found = used(connection, "key", Filter())
    finally:
        store.close()
    assert sum(each.calls for each in found) == 33
    assert {each.name for each in found} == {each.id for each in principals if each}
