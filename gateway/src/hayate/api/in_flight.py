"""The calls that are under way, and how one is stopped by somebody else than its client: by the operator, or because its
key is no longer good.

A call that is stopped is told why, in its dialect: a stream gets an error event, and its engine is cut off as it is when
a client leaves.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from hayate.errors import CallStopped, GatewayError
from hayate.telemetry.record import CallRecord


@dataclass(slots=True, eq=False)
class Running:
    """One call under way."""

    record: CallRecord
    task: asyncio.Task[Any] | None
    stopped: GatewayError | None = None
    """Why somebody stopped it."""

    @property
    def id(self) -> str:
        """No other call under way has it: its request id, unless its caller chose one that another has already."""
        return self.record.upstream_id.decode("latin-1") or self.record.request_id

    def stop(self, why: GatewayError) -> None:
        """Ends it; the first reason counts."""
        if self.stopped is None and self.task is not None:
            self.stopped = why
            self.task.cancel()


class InFlight:
    """One per gateway."""

    def __init__(self) -> None:
        self._running: dict[Running, None] = {}
        """In the order in which they began."""

    def __len__(self) -> int:
        return len(self._running)

    def __iter__(self) -> Iterator[Running]:
        return iter(list(self._running))

    def add(self, record: CallRecord, task: asyncio.Task[Any] | None) -> Running:
        """The call has begun in this task."""
        running = Running(record, task)
        self._running[running] = None
        return running

    def remove(self, running: Running) -> None:
        """It has ended."""
        del self._running[running]

    def stop(self, call_id: str) -> bool:
        """Stops the call that has this id here (`Running.id`), for the operator; whether there is one."""
        return self._stop([each for each in self._running if each.id == call_id], stopped()) > 0

    def stop_key(self, key_id: str, why: GatewayError) -> int:
        """Stops every call of a key; how many there were."""
        return self._stop([each for each in self._running if each.record.key == key_id], why)

    def _stop(self, found: list[Running], why: GatewayError) -> int:
        for each in found:
            each.stop(why)
        return len(found)


def stopped() -> CallStopped:
    """For a call that the operator ends."""
    return CallStopped(
        "Whoever runs this gateway has stopped this call.", "ゲートウェイの管理者がこの呼び出しを停止しました。"
    )
