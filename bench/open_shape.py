"""What is asked of the open loop on the command line: which calls, for how long, how often."""

from __future__ import annotations

import argparse
import sys
from dataclasses import dataclass

from bench.open_parts import INTERVAL_S
from bench.open_schedule import MEAN, Schedule, always_open, herds, poisson

RATES = (10.0, 50.0, 100.0)
SECONDS, LOOKS = 20.0, 5
STANDING_S, STANDING_INTERVAL_S = 300.0, 1.0
SPARE_FILES = 500


@dataclass(frozen=True, slots=True)
class Shape:
    """How a run is to be."""

    rates: tuple[float, ...] = RATES
    seconds: float = SECONDS
    looks: int = LOOKS
    herds: bool = True
    interval_s: float = INTERVAL_S
    standing: int = 0
    """So many streams that are open all the time, instead of everything else."""

    def schedules(self) -> list[Schedule]:
        """In the order in which they are measured."""
        if self.standing:
            return [always_open(self.standing, self.seconds, self.interval_s)]
        rates = [poisson(rate, self.seconds, interval_s=self.interval_s) for rate in self.rates]
        return [*([herds()] if self.herds else []), *rates]

    @property
    def files(self) -> int:
        """How many descriptors a gateway needs for the most streams that are open at once."""
        streams = [self.standing, *(round(rate * self.interval_s * MEAN * 1.2) for rate in self.rates)]
        return 2 * max(streams) + SPARE_FILES


QUICK = Shape(rates=(10.0,), seconds=5.0, looks=1)


def add_options(parser: argparse.ArgumentParser) -> None:
    """What can be told on the command line."""
    group = parser.add_argument_group("an open loop", "how late tokens are when calls come as they come")
    group.add_argument("--open", action="store_true", help="this instead of the other scenarios; about 50 minutes")
    group.add_argument(
        "--rates", metavar="N,N", help=f"calls a second (default: {','.join(f'{each:g}' for each in RATES)}; quick: 10)"
    )
    group.add_argument(
        "--standing",
        type=int,
        metavar="N",
        default=0,
        help="instead of rates: so many streams that are open all the time, what each holds in memory, and whether that grows",
    )
    group.add_argument(
        "--seconds",
        type=float,
        metavar="S",
        help=f"counted in a look (default: {SECONDS:g}; quick: 5; standing: {STANDING_S:g})",
    )
    group.add_argument(
        "--interval",
        type=float,
        metavar="S",
        help=f"between a stream's tokens (default: {INTERVAL_S:g}; standing: {STANDING_INTERVAL_S:g})",
    )
    group.add_argument(
        "--looks", type=int, metavar="N", help=f"medians of so many (default: {LOOKS}; quick, standing: 1)"
    )
    group.add_argument("--no-herds", action="store_true", help="without the calls that start at once")


def shape(asked: argparse.Namespace) -> Shape:
    """The run that was asked for. Raises SystemExit naming the option that can't be."""
    base = QUICK if asked.quick else Shape()
    if asked.standing:
        base = Shape((), STANDING_S, 1, herds=False, interval_s=STANDING_INTERVAL_S, standing=asked.standing)
    try:
        rates = tuple(float(each) for each in asked.rates.split(",")) if asked.rates else base.rates
    except ValueError:
        sys.exit("--rates: numbers with commas between them, such as 10,50")
    if rates and asked.standing:
        sys.exit("--rates and --standing: one of them")
    wanted = Shape(
        rates,
        base.seconds if asked.seconds is None else asked.seconds,
        base.looks if asked.looks is None else asked.looks,
        base.herds and not asked.no_herds,
        base.interval_s if asked.interval is None else asked.interval,
        asked.standing,
    )
    if wanted.herds and wanted.interval_s != INTERVAL_S:
        sys.exit("--interval: with --no-herds or --standing")
    if min(*wanted.rates, wanted.seconds, wanted.looks, wanted.interval_s) <= 0 or wanted.standing < 0:
        sys.exit("--rates, --seconds, --looks, --interval and --standing: above 0")
    return wanted
