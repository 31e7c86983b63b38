"""`hayate logs` as it is typed: beside a gateway, followed in a terminal, and from the file where none runs."""

from __future__ import annotations

import asyncio
import json
import signal
from pathlib import Path

import pytest

from hayate.terminal import width
from tests.support.nursery import born
from tests.support.operators_commands import around, hayate
from tests.support.ports import free_port
from tests.support.terminals import terminal
from tests.support.waiting import eventually
from tests.unit.tools.engines.stand_in import stand_in
from tests.unit.tools.loading.told import READY

pytestmark = pytest.mark.anyio

TEXT = "loading…\r10%\r\n\x1b[32mINFO\x1b[0m ready\tnow \x1b[2J\nlast".encode()
PATH = "GET /admin/engines/fast/log?lines"


async def test_the_end_of_a_log_is_shown(tmp_path: Path) -> None:
    with stand_in(READY) as gateway:
        gateway.answers[f"{PATH}=100"] = gateway.answers[f"{PATH}=3"] = lambda: (200, TEXT)
        code, out, err = await hayate(tmp_path, "logs", "fast", "--url", gateway.url)
        assert (code, err) == (0, "")
        assert out == "loading…\n10%\n\x1b[32mINFO\x1b[0m ready\tnow \x1b[2J\nlast\n"
        code, out, err = await hayate(tmp_path, "logs", "fast", "-n", "3", "--json", "--url", gateway.url)
        assert json.loads(out.partition("\n")[0]) == {"name": "fast", "line": "loading…"}
        with terminal() as screen:
            words = ["logs", "fast", "--url", gateway.url]
            process = born(words, around(tmp_path), tmp_path, stdout=screen.fd, stderr=screen.fd)
            assert await process.wait() == 0
            assert screen.raw() == "loading…\n10%\nINFO ready      now \\x1b[2J\nlast\n"


@pytest.mark.parametrize("language", ["en", "ja"])
async def test_followed_in_a_terminal_until_ctrl_c(tmp_path: Path, language: str) -> None:
    with stand_in(READY) as gateway, terminal() as screen:
        gateway.log = [b": ping\ndata: first\n\n", "data: 二番目\n\n".encode(), b": ping\n"] + [b": ping\n"] * 2000
        words = ["logs", "-f", "fast", "--url", gateway.url]
        process = born(words, around(tmp_path, language), tmp_path, stdout=screen.fd, stderr=screen.fd)
        await eventually(lambda: screen.lines() == ["first", "二番目"])
        process.send_signal(signal.SIGINT)
        assert await process.wait() == 0
        assert screen.lines() == ["first", "二番目", ""]


async def test_a_gateway_that_ends_is_the_end_of_what_is_followed(tmp_path: Path) -> None:
    with stand_in(READY) as gateway:
        gateway.log = [b"data: first\n\n"]
        code, out, err = await hayate(tmp_path, "logs", "fast", "-f", "--url", gateway.url)
        assert (code, out, err) == (0, "first\n", "")


async def test_who_reads_it_may_have_seen_enough(tmp_path: Path) -> None:
    with stand_in(READY) as gateway:
        gateway.answers[f"{PATH}=100"] = lambda: (200, b"x\n" * 200_000)
        process = await asyncio.create_subprocess_shell(
            f"hayate logs fast --url {gateway.url} | head -1",
            env={**around(tmp_path), "PATH": f"{Path(__import__('sys').executable).parent}:/usr/bin:/bin"},
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        out, err = await process.communicate()
        assert (out, err) == (b"x\n", b"")


@pytest.mark.parametrize(
    ("language", "says", "missing"),
    [
        ("en", "No gateway runs; this is", "There are logs of: fast."),
        ("ja", "を表示します。", "ログがあるのは次のものです: fast"),
    ],
)
async def test_where_no_gateway_runs_the_file_is_shown(tmp_path: Path, language: str, says: str, missing: str) -> None:
    where = {"HAYATE_DATA": str(tmp_path / "data"), "HAYATE_PORT": str(free_port())}
    config = {"deployments": {"fast": {"backend": "vllm", "replicas": "http://h:1"}}, "aliases": {"chat": "fast"}}
    (tmp_path / "c.yaml").write_text(json.dumps(config), encoding="utf-8")
    where["HAYATE_CONFIG"] = str(tmp_path / "c.yaml")
    code, out, err = await hayate(tmp_path, "logs", "fast", **where, language=language)
    assert (code, out, "fast.log" in err, "Traceback" in err) == (2, "", True, False)
    log = tmp_path / "data" / "logs" / "fast.log"
    log.parent.mkdir(parents=True)
    log.write_bytes(b"a\nb\nc\n")
    code, out, err = await hayate(tmp_path, "logs", "fast", "-n", "2", **where, language=language)
    assert (code, out, says in err) == (0, "b\nc\n", True)
    code, out, err = await hayate(tmp_path, "logs", "chat", "-n", "1", **where, language=language)
    assert (code, out, says in err) == (0, "c\n", True)
    code, out, err = await hayate(tmp_path, "logs", "smart", **where, language=language)
    assert (code, out, missing in err) == (2, "", True)
    with terminal() as screen:
        env = around(tmp_path, language, **where)
        process = born(["logs", "fast", "-f"], env, tmp_path, stdout=screen.fd, stderr=screen.fd)
        await eventually(lambda: screen.lines()[-1:] == ["c"])
        with log.open("ab") as file:
            file.write("疾風\n".encode())
        await eventually(lambda: screen.lines()[-1:] == ["疾風"])
        process.send_signal(signal.SIGINT)
        assert await process.wait() == 0
        assert "Traceback" not in screen.text()
        assert max(width(line) for line in screen.lines()[-4:]) < 80
