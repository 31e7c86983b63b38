"""Models from the Hub: cut anywhere, wrong, without room. What has a name is whole; what has come is not asked for again."""

from __future__ import annotations

import random
import signal
import time
from pathlib import Path

import pytest

from hayate.tools.embedded.reference import HubModel
from hayate.tools.hub import Hub
from hayate.tools.models import hub_pull
from hayate.tools.models.folder import ModelsFolder
from hayate.tools.models.hub_pull import pull_from_hub
from hayate.tools.models.refusals import CannotDo, InTheWay, NotPulled, TooLittleRoom
from tests.support.hub_stand_in import HubStandIn, hub_stand_in
from tests.unit.tools.models.pulling import GGUF, REPOSITORIES, SAFE, WEIGHTS, environment, running, typed, visible

MODEL, SPLIT, FOLDER = HubModel("o/m-GGUF"), HubModel("o/m-GGUF", quantisation="F16"), HubModel("o/Safe-7B")
WANTED = {f"Safe-7B/{name}": body for name, body in SAFE.items() if name != "flax.msgpack"}


class Place:
    """A models folder beside a stand-in."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.said: list[str] = []

    def pull(self, model: HubModel = MODEL, *, replace: bool = False) -> hub_pull.Pulled:
        return pull_from_hub(model, ModelsFolder(self.folder / "models"), replace, lambda en, _: self.said.append(en))

    def refused(self, kind: type[CannotDo], model: HubModel = MODEL) -> str:
        with pytest.raises(kind) as found:
            self.pull(model)
        assert found.value.japanese != found.value.english
        return found.value.english


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


def at(hub: HubStandIn, monkeypatch: pytest.MonkeyPatch, folder: Path) -> HubStandIn:
    """The library in this process asks this one."""
    env = {"HF_ENDPOINT": hub.url, "HF_HOME": str(folder / "hf")}
    monkeypatch.setattr(hub_pull, "Hub", lambda: Hub(env))
    monkeypatch.setattr("hayate.tools.download.PAUSES_S", (0.0,))
    return hub


def test_a_gguf_comes_whole_and_a_second_time_nothing_is_fetched(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    with hub_stand_in(REPOSITORIES) as stand_in:
        hub = at(stand_in, monkeypatch, place.folder)
        first, second = place.pull(), place.pull()
        assert (first.path.name, first.came, first.size_bytes, second.came) == ("m-Q4_K_M.gguf", 1, len(WEIGHTS), 0)
        assert len(hub.starts) == 1
    assert visible(place.folder) == {"m-Q4_K_M.gguf": WEIGHTS}
    assert not (place.folder / "models" / ".pull").exists()
    assert place.said == ["Downloading m-Q4_K_M.gguf (600 kB) from o/m-GGUF"]


def test_a_split_one_has_no_first_part_before_all_are_there(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    with hub_stand_in(REPOSITORIES, checksums={"b-F16-00001-of-00002.gguf": "0" * 64}) as stand_in:
        hub = at(stand_in, monkeypatch, place.folder)
        assert "b-F16-00001-of-00002.gguf does not have the checksum" in place.refused(NotPulled, SPLIT)
        assert visible(place.folder) == {}
        hub.checksums = {}
        assert place.pull(SPLIT).path.name == "b-F16-00001-of-00002.gguf"
        assert hub.starts == [0, 0, 0], "the other part was there"
    assert visible(place.folder) == {name: body for name, body in GGUF.items() if name.startswith("b-")}


def test_a_folder_appears_in_one_step_with_all_that_is_read(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    with hub_stand_in(REPOSITORIES, cuts=[100_000, 100_000, 100_000]) as stand_in:
        at(stand_in, monkeypatch, place.folder)
        assert "it goes on where it was cut" in place.refused(NotPulled, FOLDER)
        assert visible(place.folder) == {}
        assert place.pull(FOLDER).path == place.folder / "models" / "Safe-7B"
        assert stand_in.starts[:4] == [0, 100_000, 100_000, 100_000]
    assert visible(place.folder) == WANTED
    assert any(line.startswith("100 kB of it came before") for line in place.said)


def test_another_file_of_the_name_stays_unless_it_is_to_give_way(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    path = place.folder / "models" / "m-Q4_K_M.gguf"
    path.parent.mkdir()
    path.write_bytes(b"precious")
    with hub_stand_in(REPOSITORIES) as stand_in:
        at(stand_in, monkeypatch, place.folder)
        assert "is something else" in place.refused(InTheWay)
        assert (path.read_bytes(), stand_in.starts) == (b"precious", [])
        place.pull(replace=True)
    assert path.read_bytes() == WEIGHTS


def test_a_link_gives_way_and_what_it_leads_to_stays(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    outside = place.folder / "precious"
    outside.write_bytes(b"precious")
    (place.folder / "models").mkdir()
    (place.folder / "models" / "m-Q4_K_M.gguf").symlink_to(outside)
    (place.folder / "models" / "Safe-7B").symlink_to(place.folder)
    with hub_stand_in(REPOSITORIES) as stand_in:
        at(stand_in, monkeypatch, place.folder)
        place.refused(InTheWay)
        place.pull(replace=True)
        assert "is a link" in place.refused(CannotDo, FOLDER)
    assert outside.read_bytes() == b"precious"
    assert not (place.folder / "config.json").exists()
    assert visible(place.folder)["m-Q4_K_M.gguf"] == WEIGHTS


def test_a_newer_commit_takes_the_place_of_what_differs(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    newer = {**SAFE, "config.json": b'{"a": 1}'}
    with hub_stand_in(REPOSITORIES) as stand_in:
        at(stand_in, monkeypatch, place.folder)
        place.pull(FOLDER)
        stand_in.repositories = {"o/Safe-7B": newer}
        place.refused(InTheWay, FOLDER)
        assert place.pull(FOLDER, replace=True).came == 1
    assert visible(place.folder)["Safe-7B/config.json"] == b'{"a": 1}'


@pytest.mark.parametrize("name", ["../../up.gguf", "/etc/up.gguf", "a/../../up.gguf", ".hidden-Q4_K_M.gguf"])
def test_a_repository_with_such_names_puts_nothing_elsewhere(
    place: Place, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    with hub_stand_in({"o/m-GGUF": {name: WEIGHTS}, "o/Safe-7B": {name + ".safetensors": WEIGHTS}}) as stand_in:
        at(stand_in, monkeypatch, place.folder)
        for model in (MODEL, FOLDER):
            try:
                place.pull(model)
            except CannotDo:
                pass
    found = [path for path in place.folder.rglob("*up.gguf*") if path.is_file()]
    assert all(path.is_relative_to(place.folder / "models") for path in found)
    assert not Path("/etc/up.gguf").exists()
    assert not list(place.folder.parent.glob("up.gguf*"))


def test_without_room_for_it_nothing_is_begun(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ModelsFolder, "free_bytes", 100_000)
    with hub_stand_in(REPOSITORIES) as stand_in:
        at(stand_in, monkeypatch, place.folder)
        assert "needs 600 kB more, and the disk of" in place.refused(TooLittleRoom)
        assert stand_in.starts == []


@pytest.mark.parametrize(
    ("behaviour", "says"),
    [
        ({"gated": frozenset({"o/m-GGUF"})}, "asks for consent"),
        ({"token": "hf_x"}, "set an HF_TOKEN"),
        ({"status": 500}, "(status 500)"),
        ({"page": b"<html>"}, "can't be had from"),
    ],
)
def test_what_the_hub_refuses_is_told(
    place: Place, monkeypatch: pytest.MonkeyPatch, behaviour: dict[str, object], says: str
) -> None:
    with hub_stand_in(REPOSITORIES, **behaviour) as stand_in:
        at(stand_in, monkeypatch, place.folder)
        assert says in place.refused(NotPulled)


def test_what_is_not_there_is_told_with_what_is(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    with hub_stand_in(REPOSITORIES) as stand_in:
        at(stand_in, monkeypatch, place.folder)
        assert "has: " in place.refused(NotPulled, HubModel("o/m-GGUF", quantisation="Q2_K"))
        assert "is not on" in place.refused(NotPulled, HubModel("o/none"))


def test_cut_at_thirty_places_it_goes_on_each_time_and_is_never_half(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By as many calls as it takes: each is one command, which the stand-in cuts and which gives up after two tries."""
    cuts = sorted([*random.Random(9).sample(range(len(WEIGHTS)), 28), 0, len(WEIGHTS) - 1])
    with hub_stand_in(REPOSITORIES) as stand_in:
        at(stand_in, monkeypatch, place.folder)
        for cut in cuts:
            stand_in.cuts = [cut, cut, cut]
            place.refused(NotPulled)
            assert visible(place.folder) == {}
            stand_in.cuts = []
            kept = [path.stat().st_size for path in (place.folder / "models").rglob("*.part")]
            assert kept == ([cut] if cut else [])
        place.pull()
        assert stand_in.starts[-1] == cuts[-1]
        fetched = set(stand_in.starts)
    assert visible(place.folder) == {"m-Q4_K_M.gguf": WEIGHTS}
    assert fetched <= {0, *cuts}


