"""What every test shares."""

from __future__ import annotations

import pytest

pytest_plugins = (
    "tests.support.skips",
    "tests.support.quick",
    "tests.support.stages",
    "tests.support.chromium",
    "tests.engines.shared",
)
pytest.register_assert_rewrite("tests.support", "tests.engines", "tests.browser.tab", "tests.browser.walk")


@pytest.fixture(scope="session")
def anyio_backend() -> tuple[str, dict[str, bool]]:
    """Asynchronous tests run on the event loop the gateway runs on."""
    return "asyncio", {"use_uvloop": True}
