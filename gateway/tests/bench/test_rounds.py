"""A run of the benchmark, small, with contenders that stand, fall and never come."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from bench.environments import Unavailable
from bench.peers import Command, Contender, Direct, Site
from bench.rounds import Rounds
from bench.scenarios import Plan
from bench.standing import ROOT

pytestmark = [pytest.mark.slow, pytest.mark.anyio]
PLAN = Plan(rounds=2, times=2, warm_s=0.05, paced_s=0.2, burst_s=0.1, latency_s=0.1, held=10, crowd=0)


class SecondStub(Contender):
    """Something that listens and answers: another stub."""

    name, label = "second", "second {version}"

    def version(self) -> str:
        return "1.0"

    def command(self, site: Site) -> Command:
        return Command([sys.executable, "-m", "bench.stub", "--port", str(site.port)], {"PYTHONPATH": str(ROOT)})


class Absent(Contender):
    name, label = "absent", "absent"

    def prepare(self, home: Path) -> None:
        raise Unavailable("not for this machine")


class Stillborn(Contender):
    name, label = "stillborn", "stillborn"

    def command(self, site: Site) -> Command:
        return Command([sys.executable, "-c", "raise SystemExit('no key')"])


async def test_contenders_that_cannot_take_part_are_named_and_the_others_are_measured(tmp_path: Path) -> None:
    rounds = Rounds(PLAN, [Absent(), Direct(), Stillborn(), SecondStub()], tmp_path)

    results = await rounds.run()

    assert results.skipped["absent"] == "not for this machine"
    assert "no key" in results.skipped["stillborn"]
    assert set(results.figures) == {"direct", "second"}
    assert [each.round for each in results.figures["second"]["paced"]] == [0, 0, 1, 1]
    assert [each.round for each in results.figures["second"]["latency"]] == [0, 1]
    assert len(results.values("second", "paced", "gateway_us", 1)) == 2
    assert results.median("second", "paced", "gateway_us") > 0
    assert results.median("second", "start", "listen_s") > 0
    assert not list(results.errors("second"))
    assert "crowd" not in results.figures["second"]
