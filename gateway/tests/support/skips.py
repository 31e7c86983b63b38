"""A skipped test has shown nothing: the end of a run says which were left out and how to have them. With
`--no-unexpected-skips`, as CI runs the tests, only the reasons below are accepted.
"""

from __future__ import annotations

from collections import Counter

import pytest

EXPECTED = (
    "every path is passed on to",  # the contract asks what an engine lacks; one engine lacks nothing
    "discord.py is not installed",  # the example's own dependency; its logic is tested without
    "no caddy: apt-get install caddy",  # Ubuntu 22.04 has none
    "no C compiler",  # the benchmark's stand-ins in Python are tested everywhere
    "no image was built",  # scripts/test-image builds and tests it, where there is a container engine
    "no namespace of one's own",  # a container may not make mounts
    "no control group of one's own",  # nor limit the memory of a process
)
CURES = (
    (("every path is passed on to",), "nothing is missing: this engine has every path"),
    (("no chromium",), "sudo apt install chromium (macOS: brew install --cask chromium)"),
    (("no nginx",), "sudo apt install nginx-light (macOS: brew install nginx)"),
    (("no caddy",), "sudo apt install caddy (macOS: brew install caddy)"),
    (("no curl",), "sudo apt install curl"),
    (("no C compiler",), "sudo apt install gcc"),
    (
        ("no node or npm", "node and npm are not", "node 20 is needed"),
        "Node 20 or newer: https://nodejs.org (Debian 13, Ubuntu 26.04: apt)",
    ),
    (("npm can't install",), "npm's registry has to be reached"),
    (("neither the docker compose",), "sudo apt install docker-compose (no engine is needed: files are only read)"),
    (("discord.py is not installed",), ".venv/bin/python -m pip install discord.py"),
    (("no image was built",), "gateway/scripts/test-image (needs docker or podman)"),
    (("no namespace of one's own",), "run as root, or where unprivileged user namespaces are allowed"),
    (("no control group of one's own",), "run as root, with /sys/fs/cgroup writable"),
    (("shellcheck is not", "nvidia-ml-py is not"), "make test (it installs what the tests need)"),
)
"""How a reason, by its beginning, is got out of the way. Others say it themselves."""


def cure(reason: str) -> str:
    """What to do for the tests that were left out for this reason; nothing where the reason says it."""
    return next((how for beginnings, how in CURES if reason.startswith(beginnings)), "")


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

    @pytest.hookimpl(trylast=True)
    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        if not self._reasons:
            return
        terminalreporter.section(f"{self._reasons.total()} left out here, and how to have them")
        for reason, count in sorted(self._reasons.items()):
            mark = ", UNEXPECTED" if self._strict and reason in self.unexpected else ""
            terminalreporter.line(f"{count:4} × {reason}{mark}")
            if how := cure(reason):
                terminalreporter.line(f"       {how}")

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
