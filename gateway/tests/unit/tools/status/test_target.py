"""Which gateway is asked, and which key goes where."""

from __future__ import annotations

from pathlib import Path

import pytest

from hayate.serve.whereabouts import RunningGateway
from hayate.tools.running import Place
from hayate.tools.status.refusals import CannotTell
from hayate.tools.status.target import Target, target_of

KEPT, GIVEN = "sk-hayate-admin-kept-in-the-folder", "sk-hayate-admin-given-by-a-variable"


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A gateway's data folder."""
    (tmp_path / "admin_key").write_text(KEPT + "\n", encoding="ascii")
    return tmp_path


def target(url: str | None, data: Path, env: dict[str, str] | None = None, running: Path | None = None) -> Target:
    """With a gateway configured at port 8080, and one running at 9000."""
    others = [RunningGateway("http://0.0.0.0:9000", running, 1)] if running else []
    return target_of(url, lambda: Place("http://127.0.0.1:8080", data, None), others, env or {})


def test_the_configured_gateway_gets_the_key_of_its_folder(data: Path) -> None:
    found = target(None, data)
    assert (found.url, found.key) == ("http://127.0.0.1:8080", KEPT)
    assert found.key_from.en == str(data / "admin_key")


def test_a_given_key_wins(data: Path) -> None:
    found = target(None, data, {"HAYATE_ADMIN_KEY": GIVEN})
    assert (found.key, found.key_from.ja) == (GIVEN, "HAYATE_ADMIN_KEY")


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:8080", "localhost:8080", "http://[::1]:8080/", "http://0.0.0.0:8080"]
)
def test_this_machines_own_names_are_the_same_gateway(data: Path, url: str) -> None:
    assert target(url, data).key == KEPT


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:8081", "http://example.org:8080", "https://127.0.0.1:8080", "http://10.0.0.1:8080"]
)
def test_no_other_address_gets_the_folders_key(data: Path, url: str) -> None:
    assert target(url, data).key is None
    assert target(url, data, {"HAYATE_ADMIN_KEY": GIVEN}).key == GIVEN


def test_a_running_gateway_gets_the_key_of_its_own_folder(data: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    other = tmp_path_factory.mktemp("other")
    assert target("http://127.0.0.1:9000", other, running=data).key == KEPT


@pytest.mark.parametrize(
    ("url", "asked"),
    [
        ("http://0.0.0.0:8080", "http://127.0.0.1:8080"),
        ("http://[::]:8080", "http://[::1]:8080"),
        ("https://example.org/llm/", "https://example.org/llm"),
        ("example.org", "http://example.org"),
    ],
)
def test_an_address_is_asked_as_it_can_be_opened(data: Path, url: str, asked: str) -> None:
    assert target(url, data, {"HAYATE_ADMIN_KEY": GIVEN}).url == asked


@pytest.mark.parametrize(
    "url", ["ftp://h", "http://", "http://h:99999", "http://h:0", "http://u:p@h", "http://h/\n", "http://é"]
)
def test_what_is_no_address_is_refused(data: Path, url: str) -> None:
    with pytest.raises(CannotTell, match="--url"):
        target(url, data)
