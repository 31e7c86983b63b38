"""A gateway leaves word of itself while it runs; leftovers and what others put there mislead nobody."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from hayate.serve.whereabouts import Presence, RunningGateway, running_gateways, runtime_folder

TELL = "import sys; from pathlib import Path; from hayate.serve.whereabouts import Presence;"
TELL += "p = Presence(Path(sys.argv[1])); p.tell('http://127.0.0.1:1', Path(sys.argv[2])); print('told', flush=True);"
TELL += "sys.stdin.read()"


def test_one_that_runs_is_found_until_it_ends(tmp_path: Path) -> None:
    presence = Presence(tmp_path / "run")
    presence.tell("http://127.0.0.1:9", tmp_path / "data")
    assert running_gateways(tmp_path / "run") == [RunningGateway("http://127.0.0.1:9", tmp_path / "data", os.getpid())]
    presence.forget()
    presence.forget()
    assert running_gateways(tmp_path / "run") == []


def test_one_that_was_killed_is_not_found_and_its_file_is_taken_away(tmp_path: Path) -> None:
    command = [sys.executable, "-c", TELL, str(tmp_path / "run"), str(tmp_path / "data")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"told\n"
        assert [each.pid for each in running_gateways(tmp_path / "run")] == [process.pid]
        process.kill()
        process.wait()
    assert list((tmp_path / "run").iterdir())
    assert running_gateways(tmp_path / "run") == []
    assert list((tmp_path / "run").iterdir()) == []


def test_a_folder_that_others_may_write_to_is_not_believed_nor_used(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    folder.mkdir()
    folder.chmod(0o777)
    presence = Presence(folder)
    presence.tell("http://127.0.0.1:9", tmp_path)
    assert list(folder.iterdir()) == []
    assert running_gateways(folder) == []
    (tmp_path / "link").symlink_to(tmp_path)
    assert running_gateways(tmp_path / "link") == []


def test_where_nothing_can_be_left_the_gateway_runs_on(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x", encoding="ascii")
    presence = Presence(tmp_path / "file" / "below")
    presence.tell("http://127.0.0.1:9", tmp_path)
    presence.forget()
    assert running_gateways(tmp_path / "file" / "below") == []


def test_files_of_no_gateway_are_passed_over(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    folder.mkdir(mode=0o700)
    os.mkfifo(folder / "0.json")
    (folder / "1.json").symlink_to("/etc/passwd")
    (folder / "2.json").mkdir()
    assert running_gateways(folder) == []


def test_the_folder_is_the_users_own(tmp_path: Path) -> None:
    assert runtime_folder({"XDG_RUNTIME_DIR": "/run/user/7"}) == Path("/run/user/7/hayate")
    assert runtime_folder({}).name == f"hayate-{os.getuid()}"
