"""Prometheus' text, written in slices: two hundred deployments have ten thousand rows, and no stream may wait for all of them.

prometheus_client makes the samples. A collector whose samples are many yields them in several families of one name, one after
another: what stands above a family is written once.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Iterable, Iterator, Sequence
from itertools import islice
from typing import Final

from prometheus_client import CONTENT_TYPE_LATEST as CONTENT_TYPE
from prometheus_client.core import Metric
from prometheus_client.registry import Collector
from prometheus_client.samples import Sample

__all__ = ["CONTENT_TYPE", "in_slices", "pieces"]

SLICE_S: Final = 0.0002
"""How long the event loop's thread may work at it before it is somebody else's turn."""
ROWS: Final = 20
"""In a piece, at most: a few hundredths of a millisecond."""
_ESCAPES: Final = str.maketrans({"\\": "\\\\", '"': '\\"', "\n": "\\n"})
_HELP_ESCAPES: Final = str.maketrans({"\\": "\\\\", "\n": "\\n"})


def pieces(collectors: Iterable[Collector]) -> Iterator[str]:
    """The text, at most ROWS rows at a time; what is told is what holds when its piece is asked for."""
    told = ""
    for collector in collectors:
        for family in collector.collect():
            if family.name != told:
                told = family.name
                yield _head(family)
            if not family.samples:
                yield ""  # whoever has something to do before the next row lets others have their turn
            rows = iter(family.samples)
            while batch := list(islice(rows, ROWS)):
                yield "".join(map(_row, batch))


async def in_slices(text: Iterator[str]) -> AsyncIterator[bytes]:
    """All of it, a slice at a time; the event loop goes on after each, which took SLICE_S to make."""
    parts, began = [], time.thread_time()
    for piece in text:
        parts.append(piece)
        if time.thread_time() - began > SLICE_S:
            yield "".join(parts).encode()
            await asyncio.sleep(0)
            parts, began = [], time.thread_time()
    yield "".join(parts).encode()


def _head(family: Metric) -> str:
    name = f"{family.name}_total" if family.type == "counter" else family.name
    return f"# HELP {name} {family.documentation.translate(_HELP_ESCAPES)}\n# TYPE {name} {family.type}\n"


def _row(sample: Sample) -> str:
    if not sample.labels:
        return f"{sample.name} {float(sample.value)!r}\n"
    return f"{sample.name}{{{_labels(sorted(sample.labels.items()))}}} {float(sample.value)!r}\n"


def _labels(pairs: Sequence[tuple[str, str]]) -> str:
    return ",".join([f'{name}="{value.translate(_ESCAPES)}"' for name, value in pairs])
