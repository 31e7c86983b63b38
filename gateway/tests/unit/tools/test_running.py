"""Which gateway is meant: the configured one, wherever it listens, or the only one that runs."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from hayate.serve.whereabouts import Presence
from hayate.tools.running import Configured, Place, all_running, find_place, reachable


@pytest.fixture
def env(tmp_path: Path) -> dict[str, str]:
    return {"XDG_RUNTIME_DIR": str(tmp_path)}


@pytest.fixture
def running(tmp_path: Path) -> Iterator[Path]:
    """The data folder of a gateway that runs."""
    presence = Presence(tmp_path / "hayate")
    presence.tell("http://0.0.0.0:9000", tmp_path / "data")
    yield tmp_path / "data"
    presence.forget()


def test_the_configured_gateway_is_found_at_the_address_it_has(running: Path, env: dict[str, str]) -> None:
    place = find_place(Configured("127.0.0.1", 8080, running), env)
    assert (place.url, place.data) == ("http://127.0.0.1:9000", running)
    assert place.pid == all_running(env)[0].pid


def test_the_only_one_that_runs_is_meant_where_the_configured_folder_holds_no_key(
    running: Path, env: dict[str, str], tmp_path: Path
) -> None:
    elsewhere = tmp_path / "elsewhere"
    assert find_place(Configured("127.0.0.1", 8080, elsewhere), env).data == running
    elsewhere.mkdir()
    (elsewhere / "api_key").write_text("sk", encoding="ascii")
    assert find_place(Configured("127.0.0.1", 8080, elsewhere), env) == Place("http://127.0.0.1:8080", elsewhere)


@pytest.mark.parametrize(
    ("host", "url"),
    [
        ("127.0.0.1", "http://127.0.0.1:1"),
        ("0.0.0.0", "http://127.0.0.1:1"),
        ("::", "http://[::1]:1"),
        ("gpu", "http://gpu:1"),
    ],
)
def test_where_none_runs_the_configured_address_is_meant(host: str, url: str, env: dict[str, str]) -> None:
    assert find_place(Configured(host, 1, Path("data")), env) == Place(url, Path("data"))


def test_an_address_that_can_be_called_stays_as_it_is() -> None:
    assert reachable("http://[::]:80") == "http://[::1]:80"
    assert reachable("http://192.0.2.1:80") == "http://192.0.2.1:80"
