"""The database of one data folder, opened: who writes to it, and how it is read.

Readers have connections of their own and never wait for the writer, nor it for them. What takes longer than a look-up
is read in a thread, off the loop.
"""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from pathlib import Path
from typing import Any, Final, TypeVar

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import SQLAlchemyError

from hayate.errors import HistoryUnavailable, StoreGone
from hayate.settings import History, Keeping
from hayate.store.awaited import TooManyWait
from hayate.store.conversations import Conversation
from hayate.store.housekeeping import Housekeeping
from hayate.store.making import Making
from hayate.store.migrate import open_file
from hayate.store.quick import TakesLong
from hayate.store.reading import Reading
from hayate.store.spare import Spare
from hayate.store.turns import LIMITS
from hayate.store.writer import Writer
from hayate.telemetry.log import log_event
from hayate.telemetry.record import CallRecord

FILE: Final = Keeping.file
CHANGE_S: Final = 10.0
"""How long somebody waits for a change of theirs to be kept."""
RECALL_S: Final = 10.0
"""How long somebody waits for what is read of a conversation."""
CLOSE_S: Final = 5.0
"""How long the end waits for what is still queued."""

FAULTS: Final = (SQLAlchemyError, sqlite3.Error, OSError, TimeoutError)
"""What the file is to blame for, not who reads or changes it."""

Result = TypeVar("Result")


class Store:
    """One per process. It is an observer of ended calls (`telemetry.calls`)."""

    def __init__(self, path: Path, engine: Engine, keeping: Keeping, history: History) -> None:
        self._is_gone = False
        """Whether that has been said."""
        self.path = path
        self.engine = engine
        self.housekeeping = Housekeeping(keeping, history)
        self.writer = Writer(path, engine, keeping.max_waiting_calls, self.housekeeping.step)
        self.writer.start()
        self._reading = Reading(path)

    @classmethod
    def open(cls, folder: Path, keeping: Keeping, history: History = LIMITS) -> Store:
        """The store of a data folder, made or brought to this release's tables. Raises StoreRefused."""
        path = (
            folder / keeping.file
        ).resolve()  # what SQLite keeps beside it is beside the file, not beside a link to it
        return cls(path, make_ready(path), keeping, history)

    def configure(self, keeping: Keeping, history: History = LIMITS) -> None:
        """What a reload may change."""
        self.housekeeping.configure(keeping, history)
        self.writer.max_rows = keeping.max_waiting_calls

    def calls_ended(self, batch: Sequence[CallRecord]) -> None:
        """Queues their rows."""
        self.writer.put(batch)

    async def change(self, how: Callable[[Connection], Result]) -> Result:
        """What `how` gives, in a transaction that is kept by then. Raises StoreGone, and what `how` raises."""
        try:
            result = await _made(self.writer.change(how))
        except FAULTS as error:
            raise self._gone(error) from None
        self._is_gone = False
        return result

    def change_later(self, how: Callable[[Connection], object]) -> None:
        """The same of what nobody waits for, or misses when it can't be kept."""
        self.writer.change(how)

    async def keep(
        self,
        how: Callable[[sqlite3.Connection], Result],
        size_bytes: int = 0,
        *,
        left: Callable[[], None] | None = None,
        within_s: float | None = None,
    ) -> Result:
        """What `how` gives, in a transaction that is on the disk by then; `size_bytes`: about how much it keeps. Who is cancelled
        while it waits has it kept all the same: then `left` is called, on the loop, when that is over. With `within_s` it is not
        kept at all unless it has begun by then. Raises HistoryUnavailable, and what `how` raises.
        """
        spare = None if within_s is None else Spare(how, within_s)
        try:
            result = await _made(self.writer.keep(spare or how, size_bytes), self._told(left), spare)
        except (*FAULTS, TooManyWait) as error:
            raise self._unavailable(error) from None
        self._is_gone = False
        return result

    async def keep_in_steps(self, making: Making) -> Conversation:
        """A conversation that is made in several steps; others' turns are kept in between. When one fails, none of it is left.
        Raises HistoryUnavailable, and what a step raises.
        """
        try:
            while (made := await self.keep(making)) is None:
                pass
        except BaseException:
            self.keep_later(making.undo)
            raise
        return made

    def keep_later(
        self,
        how: Callable[[sqlite3.Connection], object],
        size_bytes: int = 0,
        *,
        then: Callable[[], None] | None = None,
    ) -> None:
        """The same for who can't wait; that it failed, whatever the reason, is in the log. `then` is called, on the loop, when it
        is over.
        """
        try:
            self.writer.keep(how, size_bytes).add_done_callback(self._told(then))
        except TooManyWait as error:
            log_event("turn_not_kept", path=str(self.path), reason=_reason(error))
            if then is not None:
                then()

    async def recall(self, how: Callable[[sqlite3.Connection], Result], *, long: bool = False) -> Result:
        """What `how` reads, all of it of one moment: on the event loop, unless it is `long` or finds that it is (`quick`), and then
        in a thread. Raises HistoryUnavailable, and what `how` raises.
        """
        try:
            result = await self._recalled(how, long=long)
        except FAULTS as error:
            raise self._unavailable(error) from None
        self._is_gone = False
        return result

    def glance(self, how: Callable[[sqlite3.Connection], Result]) -> Result | None:
        """What the one statement of `how` reads, on the event loop; None when it can't be read just now."""
        try:
            return self._reading.at_a_glance(how)
        except FAULTS:  # who needs more than a glance is told
            return None

    async def read(self, how: Callable[[Connection], Result]) -> Result:
        """What `how` gives, read in a thread. Raises StoreGone."""
        return await asyncio.to_thread(self._read, how)

    def close(self) -> None:
        """Writes what is queued. Blocks for at most CLOSE_S."""
        self.writer.close(CLOSE_S)
        self.housekeeping.end()
        self._reading.close()
        self.engine.dispose()

    def _read(self, how: Callable[[Connection], Result]) -> Result:
        try:
            with self.engine.connect() as connection:
                result = how(connection)
        except FAULTS as error:
            raise self._gone(error) from None
        self._is_gone = False
        return result

    async def _recalled(self, how: Callable[[sqlite3.Connection], Result], *, long: bool) -> Result:
        if not long:
            try:
                return self._reading.on_loop(how)
            except (TakesLong, sqlite3.OperationalError):  # a lock, among others, is waited for in a thread
                pass
        async with asyncio.timeout(RECALL_S):
            return await asyncio.to_thread(self._reading.in_thread, how)

    def _told(self, then: Callable[[], None] | None) -> Callable[[Future[Any]], None]:
        """What is told of something that nobody waits for any more, and who is told."""
        if then is None:
            return self._tell_unkept
        loop = asyncio.get_running_loop()

        def over(future: Future[Any]) -> None:
            self._tell_unkept(future)
            with contextlib.suppress(RuntimeError):  # the loop has ended before
                loop.call_soon_threadsafe(then)

        return over

    def _tell_unkept(self, future: Future[object]) -> None:
        error = future.exception()
        if error is not None:
            log_event("turn_not_kept", path=str(self.path), reason=_reason(error))

    def _unavailable(self, error: Exception) -> HistoryUnavailable:
        self._tell_gone(error)
        return HistoryUnavailable(
            "The gateway's database can't be reached at the moment, or has too much to write: the conversation can't be read, "
            "and nothing was kept. "
            "Calls that name no conversation go on. Try again shortly.",
            "ゲートウェイのデータベースを現在利用できないか、書き込みが追いついていないため、会話を読み込めず、保存も行われていません。"
            "会話を指定しないリクエストは利用できます。しばらくしてからもう一度お試しください。",
            retry_after_s=2,
        )

    def _tell_gone(self, error: Exception) -> None:
        if not self._is_gone:
            self._is_gone = True
            log_event("store_unreachable", path=str(self.path), reason=_reason(error))

    def _gone(self, error: Exception) -> StoreGone:
        self._tell_gone(error)
        return StoreGone(
            "The gateway's database can't be reached at the moment; nothing was changed. Its log says why. Try again shortly.",
            "ゲートウェイのデータベースを現在利用できません。変更は行われていません。原因はログにあります。"
            "しばらくしてからもう一度お試しください。",
            retry_after_s=2,
        )