@pytest.mark.slow
def test_killed_at_any_moment_another_process_goes_on(tmp_path: Path) -> None:
    weights = WEIGHTS * 40
    with hub_stand_in({"o/m-GGUF": {"m-Q4_K_M.gguf": weights}}) as hub:
        hub.pause_s = 0.002
        env = environment(hub.url, tmp_path)
        for _ in range(4):
            with running(["pull", "o/m-GGUF"], env, tmp_path) as process:
                began = len(hub.starts)
                while len(hub.starts) == began:
                    time.sleep(0.01)
                    assert process.poll() is None, process.stderr
                time.sleep(random.Random(began).random() * 0.3)
                process.send_signal(signal.SIGKILL)
            assert visible(tmp_path) == {}
        hub.pause_s = 0.0
        done = typed(["pull", "o/m-GGUF"], env, tmp_path)
        assert (done.returncode, done.stdout) == (0, "models/m-Q4_K_M.gguf\n")
        assert "of it came before: it goes on from there" in done.stderr
        assert hub.starts == sorted(hub.starts)
        assert hub.starts[-1] > 0
    assert visible(tmp_path) == {"m-Q4_K_M.gguf": weights}


def test_a_disk_that_is_full_is_told_and_what_came_is_kept(tmp_path: Path) -> None:
    """A limit on the size of files stands for the disk: it stops a write in its middle just so, and needs no rights."""
    with hub_stand_in(REPOSITORIES) as hub:
        for language, says in (("en", "What has come is kept"), ("ja", "受信済みの分は残っています")):
            full = typed(["pull", "o/m-GGUF"], environment(hub.url, tmp_path, language), tmp_path, most_bytes=250_001)
            assert (full.returncode, full.stdout) == (1, "")
            assert says in full.stderr
            assert "Traceback" not in full.stderr
            assert visible(tmp_path) == {}
            assert [path.stat().st_size for path in tmp_path.rglob("*.part")] == [250_001]
        done = typed(["pull", "o/m-GGUF"], environment(hub.url, tmp_path), tmp_path)
        assert done.returncode == 0
        assert hub.starts == [0, 250_001, 250_001]
    assert visible(tmp_path) == {"m-Q4_K_M.gguf": WEIGHTS}


def test_ctrl_c_keeps_what_has_come_and_says_so(tmp_path: Path) -> None:
    with hub_stand_in({"o/m-GGUF": {"m-Q4_K_M.gguf": WEIGHTS * 10}}) as hub:
        hub.pause_s = 1.0
        with running(["pull", "o/m-GGUF"], environment(hub.url, tmp_path), tmp_path) as process:
            while not any(path.stat().st_size for path in tmp_path.rglob("*.part")):
                time.sleep(0.01)
                assert process.poll() is None
            process.send_signal(signal.SIGINT)
            out, err = process.communicate()
        assert (process.returncode, out) == (130, "")
        assert "Stopped. What has come is kept" in err
        assert "Traceback" not in err
    assert visible(tmp_path) == {}
