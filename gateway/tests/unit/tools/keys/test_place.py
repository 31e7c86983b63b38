"""Which store is meant: the configured one, else that of the only gateway that runs; what only looks makes none."""

from __future__ import annotations

from pathlib import Path

import pytest

from hayate.serve.whereabouts import Presence
from hayate.settings import Keeping
from hayate.store.store import Store
from hayate.tools.environment import alone
from hayate.tools.keys.place import NoStore, place_of_store


def env(tmp_path: Path, **more: str) -> dict[str, str]:
    return {"HAYATE_DATA": str(tmp_path / "data"), "XDG_RUNTIME_DIR": str(tmp_path / "run"), **more}


def made(folder: Path) -> Path:
    Store.open(folder, Keeping()).close()
    return folder / "hayate.db"


def test_the_configured_one(tmp_path: Path) -> None:
    path = made(tmp_path / "data")
    place = place_of_store(None, alone(env(tmp_path)))
    assert (place.path, place.data, place.note) == (path, tmp_path / "data", None)


def test_the_file_may_say_where(tmp_path: Path) -> None:
    (tmp_path / "c.yaml").write_text("store: {file: /elsewhere/x.db}\naliases: {fast: embedded}\n", encoding="utf-8")
    place = place_of_store(tmp_path / "c.yaml", alone(env(tmp_path)), make=True)
    assert place.path == Path("/elsewhere/x.db")
    assert place.data == tmp_path / "data"


@pytest.mark.parametrize("lang", ["en", "ja"])
def test_where_none_is_none_is_made_but_to_keep_a_key(tmp_path: Path, lang: str) -> None:
    with pytest.raises(NoStore) as told:
        place_of_store(None, alone(env(tmp_path)))
    assert str(tmp_path / "data" / "hayate.db") in told.value.text("ja" if lang == "ja" else "en")
    assert "HAYATE_DATA" in told.value.text("ja" if lang == "ja" else "en")
    place = place_of_store(None, alone(env(tmp_path)), make=True)
    assert place.note is not None
    assert str(place.path) in place.note.en
    assert list(tmp_path.iterdir()) == []


def test_that_of_the_only_gateway_that_runs_is_used_and_said(tmp_path: Path) -> None:
    path = made(tmp_path / "theirs")
    presence = Presence(tmp_path / "run" / "hayate")
    presence.tell("http://127.0.0.1:8099", tmp_path / "theirs")
    try:
        place = place_of_store(None, alone(env(tmp_path)))
        assert (place.path, place.data) == (path, tmp_path / "theirs")
        assert place.note is not None
        assert "http://127.0.0.1:8099" in place.note.en
        assert str(path) in place.note.ja
        made(tmp_path / "data")
        assert place_of_store(None, alone(env(tmp_path))).path == tmp_path / "data" / "hayate.db"
    finally:
        presence.forget()
