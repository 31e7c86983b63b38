"""What every test shares."""

from __future__ import annotations

import signal

import pytest

pytest_plugins = (
    "tests.support.skips",
    "tests.support.quick",
    "tests.support.stages",
    "tests.support.chromium",
    "tests.engines.shared",
)
pytest.register_assert_rewrite("tests.support", "tests.engines", "tests.browser.tab", "tests.browser.walk")


def pytest_configure() -> None:
    """What a shell runs in the background never hears of Ctrl-C, nor does what that starts: some tests send it."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def anyio_backend() -> tuple[str, dict[str, bool]]:
    """Asynchronous tests run on the event loop the gateway runs on."""
    return "asyncio", {"use_uvloop": True}
