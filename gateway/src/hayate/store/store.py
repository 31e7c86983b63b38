"""The database of one data folder, opened: who writes to it, and how it is read.

Readers have connections of their own and never wait for the writer, nor it for them. What takes longer than a look-up
is read in a thread, off the loop.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final, TypeVar

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import SQLAlchemyError

from hayate.errors import StoreGone
from hayate.settings import Keeping
from hayate.store.migrate import open_file
from hayate.store.retention import Retention
from hayate.store.writer import Writer
from hayate.telemetry.log import log_event
from hayate.telemetry.record import CallRecord

FILE: Final = Keeping.file
CHANGE_S: Final = 10.0
"""How long somebody waits for a change of theirs to be kept."""
CLOSE_S: Final = 5.0
"""How long the end waits for what is still queued."""

Result = TypeVar("Result")


class Store:
    """One per process. It is an observer of ended calls (`telemetry.calls`)."""

    def __init__(self, path: Path, engine: Engine, keeping: Keeping) -> None:
        self.path = path
        self.engine = engine
        self.retention = Retention(keeping.calls_days)
        self.writer = Writer(path, engine, keeping.max_waiting_calls, self.retention.step)
        self.writer.start()

    @classmethod
    def open(cls, folder: Path, keeping: Keeping) -> Store:
        """The store of a data folder, made or brought to this release's tables. Raises StoreRefused."""
        path = folder / keeping.file
        return cls(path, make_ready(path), keeping)

    def configure(self, keeping: Keeping) -> None:
        """What a reload may change."""
        self.retention.days = keeping.calls_days
        self.writer.max_rows = keeping.max_waiting_calls

    def calls_ended(self, batch: Sequence[CallRecord]) -> None:
        """Queues their rows."""
        self.writer.put(batch)

    async def change(self, how: Callable[[Connection], Result]) -> Result:
        """What `how` gives, in a transaction that is kept by then. Raises StoreGone, and what `how` raises."""
        future = asyncio.wrap_future(self.writer.change(how))
        try:
            return await asyncio.wait_for(future, CHANGE_S)
        except (SQLAlchemyError, TimeoutError) as error:
            raise _gone(error) from None

    async def read(self, how: Callable[[Connection], Result]) -> Result:
        """What `how` gives, read in a thread. Raises StoreGone."""
        return await asyncio.to_thread(self._read, how)

    def close(self) -> None:
        """Writes what is queued. Blocks for at most CLOSE_S."""
        self.writer.close(CLOSE_S)
        self.engine.dispose()

    def _read(self, how: Callable[[Connection], Result]) -> Result:
        try:
            with self.engine.connect() as connection:
                return how(connection)
        except SQLAlchemyError as error:
            raise _gone(error) from None


def make_ready(path: Path) -> Engine:
    """An engine on the file, which is made or brought to this release's tables; what was changed is logged. Raises StoreRefused."""
    engine, copy = open_file(path)
    if copy is not None:
        log_event("store_migrated", path=str(path), copy=str(copy))
    return engine


def _gone(error: Exception) -> StoreGone:
    log_event("store_unreachable", reason=str(getattr(error, "orig", None) or error or type(error).__name__))
    return StoreGone(
        "The gateway's database can't be reached at the moment; nothing was changed. Its log says why. Try again shortly.",
        "ゲートウェイのデータベースを現在利用できません。変更は行われていません。原因はログにあります。"
        "しばらくしてからもう一度お試しください。",
        retry_after_s=2,
    )
