"""What is quick: `make test` runs it while somebody waits; `make test-slow` runs the rest, and every property test again in full.

- A file's quick tests take `FILE_CPU_S` of processor time at most, their own and that of the processes they start. What they wait
  for does not count, nor does what else the machine is busy with. The dearest files are listed at the end of a run; with
  `--no-unexpected-skips`, as CI runs the tests, one that is too dear fails it.
- What takes longer is marked `slow`, one case at a time: a sibling stays quick that shows the same of another case. Tests that take
  much of a second of processor time are in a list instead (`dear`).
- Property tests try `QUICK_EXAMPLES`; with `--hypothesis-profile=full`, as `make test-slow` runs them, all (`property` marks them).
- Files whose tests wait for processes and browsers begin first, so that all workers end together.
- `alone` marks slow tests that other work would disturb, or whose engine takes all processors, and `timed` those that look at the
  clock and wait more than they compute: `make test-slow` runs these two at a time after the rest, and then those one by one.
"""

from __future__ import annotations

import gc
import resource
from collections import defaultdict
from collections.abc import Generator
from typing import Any

import hypothesis
import pytest
from xdist.scheduler import LoadFileScheduling

from tests.support import dear

FILE_CPU_S = 30.0
"""Twice what the dearest file took on two cores of 2024; a busy machine adds little to it."""
LISTED = 8
QUICK_EXAMPLES, FULL_EXAMPLES = 25, 100
FIRST = (
    "tests/browser/",
    "tests/contract/",
    "tests/engines/",
    "tests/unit/tools/embedded/",
    "tests/start/",
    "tests/reliability/test_stuck",
    "tests/reliability/test_one_caller",
    "tests/reliability/",
    "tests/fairness/",
    "tests/examples/",
    "tests/guides/",
    "tests/unit/tools/measure/",
    "tests/deploy/",
)
TOGETHER = (
    ("tests/contract/",),
    ("tests/engines/",),
    ("tests/browser/", "tests/guides/test_readme.py", "tests/unit/tools/measure/test_chart_html.py"),
)
"""What one worker runs: what these files share, engines with their gateways or a browser, is dear to start in every one."""
ALONE = ("tests/contract/", "tests/engines/", "tests/deploy/test_launch_real", "tests/switching/test_vllm")
"""Where slow tests use an engine that takes all processors."""
CPU, SHARED = "cpu_s", "shared_cpu_s"
PARTS = ("alone", "timed", "crowded")
"""Of the slow run."""
QUICK = "not slow"
"""The marks of a quick run."""


for _name, _count in (("quick", QUICK_EXAMPLES), ("full", FULL_EXAMPLES)):
    hypothesis.settings.register_profile(_name, max_examples=_count, deadline=None)


def slow(*values: Any) -> list[Any]:
    """Cases of a parametrised test that `make test-slow` alone runs."""
    return [
        pytest.param(*(value if isinstance(value, tuple) else (value,)), marks=pytest.mark.slow) for value in values
    ]


