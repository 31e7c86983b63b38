"""`make bench`: run the rounds, print the table, keep the results.

`--quick` is for a look while touching the hot path, `--against REV` for knowing what a change to it costs.
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
from typing import Any

import uvloop

from bench import against, machine, open_report, report
from bench.against import AT_MOST, MOST, PAIRS, SHAPES, Against
from bench.awake import awake
from bench.environments import Unavailable
from bench.open_loop import OpenLoop, everyone
from bench.open_shape import Shape, add_options, shape
from bench.pairs import WIDE
from bench.peers import Contender, Direct, all_contenders
from bench.plot import draw
from bench.publish import publish
from bench.rounds import Rounds
from bench.scenarios import QUICK, Plan
from bench.standing import ROOT
from bench.trees import committed, working
from bench.verdicts import verdicts

ALONE = ("direct", "nginx", "hayate")
FILES_NEEDED, FILES_WANTED = 5_000, 32_768


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
        "--record", action="store_true", help="keep the results in bench/results, whatever was left out of the run"
    )
    parser.add_argument(
        "--publish",
        action="store_true",
        help="measure nothing: write the newest results into README.md and README.ja.md",
    )
    parser.add_argument(
        "--let-sleep", action="store_true", help="let idle cores sleep: every figure is higher, and spreads further"
    )
    change = parser.add_argument_group("a change", "the working tree in terms of a commit before it, nobody else")
    change.add_argument("--against", metavar="REV", help="the commit; results go to .bench/against-COMMIT.*")
    change.add_argument("--pairs", type=int, metavar="N", default=PAIRS, help=f"at least so many (default: {PAIRS})")
    change.add_argument(
        "--most",
        type=int,
        metavar="N",
        default=MOST,
        help=f"and no more than so many while the interval is wider than ± {WIDE * 100:g} %% (default: {MOST})",
    )
    change.add_argument("--shapes", metavar="NAME,NAME", default=",".join(SHAPES), help="default: %(default)s")
    change.add_argument(
        "--at-most", type=float, metavar="RATIO", default=AT_MOST, help="exit status 1 above it (default: %(default)s)"
    )
    add_options(parser)
    return parser.parse_args()


def _compare(arguments: argparse.Namespace, home: Path, about: dict[str, Any]) -> int:
    """`--against`: the exit status."""
    shapes = [name.strip() for name in arguments.shapes.split(",")]
    if unknown := set(shapes) - set(SHAPES):
        sys.exit(f"no shape named {', '.join(sorted(unknown))}; there are {', '.join(SHAPES)}")
    try:
        before, after = committed(ROOT, arguments.against, home), working(ROOT, home)
        comparison = Against(
            before, after, home, pairs=max(1, arguments.pairs), most=max(1, arguments.most), shapes=shapes
        )
        found = uvloop.run(comparison.run())
    except Unavailable as reason:
        sys.exit(str(reason))
    stem = home / f"against-{before.label}"
    text = against.report(found, before, after, about, arguments.at_most)
    stem.with_suffix(".md").write_text(text, encoding="utf-8")
    stem.with_suffix(".json").write_text(against.record(found, before, after, about), encoding="utf-8")
    print(f"\n{text}\nwritten: {stem}.md, .json")
    kept = all(each.median <= arguments.at_most for each in found.ratios().values())
    return 0 if kept and not found.errors else 1


def _open(arguments: argparse.Namespace, home: Path, about: dict[str, Any], *, full: bool) -> None:
    """`--open`: runs it and writes what was found."""
    wanted = shape(arguments)
    about |= {"looks": wanted.looks, "seconds": wanted.seconds, "interval_s": wanted.interval_s}
    _raise_file_limit(wanted.files)
    full = arguments.record or (full and wanted == Shape())
    chosen = _chosen(arguments)
    if not any(isinstance(each, Direct) for each in chosen):
        chosen.insert(0, Direct())  # what the others add is told in terms of it
    looks = uvloop.run(OpenLoop(wanted, chosen, home).run())
    folder = arguments.out or (ROOT / "bench" / "results" if full else home)
    kind = "standing" if wanted.standing else "open"
    stem = folder / (f"{date.today():%Y%m%d}-{machine.slug()}-{kind}" if full else f"last-{kind}")
    open_report.write(looks, about, stem)
    print(f"\n{open_report.markdown(looks, about)}\nwritten: {stem}.md, .json, .png")


def _chosen(arguments: argparse.Namespace) -> list[Contender]:
    all_ = everyone() if arguments.open or arguments.standing else all_contenders()
    if arguments.only:
        wanted = [name.strip() for name in arguments.only.split(",")]
        if unknown := set(wanted) - {each.name for each in all_}:
            known = ", ".join(each.name for each in all_)
            sys.exit(f"no contender named {', '.join(sorted(unknown))}; there are {known}")
        return [each for each in all_ if each.name in wanted]
    if arguments.quick or arguments.no_peers:
        return [each for each in all_ if each.name in ALONE]
    return all_


def _plan(arguments: argparse.Namespace) -> Plan:
    base = QUICK if arguments.quick else Plan()
    fields = {name: getattr(base, name) for name in base.__slots__}
    return Plan(**{**fields, "rounds": max(1, arguments.rounds or base.rounds)})


def _raise_file_limit(needed: int) -> None:
    """A stream is a descriptor here and in the stub, and two in a gateway, which inherits the limit."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < needed:
        sys.exit(f"{needed:,} open files are needed, and this machine allows {hard:,} (ulimit -Hn)")
    wanted = max(needed, FILES_WANTED)
    wanted = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, wanted), hard))


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
    if arguments.publish:
        publish(ROOT)
        return
    plan, contenders = _plan(arguments), _chosen(arguments)
    full = arguments.record or not (arguments.quick or arguments.only or arguments.no_peers)
    if not sys.platform.startswith("linux"):
        sys.exit("the benchmark reads /proc: it runs on Linux only")
    _raise_file_limit(FILES_NEEDED)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    home = ROOT / ".bench"
    about = {"date": date.today().isoformat(), "rounds": plan.rounds, "times": plan.times, **machine.describe(ROOT)}
    if os.getloadavg()[0] > 0.5:
        print(f"note: the machine is busy (load average {os.getloadavg()[0]:.1f}): trust the ratios", flush=True)
    with _alone(home), contextlib.nullcontext(False) if arguments.let_sleep else awake() as about["awake"]:
        try:
            if arguments.against:
                sys.exit(_compare(arguments, home, about))
            if arguments.open or arguments.standing:
                _open(arguments, home, about, full=full)
                return
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
