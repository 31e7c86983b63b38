"""Minutes that are kept: each gateway's own, for a day, over a restart."""

from __future__ import annotations

import math
from pathlib import Path

from sqlalchemy import func, select

from hayate.settings import Keeping
from hayate.store.figures import AHEAD_S, KEPT_S, Minute, keep, minutes
from hayate.store.schema import figures
from hayate.store.store import Store

NOW = 1_800_000_000.0


def kept(store: Store, at: float, port: int = 8080, value: float = 1.5) -> None:
    store.writer.change(keep(port, at, {"qwen": [value, math.nan]})).result(60)


def found(store: Store, port: int = 8080, since: float = 0.0) -> list[Minute]:
    with store.engine.connect() as connection:
        return minutes(connection, port, since)


def rows(store: Store) -> int:
    with store.engine.connect() as connection:
        return int(connection.execute(select(func.count()).select_from(figures)).scalar_one())


def test_minutes_come_back_in_order_and_from_a_time_on(store: Store) -> None:
    for at in (NOW + 60, NOW, NOW + 120):
        kept(store, at)
    assert found(store) == [Minute(NOW + late, {"qwen": [1.5, None]}) for late in (0, 60, 120)]
    assert [each.at for each in found(store, since=NOW + 60)] == [NOW + 60, NOW + 120]


def test_each_gateway_on_the_folder_has_its_own(store: Store) -> None:
    kept(store, NOW)
    kept(store, NOW, port=8081, value=2.5)
    assert [each.rows["qwen"][0] for each in found(store, port=8081)] == [2.5]


def test_what_is_older_than_a_day_goes_and_what_a_wrong_clock_left_ahead(store: Store) -> None:
    for minute in range(5):
        kept(store, NOW + 60 * minute)
    kept(store, NOW + KEPT_S + 120)
    assert [each.at for each in found(store)] == [NOW + 120, NOW + 180, NOW + 240, NOW + KEPT_S + 120]
    kept(store, NOW + 300)
    assert rows(store) == 4, "what lies more than an hour ahead is gone"
    kept(store, NOW + 300 - AHEAD_S)
    assert rows(store) == 5


def test_they_are_there_after_a_restart(tmp_path: Path) -> None:
    first = Store.open(tmp_path, Keeping())
    first.change_later(keep(8080, NOW, {"qwen": [3.0]}))
    first.close()
    second = Store.open(tmp_path, Keeping())
    try:
        assert found(second) == [Minute(NOW, {"qwen": [3.0]})]
    finally:
        second.close()


def test_what_can_not_be_kept_is_not_missed(store: Store) -> None:
    kept(store, NOW)
    store.change_later(keep(8080, NOW, {"qwen": [9.0]}))  # the same minute again
    kept(store, NOW + 60)
    assert [each.rows["qwen"][0] for each in found(store)] == [1.5, 1.5]