def examples(full: int) -> int:
    """How many a property test tries that wants another number than the profile's: as many fewer of them in a quick run."""
    profile = hypothesis.settings.get_profile(hypothesis.settings.get_current_profile_name())
    return max(10, full * profile.max_examples // FULL_EXAMPLES)


def cpu_s() -> float:
    """The processor time of this process and of those of its children that have ended."""
    both = (resource.getrusage(whose) for whose in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(each.ru_utime + each.ru_stime for each in both)


class CpuTimes:
    """Adds up what each file takes, from the reports that its tests send when they are over."""

    def __init__(self, *, strict: bool, every: bool, note: bool) -> None:
        self._strict, self._every, self._note = strict, every, note
        self._tests: dict[str, float] = {}
        self._files: dict[str, float] = defaultdict(float)
        self._shared_s = 0.0
        self._began_s = 0.0
        self._ended_s: float | None = None

    @property
    def too_dear(self) -> list[str]:
        return [file for file, seconds in self._files.items() if seconds > FILE_CPU_S]

    def pytest_runtest_logstart(self) -> None:
        self._began_s = cpu_s()

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_teardown(self, nextitem: pytest.Item | None) -> Generator[None, Any, Any]:
        """What all files share ends with the last test, engines and browsers among it: its file is not charged with them."""
        self._ended_s = cpu_s() if nextitem is None else None
        return (yield)

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(self, call: pytest.CallInfo[None]) -> Generator[None, pytest.TestReport, Any]:
        report = yield
        if call.when == "teardown":
            now_s = cpu_s()
            ended_s = now_s if self._ended_s is None else self._ended_s
            report.user_properties += [(CPU, ended_s - self._began_s), (SHARED, now_s - ended_s)]
        return report

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.when == "teardown":
            took = {name: float(str(value)) for name, value in report.user_properties if name in (CPU, SHARED)}
            self._tests[report.nodeid] = took.get(CPU, 0.0)
            self._files[report.nodeid.partition("::")[0]] += took.get(CPU, 0.0)
            self._shared_s += took.get(SHARED, 0.0)

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        if self._strict and self.too_dear and session.exitstatus == pytest.ExitCode.OK:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        if self._note:
            names = dear.noted(dear.listed(), self._tests)
            dear.LIST.write_text("".join(f"{each}\n" for each in names), encoding="utf-8")
        if not self._strict and not self.too_dear and not self._every:
            return
        terminalreporter.section("processor time")
        dearest = sorted(self._files.items(), key=lambda item: -item[1])
        for file, seconds in dearest[: None if self._every else max(LISTED, len(self.too_dear))]:
            terminalreporter.line(f"{seconds:6.1f} s  {file}{'  TOO DEAR for a quick file' * (file in self.too_dear)}")
        terminalreporter.line(f"{self._shared_s:6.1f} s  what they share")
        terminalreporter.line(f"{sum(self._files.values()) + self._shared_s:6.1f} s  in all")


class ByFile(LoadFileScheduling):  # type: ignore[misc]  # xdist has no types
    """A file to a worker, as `--dist loadfile`, but for what belongs together."""

    def _split_scope(self, nodeid: str) -> str:
        return next((group[0] for group in TOGETHER if nodeid.startswith(group)), nodeid.partition("::")[0])


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> ByFile | None:
    """Another `--dist` than that of scripts/test is left alone."""
    return ByFile(config, log) if config.getoption("dist") == "loadfile" else None


def _rank(item: pytest.Item) -> int:
    return next((rank for rank, start in enumerate(FIRST) if item.nodeid.startswith(start)), len(FIRST))


def pytest_addoption(parser: pytest.Parser) -> None:
    """An option for who wants to know what every file takes."""
    parser.addoption(
        "--processor-times", action="store_true", help="list the processor time of every file of a quick run"
    )
    parser.addoption(
        "--note-dear", action="store_true", help=f"list tests that took {dear.DEAR_CPU_S} s as slow from now on"
    )
    parser.addoption("--part", choices=PARTS, help="of the tests those that are marked so, or those that are neither")


def pytest_configure(config: pytest.Config) -> None:
    """The number of examples, the measuring, and the marker."""
    hypothesis.settings.load_profile(config.getoption("--hypothesis-profile") or "quick")
    config.addinivalue_line(
        "markers", "property: tries many examples; `make test-slow` runs it once more, with all of them"
    )
    if config.option.markexpr == QUICK:
        strict, every = config.getoption("--no-unexpected-skips"), config.getoption("--processor-times")
        config.pluginmanager.register(CpuTimes(strict=strict, every=every, note=config.getoption("--note-dear")))


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, Any, Any]:
    """Ten thousand tests are made, and stay: looking for garbage among them, then and ever after, would be a tenth of a run."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.enable()


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Marks the property tests, those that run alone, those that are dear; puts those first that others would wait for."""
    names = dear.listed()
    for item in items:
        if getattr(getattr(item, "obj", None), "is_hypothesis_test", False):
            item.add_marker(pytest.mark.property)
        if item.nodeid.startswith(ALONE) and item.get_closest_marker("slow"):
            item.add_marker(pytest.mark.alone)
        if dear.is_dear(item.nodeid, names):
            item.add_marker(pytest.mark.slow)
    items.sort(key=_rank)
    if wanted := config.getoption("--part"):
        chosen: dict[bool, list[pytest.Item]] = {True: [], False: []}
        for item in items:
            chosen[_part(item) == wanted].append(item)
        config.hook.pytest_deselected(items=chosen[False])
        items[:] = chosen[True]


def _part(item: pytest.Item) -> str:
    return next((name for name in PARTS if item.get_closest_marker(name) is not None), PARTS[-1])
