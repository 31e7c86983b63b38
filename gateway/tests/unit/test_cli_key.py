"""The keys' folder as the commands find it: `hayate key` shows the key and never makes a second one; a folder that can't be used
is one line.
"""

from __future__ import annotations

import os
import socket
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from hayate.access.key_files import ensure_key
from tests.support.gateway import RunningGateway, running_gateway
from tests.support.http import fetch
from tests.support.nursery import run
from tests.support.waiting import LAST_RESORT_S

SOURCE = Path(__file__).parents[2] / "src"


def hayate(verb: str, data: Path | None, *options: str, cwd: Path, **env: str) -> subprocess.CompletedProcess[str]:
    # A folder of the test's own, where no other gateway of this user has left word of itself.
    settings = {"PATH": os.environ["PATH"], "LANG": "C.UTF-8", "XDG_RUNTIME_DIR": "/nowhere", **env}
    if data is not None:
        settings["HAYATE_DATA"] = str(data)
    return run([verb, *options], settings, cwd)


def key(data: Path, *options: str, **env: str) -> subprocess.CompletedProcess[str]:
    return hayate("key", data, *options, cwd=data.parent, **env)


def kept_key(data: Path) -> str:
    """As a gateway's first start leaves it."""
    return ensure_key(data, {})[0]


def test_the_key_of_the_first_start_is_shown_alone_on_standard_output(tmp_path: Path) -> None:
    made = kept_key(tmp_path / "data")
    for _ in range(2):
        shown = key(tmp_path / "data")
        assert (shown.returncode, shown.stdout, shown.stderr) == (0, made + "\n", "")


@pytest.mark.parametrize("options", [(), ("--rotate",)])
@pytest.mark.parametrize(
    ("lang", "says"), [("C.UTF-8", "There is no API key at"), ("ja_JP.UTF-8", "APIキーがありません")]
)
def test_from_another_folder_no_second_key_is_made_and_the_place_is_named(
    tmp_path: Path, options: tuple[str, ...], lang: str, says: str
) -> None:
    kept_key(tmp_path / "data")
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    shown = hayate("key", None, *options, cwd=elsewhere, LANG=lang)
    assert (shown.returncode, shown.stdout) == (1, "")
    assert says in shown.stderr
    assert all(
        named in shown.stderr
        for named in (str(elsewhere / "data" / "api_key"), "HAYATE_DATA", "--config", "hayate key create")
    )
    assert len(shown.stderr.splitlines()) == 1
    assert list(elsewhere.iterdir()) == []


def test_with_a_file_the_key_is_the_same_from_every_folder(tmp_path: Path) -> None:
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc" / "c.yaml").write_text("aliases: {fast: embedded}\n", encoding="utf-8")
    made = kept_key(tmp_path / "etc" / "data")
    for folder, name in (
        (tmp_path, "etc/c.yaml"),
        (tmp_path / "etc", "c.yaml"),
        (Path("/"), str(tmp_path / "etc/c.yaml")),
    ):
        assert hayate("key", None, "--config", name, cwd=folder).stdout == made + "\n"


def test_rotating_makes_a_new_one_and_says_that_the_gateway_must_be_restarted(tmp_path: Path) -> None:
    old, new = kept_key(tmp_path / "data"), key(tmp_path / "data", "--rotate")
    assert new.returncode == 0
    assert new.stdout != old + "\n"
    assert "restart" in new.stderr
    assert "再起動" in key(tmp_path / "data", "--rotate", LANG="ja_JP.UTF-8").stderr
    new = key(tmp_path / "data", "--rotate")
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
    made = kept_key(tmp_path / "elsewhere")
    assert hayate("key", None, "--config", str(tmp_path / "c.yaml"), cwd=tmp_path).stdout == made + "\n"


SERVE = {"LLM_BACKEND": "openai", "BACKEND_URL": "http://127.0.0.1:9", "HAYATE_PORT": "0"}
GIVEN = {"HAYATE_API_KEY": "sk-given-0123456789"}
PLACES = ("a file", "below a file", "no such system folder", "a folder where the key should be", "too long a name")


def place(tmp_path: Path, kind: str) -> Path:
    data = tmp_path / "data"
    if kind == "a file":
        data.write_text("x", encoding="ascii")
    elif kind == "below a file":
        data.write_text("x", encoding="ascii")
        data = data / "deeper"
    elif kind == "no such system folder":  # where even root can make none, as on a read-only disk
        data = Path("/proc/none")
    elif kind == "too long a name":
        data = tmp_path / ("x" * 300)
    else:
        for name in ("api_key", "admin_key"):
            (data / name).mkdir(parents=True)
    return data


