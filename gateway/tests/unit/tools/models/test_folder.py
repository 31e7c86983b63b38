"""No name leads out of the models folder."""

from __future__ import annotations

import errno
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hayate.tools.models.folder import ModelsFolder, models_folder
from hayate.tools.models.refusals import FolderRefused, OutsideModels

ODD = ["..", ".", "", "a", "b c", "~", "\0", "\n", "C:", "\\", "日本", " ..", ".. "]
WORDS = st.one_of(st.sampled_from(ODD), st.text(max_size=5))
ELSEWHERE = ["", ".", "..", "../x", "a/../../x", "/etc/passwd", "a//b", ".pull/x", "a/.git", "a\0b", "a" * 2000]


@given(st.lists(WORDS, max_size=6), st.sampled_from(["", "/", "//"]))
def test_whatever_a_name_is_it_stays_within(words: list[str], start: str) -> None:
    folder = ModelsFolder(Path("/srv/models"))
    try:
        found = folder.place(start + "/".join(words))
    except OutsideModels:
        return
    assert found.is_relative_to(folder.path)
    assert found != folder.path
    assert ".." not in found.parts
    assert not any(part.startswith(".") for part in found.parts[3:])


@pytest.mark.parametrize("name", ELSEWHERE)
def test_what_leads_elsewhere_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(OutsideModels):
        ModelsFolder(tmp_path).place(name)


def test_a_folder_that_is_a_link_is_not_gone_through(tmp_path: Path) -> None:
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "link").symlink_to(tmp_path)
    folder = ModelsFolder(tmp_path / "models")
    with pytest.raises(OutsideModels, match="is a link"):
        folder.place("link/x")
    assert folder.place("link") == tmp_path / "models" / "link"


def test_the_models_folder_itself_may_be_a_link(tmp_path: Path) -> None:
    (tmp_path / "disk").mkdir()
    (tmp_path / "models").symlink_to(tmp_path / "disk")
    folder = ModelsFolder(tmp_path / "models")
    assert folder.staging("a--b").resolve() == tmp_path / "disk" / ".pull" / "a--b"
    folder.cleared("a--b")
    assert list((tmp_path / "disk").iterdir()) == []


def test_what_is_not_whole_is_not_put_behind_a_link(tmp_path: Path) -> None:
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / ".pull").symlink_to(tmp_path)
    with pytest.raises(FolderRefused):
        ModelsFolder(tmp_path / "models").staging("a--b")
    assert not (tmp_path / "a--b").exists()


def test_where_a_container_has_models_read_only_it_is_said_what_to_do_instead() -> None:
    refused = ModelsFolder(Path("/models")).refused(OSError(errno.EROFS, "read-only"))
    assert "the disk is read-only" in refused.english
    assert "pull on the host" in refused.english
    assert "let the engine fetch MODEL itself" in refused.english
    assert "読み取り専用のディスクです" in refused.japanese
    assert "--models" in ModelsFolder(Path("x")).refused(OSError(errno.ENOTDIR, "x")).english


def test_which_folder_it_is(tmp_path: Path) -> None:
    assert models_folder(None, {}).path == Path("models")
    assert models_folder(None, {"HAYATE_MODELS_DIR": "/srv/m"}).path == Path("/srv/m")
    assert models_folder(tmp_path, {"HAYATE_MODELS_DIR": "/srv/m"}).path == tmp_path
    assert ModelsFolder(tmp_path).free_bytes > 0
