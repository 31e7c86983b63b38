"""The database of one data folder, opened: who writes to it, and how it is read.

Readers have connections of their own and never wait for the writer, nor it for them. What takes longer than a look-up
is read in a thread, off the loop.
"""

from __future__ import annotations

import asyncio
import sqlite3
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

FAULTS: Final = (SQLAlchemyError, sqlite3.Error, OSError, TimeoutError)
"""What the file is to blame for, not who reads or changes it."""

Result = TypeVar("Result")


class Store:
    """One per process. It is an observer of ended calls (`telemetry.calls`)."""

    def __init__(self, path: Path, engine: Engine, keeping: Keeping) -> None:
        self._is_gone = False
        """Whether that has been said."""
        self.path = path
        self.engine = engine
        self.retention = Retention(keeping.calls_days)
        self.writer = Writer(path, engine, keeping.max_waiting_calls, self.retention.step)
        self.writer.start()

    @classmethod
    def open(cls, folder: Path, keeping: Keeping) -> Store:
        """The store of a data folder, made or brought to this release's tables. Raises StoreRefused."""
        path = (
            folder / keeping.file
        ).resolve()  # what SQLite keeps beside it is beside the file, not beside a link to it
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
        future = self.writer.change(how)
        made = asyncio.wrap_future(future)
        try:
            try:
                await asyncio.wait((made,), timeout=CHANGE_S)
            finally:
                given_up = future.cancel()  # unless it is being made, or has been
            if given_up:
                raise TimeoutError("the thread that writes is busy")
            result = (
                await made
            )  # what is being made can't be taken back: its end is not far, and it is that which is told
        except FAULTS as error:
            raise self._gone(error) from None
        self._is_gone = False
        return result

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
                result = how(connection)
        except FAULTS as error:
            raise self._gone(error) from None
        self._is_gone = False
        return result

    def _gone(self, error: Exception) -> StoreGone:
        if not self._is_gone:
            self._is_gone = True
            log_event("store_unreachable", path=str(self.path), reason=str(getattr(error, "orig", None) or error))
        return StoreGone(
            "The gateway's database can't be reached at the moment; nothing was changed. Its log says why. Try again shortly.",
            "ゲートウェイのデータベースを現在利用できません。変更は行われていません。原因はログにあります。"
            "しばらくしてからもう一度お試しください。",
            retry_after_s=2,
        )


def make_ready(path: Path) -> Engine:
    """An engine on the file, which is made or brought to this release's tables; what was changed is logged. Raises StoreRefused."""
    engine, copy = open_file(path)
    if copy is not None:
        log_event("store_migrated", path=str(path), copy=str(copy))
    return engine
