"""A skipped test has shown nothing. With `--no-unexpected-skips`, as CI runs the tests, only the reasons below are accepted."""

from __future__ import annotations

from collections import Counter

import pytest

EXPECTED = (
    "every path is passed on to",  # the contract asks what an engine lacks; one engine lacks nothing
    "discord.py is not installed",  # the example's own dependency; its logic is tested without
    "no caddy: apt-get install caddy",  # Ubuntu 22.04 has none
    "no image was built",  # scripts/test-image builds and tests it, where there is a container engine
)


class SkipPolicy:
    """Counts the reasons of a run and fails it for those nobody expected."""

    def __init__(self, *, strict: bool) -> None:
        self._strict = strict
        self._reasons: Counter[str] = Counter()

    @property
    def unexpected(self) -> list[str]:
        return [reason for reason in self._reasons if not reason.startswith(EXPECTED)]

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        self._note(report)

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        self._note(report)

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        if (
            self._strict
            and self.unexpected
            and session.exitstatus in (pytest.ExitCode.OK, pytest.ExitCode.NO_TESTS_COLLECTED)
        ):
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        if not self._strict or not self._reasons:
            return
        terminalreporter.section("skips")
        for reason, count in sorted(self._reasons.items()):
            mark = "UNEXPECTED" if reason in self.unexpected else "expected"
            terminalreporter.line(f"{mark}: {count} × {reason}")

    def _note(self, report: pytest.TestReport | pytest.CollectReport) -> None:
        if report.skipped and not hasattr(report, "wasxfail") and isinstance(report.longrepr, tuple):
            self._reasons[str(report.longrepr[2]).removeprefix("Skipped: ")] += 1


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--no-unexpected-skips",
        action="store_true",
        help="fail the run for skips that are not in tests/support/skips.py",
    )


def pytest_configure(config: pytest.Config) -> None:
    config.pluginmanager.register(SkipPolicy(strict=config.getoption("--no-unexpected-skips")))
