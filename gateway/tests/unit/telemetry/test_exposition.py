"""Prometheus' text is what its own library would write, and comes in slices that nobody notices."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

import pytest
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from hayate.telemetry.exposition import ROWS, in_slices, pieces

ODD = 'a "name"\nwith \\ in it'


class All(Collector):
    """A family of every kind."""

    def collect(self) -> Iterable[Metric]:
        counter = CounterMetricFamily("calls", "How many\nthere \\ were.", labels=["b", "a"])
        counter.add_metric([ODD, "1"], 3)
        counter.add_metric(["x", "2"], 2.5)
        seconds = HistogramMetricFamily("took_seconds", "How long.", labels=["a"])
        seconds.add_metric(["x"], [("0.1", 1.0), ("+Inf", 4.0)], 1.25)
        return [counter, GaugeMetricFamily("open", "Now.", value=7), seconds]


class Many(Collector):
    """One family, a few rows at a time."""

    def __init__(self, rows: int) -> None:
        self._rows = rows

    def collect(self) -> Iterable[Metric]:
        for number in range(self._rows):
            family = GaugeMetricFamily("open", "Now.", labels=["at"])
            family.add_metric([str(number)], number)
            yield family


def test_it_is_what_the_library_writes() -> None:
    registry = CollectorRegistry()
    registry.register(All())
    assert "".join(pieces([All()])) == generate_latest(registry).decode()


def test_a_family_in_parts_has_one_head_and_a_piece_few_rows() -> None:
    text = "".join(pieces([Many(3)]))
    assert text.count("# TYPE open gauge") == text.count("# HELP") == 1
    assert text.count("open{") == 3

    class Whole(Collector):
        def collect(self) -> Iterable[Metric]:
            family = GaugeMetricFamily("open", "Now.", labels=["at"])
            for number in range(10 * ROWS):
                family.add_metric([str(number)], number)
            return [family]

    assert [piece.count("\n") for piece in pieces([Whole()])] == [2, *[ROWS] * 10]


@pytest.mark.anyio
async def test_others_have_their_turn_while_it_is_written() -> None:
    turns = 0

    async def others() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    task = asyncio.create_task(others())
    text = b"".join([part async for part in in_slices(pieces([Many(20_000)]))])
    task.cancel()
    assert text.count(b"open{") == 20_000
    assert turns > 20
