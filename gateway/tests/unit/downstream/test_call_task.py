"""The task of a call: a fault of ours is logged and answered, a drain that is over is answered and no fault."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator

import pytest

from hayate.downstream.stream import ClientStream, Endpoint
from tests.unit.downstream.test_direct_stream import Connection, stream

pytestmark = pytest.mark.anyio


class Kept(logging.Handler):
    """Keeps what is logged."""

    def __init__(self) -> None:
        super().__init__()
        self.records: list[logging.LogRecord] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.records.append(record)


@pytest.fixture
def log() -> Iterator[list[logging.LogRecord]]:
    """What is logged of faults, whatever other tests have made of the logger."""
    logger, kept = logging.getLogger("uvicorn.error"), Kept()
    level, disabled = logger.level, logger.disabled
    logger.addHandler(kept)
    logger.setLevel(logging.ERROR)
    logger.disabled = False
    try:
        yield kept.records
    finally:
        logger.removeHandler(kept)
        logger.setLevel(level)
        logger.disabled = disabled


def endpoint(error: BaseException | None, *, begun: bool) -> Endpoint:
    """One that raises, or waits for ever, before or after its answer has begun."""

    async def serve(call: ClientStream) -> None:
        if begun:
            await call.start(200, [])
            call.flush()
        if error is not None:
            raise error
        await asyncio.Event().wait()

    return serve


@pytest.mark.parametrize(("begun", "ended"), [(False, "turned away: 500"), (True, "close")])
async def test_a_fault_of_ours_is_logged_and_answered(begun: bool, ended: str, log: list[logging.LogRecord]) -> None:
    connection = Connection()
    stream(connection, endpoint(KeyError("a fault of ours"), begun=begun)).begin()
    await asyncio.gather(*connection.tasks)
    assert connection.ended[0] == ended
    assert not connection.tasks
    (record,) = log
    assert record.exc_info is not None
    assert "a fault of ours" in str(record.exc_info[1])


@pytest.mark.parametrize(("begun", "ended"), [(False, "turned away: 503"), (True, "close")])
async def test_the_end_of_the_drain_is_told_and_no_fault(begun: bool, ended: str, log: list[logging.LogRecord]) -> None:
    connection = Connection()
    stream(connection, endpoint(None, begun=begun)).begin()
    await asyncio.sleep(0)
    (task,) = connection.tasks
    task.cancel()
    await task
    assert connection.ended[0] == ended
    assert not connection.tasks
    assert not log
