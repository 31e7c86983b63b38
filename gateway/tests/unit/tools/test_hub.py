"""The Hub, asked through its own library: each way it can fail has a kind, and nothing is asked that the cache knows."""

from __future__ import annotations

import hashlib
import random
import socket
from pathlib import Path

import pytest

from hayate.tools.download import WrongChecksum
from hayate.tools.hub import Hub
from hayate.tools.hub_trouble import BadName, Gated, HubTrouble, Lost, NoFile, NoRepository, NotGiven, NotKept, Offline
from tests.support.hub_stand_in import COMMIT, HubStandIn, hub_stand_in

REPOSITORIES = {"a/model": {"config.json": b"{}", "model.gguf": bytes(700)}}


def hub_of(stand_in: HubStandIn, home: Path, **more: str) -> Hub:
    return Hub({"HF_ENDPOINT": stand_in.url, "HF_HOME": str(home), **more})


def test_a_repository_is_listed_with_sizes_and_its_files_are_kept(tmp_path: Path) -> None:
    with hub_stand_in(REPOSITORIES) as stand_in:
        hub = hub_of(stand_in, tmp_path)
        assert hub.snapshot("a/model") is None
        listing = hub.files("a/model", 4)
        assert (listing.revision, listing.sizes) == (COMMIT, {"config.json": 2, "model.gguf": 700})
        kept = hub.fetch("a/model", "config.json")
        asked = len(stand_in.requests)
        assert hub.snapshot("a/model") == kept.parent
        assert len(stand_in.requests) == asked
    assert kept.is_relative_to(tmp_path / "hub")


def test_a_cache_of_its_own_goes_before_the_home(tmp_path: Path) -> None:
    with hub_stand_in(REPOSITORIES) as stand_in:
        kept = hub_of(stand_in, tmp_path / "home", HF_HUB_CACHE=str(tmp_path / "own")).fetch("a/model", "config.json")
    assert kept.is_relative_to(tmp_path / "own")


@pytest.mark.parametrize(
    ("behaviour", "repository", "kind", "status"),
    [
        ({"gated": frozenset({"a/model"})}, "a/model", Gated, 403),
        ({}, "a/none", NoRepository, 404),
        ({}, "a/..", BadName, None),
        ({"status": 500}, "a/model", NotGiven, 500),
        ({"page": b"<html>please sign in</html>"}, "a/model", NotGiven, None),
        ({"page": b"[]"}, "a/model", NotGiven, None),
        ({"silent": True}, "a/model", NotGiven, None),
    ],
)
def test_each_failure_has_its_kind_and_the_hubs_status(
    tmp_path: Path, behaviour: dict[str, object], repository: str, kind: type[HubTrouble], status: int | None
) -> None:
    with hub_stand_in(REPOSITORIES, **behaviour) as stand_in, pytest.raises(kind) as trouble:
        hub_of(stand_in, tmp_path).files(repository, 0.5)
    assert trouble.value.status == status
    assert trouble.value.kind.isidentifier()


def test_a_file_that_is_not_there_is_no_trouble_of_the_networks(tmp_path: Path) -> None:
    with hub_stand_in(REPOSITORIES) as stand_in, pytest.raises(NoFile):
        hub_of(stand_in, tmp_path).fetch("a/model", "none.gguf")


