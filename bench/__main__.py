"""`make bench`: run the rounds, print the table, keep the results.

`--quick` is for before and after touching the hot path.
"""

from __future__ import annotations

import argparse
import contextlib
import fcntl
import os
import resource
import signal
import sys
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import uvloop

from bench import machine, report
from bench.awake import awake
from bench.peers import Contender, all_contenders
from bench.plot import draw
from bench.rounds import ROOT, Rounds
from bench.scenarios import QUICK, Plan
from bench.verdicts import verdicts

ALONE = ("direct", "nginx", "hayate")
FILES_NEEDED = 16384


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="make bench",
        description="The gateway side by side with what a user would pick instead; see bench/README.md.",
    )
    parser.add_argument(
        "--only",
        metavar="NAME,NAME",
        help=f"these contenders alone: {', '.join(each.name for each in all_contenders())}",
    )
    parser.add_argument("--no-peers", action="store_true", help=f"only {', '.join(ALONE)}: nothing is installed")
    parser.add_argument(
        "--rounds", type=int, metavar="N", help="how often everything is measured (default: 3; quick: 2)"
    )
    parser.add_argument(
        "--quick",
        action="store_true",
        help="about a minute, without the peers and the 2,000 streams; results stay in .bench/",
    )
    parser.add_argument(
        "--out", type=Path, metavar="DIR", help="where results go (default: bench/results for a full run, else .bench)"
    )
    parser.add_argument(
        "--let-sleep", action="store_true", help="let idle cores sleep: every figure is higher, and spreads further"
    )
    return parser.parse_args()


def _chosen(arguments: argparse.Namespace) -> list[Contender]:
    everyone = all_contenders()
    if arguments.only:
        wanted = [name.strip() for name in arguments.only.split(",")]
        if unknown := set(wanted) - {each.name for each in everyone}:
            known = ", ".join(each.name for each in everyone)
            sys.exit(f"no contender named {', '.join(sorted(unknown))}; there are {known}")
        return [each for each in everyone if each.name in wanted]
    if arguments.quick or arguments.no_peers:
        return [each for each in everyone if each.name in ALONE]
    return everyone


def _plan(arguments: argparse.Namespace) -> Plan:
    base = QUICK if arguments.quick else Plan()
    fields = {name: getattr(base, name) for name in base.__slots__}
    return Plan(**{**fields, "rounds": max(1, arguments.rounds or base.rounds)})


def _raise_file_limit() -> None:
    """2,000 streams are 2,000 descriptors here and in the stub, and twice as many in a gateway."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = FILES_NEEDED if hard == resource.RLIM_INFINITY else min(FILES_NEEDED, hard)
    resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


@contextlib.contextmanager
def _alone(home: Path) -> Iterator[None]:
    """Two runs at once would measure each other."""
    home.mkdir(parents=True, exist_ok=True)
    with (home / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            sys.exit(f"another benchmark is running in {home}")
        yield


def main() -> None:
    """The command line."""
    arguments = _arguments()
    plan, contenders = _plan(arguments), _chosen(arguments)
    full = not (arguments.quick or arguments.only or arguments.no_peers)
    if not sys.platform.startswith("linux"):
        sys.exit("the benchmark reads /proc: it runs on Linux only")
    _raise_file_limit()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    home = ROOT / ".bench"
    about = {"date": date.today().isoformat(), "rounds": plan.rounds, "times": plan.times, **machine.describe(ROOT)}
    if os.getloadavg()[0] > 0.5:
        print(f"note: the machine is busy (load average {os.getloadavg()[0]:.1f}): trust the ratios", flush=True)
    with _alone(home), contextlib.nullcontext(False) if arguments.let_sleep else awake() as about["awake"]:
        try:
            results = uvloop.run(Rounds(plan, contenders, home).run())
        except KeyboardInterrupt:
            sys.exit("\ninterrupted; everything that was started has been stopped")
    found = verdicts(results)
    folder = arguments.out or (ROOT / "bench" / "results" if full else home)
    stem = folder / (f"{date.today():%Y%m%d}-{machine.slug()}" if full else "last")
    report.write(results, found, about, stem)
    draw(results, f"{about['cores']} × {about['cpu']}, {about['date']}: lower is better", stem.with_suffix(".png"))
    print("\n" + report.markdown(results, found, about))
    print(f"written: {stem}.md, .json, .png")


if __name__ == "__main__":
    main()
