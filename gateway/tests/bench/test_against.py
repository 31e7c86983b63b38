"""A change against a commit: which trees run, when more pairs are wanted, and what is told."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import threading
from pathlib import Path
from typing import Any

import pytest
from bench.against import Against, Pairs, record, report, table, verdict, wanted
from bench.environments import Unavailable
from bench.pairs import ratio
from bench.peers import Site
from bench.scenarios import Plan
from bench.standing import ROOT
from bench.trees import Tree, committed, forget, project_key, working

ABOUT: dict[str, Any] = {
    "date": "2026-11-28",
    "cores": 2,
    "cpu": "Example 9000",
    "kernel": "6.1",
    "python": "3.11",
    "awake": True,
    "load_before": 0.1,
}
BEFORE, AFTER = Tree("0123abc", Path("a"), "hayate.cli:main"), Tree("4567def+changes", Path("b"), "hayate.cli:main")
NARROW, WIDE = [(10.0, 10.1)] * 20, [(10.0, 9.0), (10.0, 11.0)] * 10


def git(folder: Path, *arguments: str) -> str:
    who = {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_SYSTEM": os.devnull}
    who |= {f"GIT_{role}_{what}": "t@t.t" for role in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
    done = subprocess.run(
        ["git", "-C", str(folder), *arguments], env={**os.environ, **who}, capture_output=True, check=True
    )
    return done.stdout.decode().strip()


def project(folder: Path, source: str, entry: str) -> None:
    """A package named hayate in this folder."""
    package = folder / source / "hayate"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("")
    text = f'[project]\nname = "hayate"\n[project.scripts]\nhayate = "{entry}"\n'
    (folder / "pyproject.toml").write_text(text + f'[tool.setuptools.packages.find]\nwhere = ["{source}"]\n')


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """Two commits with different layouts, and a file that is in neither."""
    root = tmp_path / "repository"
    project(root / "gateway", "src", "hayate.cli:main")
    git(root, "init", "-q")
    git(root, "add", "-A")
    git(root, "commit", "-qm", "first")
    git(root, "mv", "gateway/pyproject.toml", "pyproject.toml")
    git(root, "mv", "gateway/src", "lib")
    project_file = root / "pyproject.toml"
    project_file.write_text(
        project_file.read_text().replace('"src"', '"lib"').replace("hayate.cli:main", "hayate.main:run")
    )
    git(root, "commit", "-qam", "second")
    (root / "lib" / "hayate" / "new.py").write_text("")
    (root / ".gitignore").write_text("ignored\n")
    (root / "ignored").write_text("")
    return root


def test_each_tree_is_started_as_its_own_project_file_says(repository: Path, tmp_path: Path) -> None:
    first = committed(repository, "HEAD~1", tmp_path / "home")
    assert first.label == git(repository, "rev-parse", "HEAD~1")[:9]
    assert first.entry == "hayate.cli:main"
    assert first.source.parts[-2:] == ("gateway", "src")
    assert committed(repository, "HEAD~1", tmp_path / "home") == first  # and is not unpacked again
    second = committed(repository, "HEAD", tmp_path / "home")
    assert (second.source.name, second.entry) == ("lib", "hayate.main:run")
    assert not (second.source / "hayate" / "new.py").exists()


def test_the_working_tree_is_copied_with_what_is_new_and_without_what_is_ignored(
    repository: Path, tmp_path: Path
) -> None:
    (repository / ".gitattributes").write_text("")
    (repository / "lib" / "hayate" / "__init__.py").unlink()
    (repository / "lib" / "hayate" / "__init__.py").write_text("changed = True\n")
    tree = working(repository, tmp_path / "home")
    assert tree.label == git(repository, "rev-parse", "--short", "HEAD") + "+changes"
    assert (tree.source / "hayate" / "new.py").exists()
    assert not (tree.source.parent / "ignored").exists()
    (repository / "lib" / "hayate" / "__init__.py").write_text("edited while it runs\n")
    assert (tree.source / "hayate" / "__init__.py").read_text() == "changed = True\n"


@pytest.mark.parametrize("revision", ["no-such-branch", "--help", "HEAD:lib", ""])
def test_what_is_no_commit_is_refused(repository: Path, tmp_path: Path, revision: str) -> None:
    with pytest.raises(Unavailable, match="git rev-parse"):
        committed(repository, revision, tmp_path / "home")


def test_a_tree_whose_package_is_not_the_one_that_would_run_is_refused(repository: Path, tmp_path: Path) -> None:
    (repository / "lib" / "hayate" / "__init__.py").write_text("raise ImportError('broken')\n")
    with pytest.raises(Unavailable, match="broken"):
        working(repository, tmp_path / "home")


def test_more_pairs_are_wanted_where_there_are_too_few_or_they_spread_too_far() -> None:
    assert wanted(Pairs({"paced": NARROW, "burst": WIDE, "plain": NARROW[:19]}), 20) == ["burst", "plain"]
    assert wanted(Pairs({"paced": NARROW, "burst": NARROW}), 20) == []


def test_the_estimate_is_of_minutes() -> None:
    comparison = Against(BEFORE, AFTER, Path())
    assert 5 < comparison.estimate_s() / 60 < 15
    assert comparison.estimate_s(1, ["plain"]) < comparison.estimate_s(1) < comparison.estimate_s(2)


def test_the_verdict_is_the_medians_and_says_when_it_is_uncertain() -> None:
    assert verdict(ratio(NARROW), 1.02) == "met"
    assert verdict(ratio([(10.0, 10.3)] * 20), 1.02) == "MISSED"
    assert verdict(ratio(WIDE), 1.02) == "met, but the interval is wide"
    assert verdict(ratio([]), 1.02) == "not measured"


def test_the_report_has_every_shape_and_every_error() -> None:
    found = Pairs({"paced": NARROW, "burst": WIDE, "plain": []})
    found.errors["after, burst: status 500"] = 3
    text = report(found, BEFORE, AFTER, ABOUT)
    assert "4567def+changes against 0123abc" in text
    assert "3 × after, burst: status 500" in text
    (paced,) = (line for line in table(found).splitlines() if line.startswith("| paced"))
    assert [cell.strip() for cell in paced.split("|")[1:-1]] == [
        "paced, µs/event",
        "10.0",
        "10.1",
        "1.010",
        "1.010 – 1.010",
        "20",
        "met",
    ]


def test_the_record_holds_every_pair_and_is_json_without_infinities() -> None:
    whole = json.loads(record(Pairs({"paced": NARROW, "burst": NARROW[:2]}), BEFORE, AFTER, ABOUT))
    assert whole["pairs_us"]["paced"][0] == [10.0, 10.1]
    assert whole["ratios"]["paced"]["median"] == pytest.approx(1.01)
    assert whole["ratios"]["burst"]["low"] is None
    assert (whole["before"], whole["after"]) == ("0123abc", "4567def+changes")


@pytest.mark.slow
@pytest.mark.anyio
async def test_two_pairs_of_this_checkout_against_itself(tmp_path: Path) -> None:
    tree = Tree("itself", ROOT / "gateway" / "src", "hayate.cli:main")
    plan = Plan(warm_s=0.1, paced_s=0.3, burst_s=0.2)
    found = await Against(tree, tree, tmp_path, pairs=1, most=2, plan=plan).run()
    assert {shape: len(costs) for shape, costs in found.costs.items()} == {"paced": 2, "burst": 2, "plain": 2}
    assert all(0.2 < each.median < 5 for each in found.ratios().values())
    assert not found.errors


@pytest.mark.parametrize(
    ("status", "said", "expected"),
    [
        ("201 Created", b'{"key":"hy-new"}', "hy-new"),
        ("404 Not Found", b"{}", "sk-own"),
        ("409 Conflict", b"taken", None),
    ],
)
def test_calls_carry_a_projects_key_or_the_look_does_not_take_place(
    tmp_path: Path, status: str, said: bytes, expected: str | None
) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "admin_key").write_text("sk-admin")
    with socket.create_server(("127.0.0.1", 0)) as listening:
        site = Site(tmp_path, listening.getsockname()[1], 1, "sk-own")

        def answer() -> None:
            connection, _ = listening.accept()
            with connection:
                while b"concurrency" not in connection.recv(65536):
                    pass
                connection.sendall(b"HTTP/1.1 %b\r\ncontent-length: %d\r\n\r\n" % (status.encode(), len(said)) + said)

        serving = threading.Thread(target=answer)
        serving.start()
        try:
            if expected is None:
                with pytest.raises(Unavailable, match="409: taken"):
                    project_key(site)
            else:
                assert project_key(site) == expected
        finally:
            serving.join()


def test_a_process_finds_nothing_that_the_one_before_it_kept(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "hayate.db").touch()

    forget(Site(tmp_path, 1, 1, ""))

    assert not (tmp_path / "data").exists()
