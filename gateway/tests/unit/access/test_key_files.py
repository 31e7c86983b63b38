"""The gateway's own keys: from the environment, else from a file, else made; what can't be used is told in one line."""

from __future__ import annotations

import stat
from concurrent.futures import ThreadPoolExecutor, wait
from pathlib import Path

import pytest

from hayate.access.key_files import ADMIN, MAIN, KeyFileError, KeyPlace, ensure_key, ensure_keys, find_key, write_key
from hayate.store.alone import alone_in

KEY = "sk-hayate-0123456789abcdef"


def test_a_key_is_made_once_and_kept_for_its_owner_alone(tmp_path: Path) -> None:
    key, made = ensure_key(tmp_path / "data", {})
    path = tmp_path / "data" / "api_key"
    assert made
    assert key.startswith("sk-hayate-")
    assert len(key) > 40
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert ensure_key(tmp_path / "data", {}) == (key, False)


def test_of_two_that_start_at_once_one_makes_the_key(tmp_path: Path) -> None:
    with ThreadPoolExecutor(1) as other:
        with alone_in(tmp_path):
            second = other.submit(ensure_key, tmp_path, {})
            wait([second], 0.05)
            key = write_key(tmp_path)
        assert second.result() == (key, False)


def test_a_file_that_others_could_read_is_closed_to_them(tmp_path: Path) -> None:
    key = write_key(tmp_path)
    (tmp_path / "api_key").chmod(0o644)
    assert ensure_key(tmp_path, {}) == (key, False)
    assert stat.S_IMODE((tmp_path / "api_key").stat().st_mode) == 0o600


def test_the_environments_key_comes_first_and_is_not_written(tmp_path: Path) -> None:
    assert ensure_key(tmp_path, {"HAYATE_API_KEY": f" {KEY} "}) == (KEY, False)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("key", ["short", "鍵" * 20, "with space " * 3, "tab\tinside-0123456789", "x" * 15])
def test_a_key_that_could_not_be_sent_is_refused(tmp_path: Path, key: str) -> None:
    with pytest.raises(KeyFileError) as refusal:
        ensure_key(tmp_path, {"HAYATE_API_KEY": key})
    assert key not in str(refusal.value)


def test_a_new_key_replaces_the_old_one(tmp_path: Path) -> None:
    assert write_key(tmp_path) != write_key(tmp_path)
    assert len(list(tmp_path.iterdir())) == 1


@pytest.mark.parametrize(
    "kind", ["a file where the folder should be", "bytes that are no key", "a folder where the file should be"]
)
def test_a_key_file_that_cannot_be_used_is_one_line(tmp_path: Path, kind: str) -> None:
    data = tmp_path / "data"
    if kind.startswith("a file"):
        data.write_text("x")
    elif kind.startswith("bytes"):
        data.mkdir()
        (data / "api_key").write_bytes(b"\xff\xfe")
    else:
        (data / "api_key").mkdir(parents=True)
    with pytest.raises(KeyFileError) as refusal:
        ensure_key(data, {})
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize("place", [MAIN, ADMIN])
def test_looking_for_a_key_makes_none(tmp_path: Path, place: KeyPlace) -> None:
    assert find_key(tmp_path / "data", {}, place) is None
    assert list(tmp_path.iterdir()) == []
    made = write_key(tmp_path, place)
    assert made.startswith(place.prefix)
    assert find_key(tmp_path, {}, place) == made


def test_each_of_the_two_keys_has_a_variable_and_a_file_of_its_own(tmp_path: Path) -> None:
    callers, made = ensure_keys(tmp_path, {"HAYATE_ADMIN_KEY": KEY})
    assert made
    assert [path.name for path in tmp_path.iterdir()] == ["api_key"], "what the environment says is not written"
    assert ensure_key(tmp_path, {"HAYATE_ADMIN_KEY": KEY}, ADMIN) == (KEY, False)
    assert ensure_keys(tmp_path, {}) == (callers, False), "the operator's key is new here, the callers' is not"
    operators = (tmp_path / "admin_key").read_text(encoding="ascii").strip()
    assert operators.startswith("sk-hayate-admin-")
    assert operators != callers


def test_an_empty_file_is_as_if_there_was_none(tmp_path: Path) -> None:
    (tmp_path / "api_key").write_text("\n", encoding="ascii")
    assert find_key(tmp_path, {}) is None
    key, made = ensure_key(tmp_path, {})
    assert made
    assert (tmp_path / "api_key").read_text(encoding="ascii") == key + "\n"


def test_a_mistake_names_the_variable_or_the_file_to_mend(tmp_path: Path) -> None:
    with pytest.raises(KeyFileError, match=r"HAYATE_ADMIN_KEY has only 5 characters\. Set one of 16 or more"):
        find_key(tmp_path, {"HAYATE_ADMIN_KEY": "short"}, ADMIN)
    (tmp_path / "admin_key").write_text("two words-0123456789", encoding="ascii")
    with pytest.raises(KeyFileError, match=r"admin_key does not hold one key.*set HAYATE_ADMIN_KEY"):
        find_key(tmp_path, {}, ADMIN)
