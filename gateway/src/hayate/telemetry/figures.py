"""How each deployment does over time, for who has no Prometheus: samples in memory, and a row a minute for who keeps them.

Nothing is counted for it. What is there (`telemetry.metrics`, the gates, the replicas) is read every STEP_S, a few deployments
at a time (`Look`), and a look that is whole becomes a sample. What has happened since the look before is the difference of
two counts; times are as exact as the bounds of the metrics' histograms.
"""

from __future__ import annotations

import math
from array import array
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from operator import sub
from typing import Final, NamedTuple, Protocol

from hayate.fleet.deployment import Deployment
from hayate.fleet.replica import Replica
from hayate.telemetry.histogram import Histogram, quantile

STEP_S: Final = 5.0
KEPT: Final = 180
"""Samples in memory: a quarter of an hour."""
LOOKS: Final = 12
"""In a minute."""
COLUMNS: Final = (
    *("in_flight", "waiting", "ceiling", "tokens_per_s"),
    *("ttft_p50_s", "ttft_p95_s", "gap_p50_s", "gap_p95_s"),
)
"""Of each deployment, in this order."""
OF_REPLICAS: Final = ("in_flight", "ceiling", *COLUMNS[3:])
"""Of each of its replicas: nobody waits there."""
MOST_REPLICAS: Final = 256
"""So many replicas are told of at most, the first in the order of the configuration: 2.6 MB for a quarter of an hour."""
NOTHING: Final = math.nan
_PARTS: Final = (0.5, 0.95)

Row = list[float]
"""One figure for each of COLUMNS; NOTHING where there is none."""
Layout = tuple[tuple[str, tuple[str, ...]], ...]
"""The deployments of a sample, each with the labels of its replicas."""


class Counts(Protocol):
    """What calls add up to (`telemetry.metrics.CallMetrics`)."""

    def times(self, deployment: str) -> tuple[Histogram, Histogram] | None:
        """To the first token, and per token."""

    def of_replica(self, label: str) -> ReplicaCounts:
        """What calls at a replica have added up to since this was first asked."""

    def forget_others(self, labels: set[str]) -> None:
        """Counts nothing any more for replicas that are not among these."""


class ReplicaCounts(Protocol):
    """Of one replica that is measured."""

    output_tokens: int
    ttft: Histogram
    tpot: Histogram


class Sample(NamedTuple):
    """All deployments at a time, in seconds since 1970: for each its figures, and then those of its replicas."""

    at: float
    layout: Layout
    values: array[float]


@dataclass(slots=True)
class _Since:
    """What has been counted of one deployment at some time, on the monotonic clock."""

    at: float
    made: int
    times: tuple[tuple[int, ...], tuple[int, ...]] = ((), ())


@dataclass(slots=True)
class _Track:
    """What is remembered of one deployment: the look before, and the minute that runs."""

    step: _Since
    minute: _Since
    sums: list[float] = field(default_factory=lambda: [0.0, 0.0, 0.0])
    """Of what was seen in the looks of the minute: in flight, waiting, ceiling."""
    looks: int = 0


class Figures:
    """One per gateway."""

    def __init__(self, counts: Counts) -> None:
        self._counts = counts
        self._tracks: dict[str, _Track] = {}
        self._replicas: dict[str, _Since] = {}
        """Of those that are measured: of deployments that have several."""
        self._layout: Layout = ()
        self._looks = 0
        self.samples: deque[Sample] = deque(maxlen=KEPT)

    def look(self, at: float, now: float) -> Look:
        """Begins to look at all of them: at the time `at`, in seconds since 1970, and `now` on the monotonic clock."""
        self._looks += 1
        return Look(self, at, now, self._looks % LOOKS == 0)

    def times(self, name: str) -> tuple[Histogram, Histogram] | None:
        """What is counted of a deployment's times."""
        return self._counts.times(name)

    def track(self, name: str, now: float, made: int) -> _Track:
        """What is remembered of a deployment; from now on, of one that is new."""
        found = self._tracks.get(name)
        if found is None:
            found = self._tracks[name] = _Track(self._since(name, now, made), self._since(name, now, made))
        return found

    def row_of_replica(self, label: str, now: float, coming: int) -> Row:
        """What has happened at a replica since the look before; `coming`: what its streams have made so far."""
        counts, since = self._counts.of_replica(label), self._replicas.get(label)
        times, made = (counts.ttft, counts.tpot), counts.output_tokens + coming
        if since is None:
            since = self._replicas[label] = _since_now(now, made, times)
        return _since(since, now, made, times)

    def _since(self, name: str, now: float, made: int) -> _Since:
        return _since_now(now, made, self._counts.times(name))

    def keep(self, at: float, layout: Layout, values: array[float], several: set[str]) -> None:
        """Takes a look that is whole for a sample, and forgets what is gone. `several`: replicas that are measured."""
        if layout == self._layout:
            layout = self._layout  # one for all samples
        else:
            self._layout = layout
            names = {name for name, _ in layout}
            self._tracks = {name: each for name, each in self._tracks.items() if name in names}
            self._counts.forget_others(several)
            self._replicas = {label: each for label, each in self._replicas.items() if label in several}
        self.samples.append(Sample(at, layout, values))