def test_a_folder_that_can_not_be_written_is_the_disks_trouble(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with hub_stand_in(REPOSITORIES) as stand_in, pytest.raises(NotKept) as trouble:
        hub_of(stand_in, tmp_path, HF_HUB_CACHE=str(tmp_path / "file" / "below")).fetch("a/model", "config.json")
    assert trouble.value.strerror == "Not a directory"


def test_nobody_there_is_told_without_the_address(tmp_path: Path) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with pytest.raises(NotGiven) as trouble:
        Hub({"HF_ENDPOINT": f"http://127.0.0.1:{port}", "HF_HOME": str(tmp_path)}).files("a/model", 0.5)
    assert str(port) not in trouble.value.kind


def test_offline_nobody_is_asked(tmp_path: Path) -> None:
    with hub_stand_in(REPOSITORIES) as stand_in:
        hub = hub_of(stand_in, tmp_path, HF_HUB_OFFLINE="1")
        assert hub.offline
        with pytest.raises(Offline):
            hub.files("a/model", 4)
        assert stand_in.requests == []


WEIGHTS = random.Random(2).randbytes(300_000)
LARGE = {"a/model": {"model.gguf": WEIGHTS, "config.json": b"{}"}}


def silent(_: int) -> None: ...


@pytest.fixture
def _at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hayate.tools.download.PAUSES_S", (0.0, 0.0))


def test_weights_are_kept_where_the_library_finds_them(tmp_path: Path) -> None:
    with hub_stand_in(LARGE) as stand_in:
        hub = hub_of(stand_in, tmp_path)
        listing = hub.files("a/model", 4)
        assert listing.checksums["model.gguf"] == hashlib.sha256(WEIGHTS).hexdigest()
        told: list[int] = []
        kept = hub.keep("a/model", "model.gguf", listing, told.append)
        assert (kept.read_bytes(), told[-1]) == (WEIGHTS, len(WEIGHTS))
        assert kept.parent == hub.snapshot("a/model")
        assert hub.keep("a/model", "model.gguf", listing, silent) == kept
        assert len(stand_in.starts) == 1
        assert hub.keep("a/model", "config.json", listing, silent).read_bytes() == b"{}"


@pytest.mark.usefixtures("_at_once")
def test_a_download_goes_on_where_it_was_cut_by_this_process_or_an_earlier_one(tmp_path: Path) -> None:
    with hub_stand_in(LARGE, cuts=[1000, 1001, 200_000, 200_000, 200_000, 200_000]) as stand_in:
        hub = hub_of(stand_in, tmp_path)
        listing = hub.files("a/model", 4)
        with pytest.raises(Lost):
            hub.download("a/model", "model.gguf", listing, tmp_path / "model.gguf", silent)
        assert stand_in.starts == [0, 1000, 1001, 200_000, 200_000, 200_000]
        assert [path.name for path in tmp_path.iterdir()] == [f"{listing.checksums['model.gguf']}.part"]
        hub.download("a/model", "model.gguf", listing, tmp_path / "model.gguf", silent)
        assert stand_in.starts[-1] == 200_000
    assert (tmp_path / "model.gguf").read_bytes() == WEIGHTS


def test_what_is_not_what_the_hub_promises_gets_no_name(tmp_path: Path) -> None:
    with hub_stand_in(LARGE, checksums={"model.gguf": "0" * 64}) as stand_in:
        hub = hub_of(stand_in, tmp_path)
        with pytest.raises(WrongChecksum):
            hub.keep("a/model", "model.gguf", hub.files("a/model", 4), silent)
        assert [path for path in tmp_path.rglob("*") if path.is_file() and path.stat().st_size > 100] == []


@pytest.mark.parametrize(
    ("behaviour", "kind"),
    [({"gated": frozenset({"a/model"})}, Gated), ({"status": 404}, NotGiven), ({"status": 500}, Lost)],
)
@pytest.mark.usefixtures("_at_once")
def test_files_that_are_refused_are_told_apart(
    tmp_path: Path, behaviour: dict[str, object], kind: type[HubTrouble]
) -> None:
    with hub_stand_in(LARGE) as stand_in:
        hub = hub_of(stand_in, tmp_path)
        listing = hub.files("a/model", 4)
        for name, value in behaviour.items():
            setattr(stand_in, name, value)
        with pytest.raises(kind):
            hub.download("a/model", "model.gguf", listing, tmp_path / "model.gguf", silent)
    assert [path for path in tmp_path.iterdir() if path.is_file()] == []


def test_the_token_goes_to_the_hub_alone(tmp_path: Path) -> None:
    with hub_stand_in(LARGE) as other, hub_stand_in(LARGE, token="hf_secret") as stand_in:
        stand_in.elsewhere = other.url.replace("127.0.0.1", "localhost")
        hub = hub_of(stand_in, tmp_path, HF_TOKEN="hf_secret")
        hub.download("a/model", "model.gguf", hub.files("a/model", 4), tmp_path / "model.gguf", silent)
        assert (tmp_path / "model.gguf").read_bytes() == WEIGHTS
        assert (stand_in.authorizations, other.authorizations) == ({"Bearer hf_secret"}, set())
        assert len(other.starts) == 1