TRIED = [
    *(("serve", kind, {}) for kind in PLACES),
    *((verb, kind, {}) for verb in ("up", "key") for kind in PLACES[1:4]),
    *((verb, PLACES[2], GIVEN) for verb in ("serve", "up", "key")),
]


@pytest.mark.parametrize(("verb", "kind", "given"), TRIED)
def test_a_data_folder_that_can_not_be_used_is_one_line(
    tmp_path: Path, verb: str, kind: str, given: dict[str, str]
) -> None:
    data = place(tmp_path, kind)
    refused = hayate(verb, data, cwd=tmp_path, **SERVE, **given)
    if verb == "key" and given:
        assert refused.stdout == "sk-given-0123456789\n"
        return
    assert refused.returncode == (1 if (verb, kind) == ("key", "no such system folder") else 2)  # there is none to show
    assert "Traceback" not in refused.stderr
    assert len(refused.stderr.splitlines()) == 1
    assert str(data) in refused.stderr
    assert ("HAYATE_ADMIN_KEY" if given else "HAYATE_API_KEY" if verb != "key" else "HAYATE_DATA") in refused.stderr


def test_another_asgi_server_gets_the_line_too(tmp_path: Path) -> None:
    for env, said in (
        ({"HAYATE_DATA": "/proc/none"}, "HAYATE_API_KEY"),
        ({"BACKEND_URL": "http://gpu:0"}, "a port that is none"),
    ):
        loaded = subprocess.run(
            [sys.executable, "-c", "import main"],
            env={"PATH": os.environ["PATH"], "PYTHONPATH": str(SOURCE), **env},
            cwd=tmp_path,
            capture_output=True,
            timeout=LAST_RESORT_S,
            check=False,
            text=True,
        )
        assert loaded.returncode == 1
        assert len(loaded.stderr.splitlines()) == 1
        assert said in loaded.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.anyio
async def test_the_first_start_says_where_it_keeps_the_key_that_hayate_key_then_shows() -> None:
    async with running_gateway({"BACKEND_URL": "http://127.0.0.1:9"}, key="") as gateway:
        made = [line for line in gateway.stderr().splitlines() if '"key_made"' in line]
        assert [str(gateway.data / "api_key") in line for line in made] == [True]
        shown = key(gateway.data).stdout.strip()
        assert (await fetch(gateway.url, "/v1/models", key=shown)).status == 200
        assert shown not in gateway.stderr() + gateway.stdout()


def pointed_at(gateway: RunningGateway) -> dict[str, str]:
    """Where this test's gateways leave word of themselves."""
    return {"XDG_RUNTIME_DIR": str(gateway.data.parent)}


@pytest.mark.anyio
async def test_from_any_folder_the_key_of_the_gateway_that_runs_is_found(tmp_path: Path) -> None:
    async with running_gateway({"BACKEND_URL": "http://127.0.0.1:9"}, key="") as gateway:
        made = key(gateway.data).stdout
        shown = hayate("key", None, cwd=tmp_path, **pointed_at(gateway))
        assert (shown.returncode, shown.stdout) == (0, made)
        assert all(each in shown.stderr for each in (str(tmp_path / "data"), gateway.url, str(gateway.data)))
        rotated = hayate("key", None, "--rotate", cwd=tmp_path, **pointed_at(gateway))
        assert (rotated.returncode, rotated.stdout) == (1, "")
        assert f"HAYATE_DATA={gateway.data}" in rotated.stderr
        assert key(gateway.data).stdout == made
        left = gateway.data.parent / "hayate"
        assert len(list(left.iterdir())) == 1
    assert not left.exists() or not list(left.iterdir())


@pytest.mark.anyio
async def test_a_gateway_that_was_given_its_key_is_told_as_such(tmp_path: Path) -> None:
    async with running_gateway({"BACKEND_URL": "http://127.0.0.1:9"}) as gateway:
        shown = hayate("key", None, cwd=tmp_path, **pointed_at(gateway))
        assert (shown.returncode, shown.stdout) == (1, "")
        assert gateway.url in shown.stderr
        assert "HAYATE_API_KEY" in shown.stderr
        assert "hayate key create" in shown.stderr


def test_a_start_that_fails_makes_no_key(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        env = {**SERVE, "HAYATE_PORT": str(taken.getsockname()[1])}
        refused = hayate("serve", tmp_path / "data", cwd=tmp_path, **env)
    assert refused.returncode == 1
    assert not (tmp_path / "data").exists()