async def _made(
    future: Future[Result],
    left: Callable[[Future[Any]], None] | None = None,
    spare: Spare[Result] | None = None,
) -> Result:
    """What the thread that writes gives, or raises. Raises TimeoutError when it has not begun after CHANGE_S, or when the file of
    `spare` could not be had in its time. When who waits is cancelled, so is what has not begun; unless there is `left`, which is
    told what becomes of it.
    """
    loop = asyncio.get_running_loop()
    over = loop.create_future()  # of the loop's own, and no more around it: that would cost half as much again
    future.add_done_callback(lambda _: _tell(loop, over))
    timer = loop.call_later(CHANGE_S if spare is None else spare.within_s, _end, over)
    try:
        await over
        if not future.done():
            if future.cancel() or (spare is not None and spare.give_up()):  # unless it is being made, or has been
                raise TimeoutError("the thread that writes is busy")
            made = asyncio.wrap_future(future)  # that can't be taken back, and its end is not far
            made.add_done_callback(_looked_at)
            await asyncio.wait((made,))
    except asyncio.CancelledError:
        if left is None:
            future.cancel()
        else:
            future.add_done_callback(left)
        raise
    finally:
        timer.cancel()
    return future.result()


def _looked_at(made: asyncio.Future[Any]) -> None:
    """What it raised is told by another."""
    if not made.cancelled():
        made.exception()


def _tell(loop: asyncio.AbstractEventLoop, over: asyncio.Future[None]) -> None:
    with contextlib.suppress(RuntimeError):  # the loop is closed, and nobody waits any more
        loop.call_soon_threadsafe(_end, over)


def _end(over: asyncio.Future[None]) -> None:
    if not over.done():
        over.set_result(None)


def _reason(error: BaseException) -> str:
    """The driver's words, without what a statement was given."""
    found = getattr(error, "orig", None) or error
    if isinstance(found, sqlite3.Error | OSError | TimeoutError | TooManyWait):
        return str(found)
    return type(found).__name__


def make_ready(path: Path) -> Engine:
    """An engine on the file, which is made or brought to this release's tables; what was changed is logged. Raises StoreRefused."""
    engine, copy = open_file(path)
    if copy is not None:
        log_event("store_migrated", path=str(path), copy=str(copy))
    return engine
