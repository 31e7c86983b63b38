"""Other people's code in the page: what is served was taken from npm's registry, as the lock file pins it, with its licence."""

from __future__ import annotations

import gzip
import json

import pytest

from tests.support.vendored import LANGUAGES, MANIFEST, TAKEN, VENDOR, pinned, sha256

STATIC = VENDOR.parent
MAX_GZIPPED_BYTES = 400_000
TOLD = json.loads((VENDOR / MANIFEST).read_text(encoding="utf-8"))


@pytest.mark.parametrize("package", TAKEN)
def test_a_package_is_the_pinned_one_and_its_files_are_unchanged(package: str) -> None:
    told = TOLD[package]
    assert {name: told[name] for name in ("version", "license", "integrity")} == {
        name: pinned()[package][name] for name in ("version", "license", "integrity")
    }, "gateway/scripts/vendor takes them anew"
    assert set(told["files"]) == set(TAKEN[package].values())
    assert told["files"] == {name: sha256(VENDOR / name) for name in told["files"]}
    assert "LICENSE" in TAKEN[package]


def test_no_other_file_lies_among_them() -> None:
    there = {path.relative_to(VENDOR).as_posix() for path in VENDOR.rglob("*") if path.is_file()}
    assert there == {MANIFEST, *(name for told in TOLD.values() for name in told["files"])}


def test_every_language_that_the_page_colours_is_there() -> None:
    assert "python" in LANGUAGES
    assert {f"highlight/{each}.js" for each in LANGUAGES} < set(TOLD["@highlightjs/cdn-assets"]["files"])


def test_the_whole_page_is_light() -> None:
    files = [path for path in STATIC.rglob("*") if path.suffix in (".js", ".css", ".html", ".svg")]
    assert sum(len(gzip.compress(path.read_bytes())) for path in files) < MAX_GZIPPED_BYTES


def test_our_own_modules_are_small() -> None:
    ours = [path for path in STATIC.rglob("*.js") if VENDOR not in path.parents]
    assert [path.name for path in ours if path.read_text(encoding="utf-8").count("\n") > 300] == []