class Look:
    """One look, a deployment at a time, some ten microseconds each. `minute` has the rows of the minute that ends with it."""

    def __init__(self, figures: Figures, at: float, now: float, ends_minute: bool) -> None:
        self._figures = figures
        self._now = now
        self._layout: list[tuple[str, list[str]]] = []
        self._values = array("d")
        self._places = MOST_REPLICAS
        self._several: set[str] = set()
        self.at = at
        self.ends_minute = ends_minute
        self.minute: dict[str, Row] = {}

    def add(self, deployment: Deployment, made: int) -> None:
        """Looks at one, whose engines have made so many tokens since the start. If it has several replicas, they come next."""
        name, gate, now = deployment.name, deployment.gate, self._now
        track = self._figures.track(name, now, made)
        seen = [float(gate.in_flight), float(gate.queued), float(gate.capacity)]
        track.sums = [a + b for a, b in zip(track.sums, seen, strict=True)]
        track.looks += 1
        times = self._figures.times(name)
        self._values.extend(seen)
        self._values.extend(_since(track.step, now, made, times))
        row = self._values[-len(COLUMNS) + len(seen) :]
        labels: list[str] = []
        self._layout.append((name, labels))
        if len(deployment.replicas) == 1 and self._places:  # what it does is what its only replica does
            self._add_replica(labels, deployment.replicas[0], row)
        if self.ends_minute:
            means = [round(each / track.looks, 2) for each in track.sums]
            self.minute[name] = [*means, *_since(track.minute, now, made, times)]
            track.sums, track.looks = [0.0, 0.0, 0.0], 0

    def add_replica(self, replica: Replica, coming: int) -> None:
        """Looks at one of several replicas of the deployment that was added last; `coming`: what its streams have made so far."""
        if self._places:
            label = replica.label
            self._several.add(label)
            row = self._figures.row_of_replica(label, self._now, coming)
            self._add_replica(self._layout[-1][1], replica, row)

    def _add_replica(self, labels: list[str], replica: Replica, row: Iterable[float]) -> None:
        self._places -= 1
        labels.append(replica.label)
        self._values.append(replica.in_flight)
        self._values.append(replica.ceiling.places)
        self._values.extend(row)

    def end(self) -> None:
        """Makes a sample of it, once all have been looked at."""
        layout = tuple((name, tuple(labels)) for name, labels in self._layout)
        self._figures.keep(self.at, layout, self._values, self._several)


def _since_now(now: float, made: int, times: tuple[Histogram, Histogram] | None) -> _Since:
    return _Since(now, made, ((), ()) if times is None else (times[0].counts, times[1].counts))


def _since(since: _Since, now: float, made: int, times: tuple[Histogram, Histogram] | None) -> Row:
    """Tokens a second, and times, since then; and from here on it is since now."""
    took_s = now - since.at
    row = [round(max(0, made - since.made) / took_s, 1) if took_s > 0 else NOTHING]
    found = ((), ()) if times is None else (times[0].counts, times[1].counts)
    for histogram, counts, before in zip(times or (), found, since.times, strict=False):
        row += _quantiles(histogram.bounds, counts, before)
    since.at, since.made, since.times = now, made, found
    return row if times is not None else [*row, *([NOTHING] * 2 * len(_PARTS))]


def _quantiles(bounds: Sequence[float], counts: tuple[int, ...], before: tuple[int, ...]) -> Row:
    """Of what was observed since."""
    if counts == before:
        return [NOTHING] * len(_PARTS)
    new = list(map(sub, counts, before)) if before else counts
    found = [quantile(bounds, new, part) for part in _PARTS]
    return [NOTHING if each is None else round(each, 4) for each in found]
