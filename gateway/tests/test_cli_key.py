"""`hayate key`: shows the key, makes it when there is none, makes a new one when asked."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from pathlib import Path

HAYATE = str(Path(sys.executable).with_name("hayate"))


def key(data: Path, *options: str, **env: str) -> subprocess.CompletedProcess[str]:
    settings = {"PATH": os.environ["PATH"], "LANG": "C.UTF-8", "HAYATE_DATA": str(data), **env}
    return subprocess.run(
        [HAYATE, "key", *options],
        env=settings,
        cwd=data.parent,
        capture_output=True,
        timeout=30,
        check=False,
        text=True,
    )


def test_a_key_is_made_once_and_shown_alone_on_standard_output(tmp_path: Path) -> None:
    first, again = key(tmp_path / "data"), key(tmp_path / "data")
    kept = tmp_path / "data" / "api_key"
    assert first.stdout == again.stdout == kept.read_text(encoding="ascii")
    assert first.stderr == again.stderr == ""
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600


def test_rotating_makes_a_new_one_and_says_that_the_gateway_must_be_restarted(tmp_path: Path) -> None:
    old, new = key(tmp_path / "data"), key(tmp_path / "data", "--rotate")
    assert new.returncode == 0
    assert new.stdout != old.stdout
    assert "restart" in new.stderr
    assert "再起動" in new.stderr
    assert key(tmp_path / "data").stdout == new.stdout
    assert stat.S_IMODE((tmp_path / "data" / "api_key").stat().st_mode) == 0o600


def test_a_key_from_the_environment_is_shown_and_not_rotated(tmp_path: Path) -> None:
    given = {"HAYATE_API_KEY": "sk-given-0123456789"}
    assert key(tmp_path / "data", **given).stdout == "sk-given-0123456789\n"
    refused = key(tmp_path / "data", "--rotate", **given)
    assert refused.returncode != 0
    assert "HAYATE_API_KEY" in refused.stderr
    assert not (tmp_path / "data" / "api_key").exists()


def test_the_data_folder_of_a_file_counts_even_when_it_names_no_engine(tmp_path: Path) -> None:
    (tmp_path / "c.yaml").write_text(f"data: {tmp_path}/elsewhere\naliases: {{fast: embedded}}\n", encoding="utf-8")
    shown = key(tmp_path / "data", "--config", str(tmp_path / "c.yaml"), HAYATE_DATA="")
    assert shown.stdout == (tmp_path / "elsewhere" / "api_key").read_text(encoding="ascii")


def test_a_data_folder_that_can_not_be_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("a file", encoding="ascii")
    refused = key(tmp_path / "data")
    assert refused.returncode != 0
    assert len(refused.stderr.splitlines()) == 1
