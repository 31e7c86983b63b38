"""`hayate top` as it is typed: live in a terminal of our own, once in a pipe, as JSON for programs; beside a stand-in whose
queues are full, and beside a real gateway.
"""

from __future__ import annotations

import asyncio
import json
import signal
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest

from hayate.terminal import width
from tests.support.fake_engine import running_engine
from tests.support.gateway import running_gateway
from tests.support.nursery import Born, born
from tests.support.operators_commands import KEY, around, hayate
from tests.support.ports import free_port
from tests.support.scene import PLAIN, Stage, settings
from tests.support.terminals import COLOUR, Terminal, terminal
from tests.support.threaded import threaded_server
from tests.support.waiting import eventually
from tests.unit.tools.top.told import BOT, LANE, LOWERED, call, calls, deployment

pytestmark = pytest.mark.anyio

CLOSED, SHOWN_CURSOR, HOME = "\x1b[?1049l", "\x1b[?25h", "\x1b[H"


@dataclass
class StandIn:
    """What tells of queues as a gateway does; `calls` None: they can't be told."""

    url: str
    tokens: int = 0
    calls: dict[str, Any] | None = field(default_factory=lambda: calls(call(72.25), call(3)))
    lost: bool = False
    """Says what no gateway says."""

    def answer(self, path: str) -> tuple[int, bytes]:
        self.tokens += 500
        queue = {"deployments": [deployment(LANE, BOT, LOWERED, output_tokens=self.tokens)]}
        found = queue if path == "/admin/queue" else self.calls
        if self.lost or found is None:
            return 503, b'{"error": {}}'
        return 200, json.dumps(found).encode()


@contextmanager
def stand_in() -> Iterator[StandIn]:
    """One that listens for the length of the block."""
    found = StandIn("")

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            status, body = found.answer(self.path.partition("?")[0])
            self.send_response(status)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None: ...  # noqa: A002  the library's name

    with threaded_server(Handler) as found.url:
        yield found


async def top(folder: Path, *words: str, **env: str) -> tuple[int, str, str]:
    """The exit status, standard output and standard error where no terminal looks on."""
    return await hayate(folder, "top", *words, **env)


@asynccontextmanager
async def live(folder: Path, url: str, language: str, rows: int = 24) -> AsyncIterator[tuple[Terminal, Born]]:
    """`hayate top` in a terminal, which is left by Ctrl-C unless the block has ended it."""
    with terminal(rows=rows) as screen:
        env = around(folder, language, TERM="xterm-256color")
        process = born(["top", "--url", url], env, folder, stdout=screen.fd, stderr=screen.fd)
        try:
            yield screen, process
        finally:
            if process.returncode is None:
                process.send_signal(signal.SIGINT)
                await process.wait()


def drawn(screen: Terminal) -> list[str]:
    """The lines of the last picture that is whole because another one has begun, without colours."""
    *whole, _ = screen.raw().split(HOME)
    return [COLOUR.sub("", line).rstrip() for line in (whole or [""])[-1].split("\n")]


@pytest.mark.parametrize(
    ("language", "heading", "why"),
    [
        ("en", "key, project                   weight", "raised: all places were taken"),
        ("ja", "キー、プロジェクト               重み", "引き上げ: すべて使用中"),
    ],
)
async def test_live_in_a_terminal_until_ctrl_c(tmp_path: Path, language: str, heading: str, why: str) -> None:
    with stand_in() as gateway:
        async with live(tmp_path, gateway.url, language) as (screen, process):
            await eventually(lambda: any(line.endswith(("tokens/s", "トークン/秒")) for line in drawn(screen)))
            lines = drawn(screen)
            assert max(map(width, lines)) < 80
            assert len(lines) <= 24
            assert heading in lines[2]
            assert why in lines[4]
            assert [line for line in lines if "6b01ba977411 batch " in line and "466" in line]
            assert [line for line in lines if line.endswith("72.2s")]
            process.send_signal(signal.SIGINT)
            assert await process.wait() == 0
            left = screen.raw()
        assert left.rstrip().endswith(CLOSED)
        assert left.rindex(SHOWN_CURSOR) > left.rindex(HOME)
        assert "Traceback" not in left


async def test_a_gateway_that_is_silent_for_a_while_is_waited_for(tmp_path: Path) -> None:
    with stand_in() as gateway:
        async with live(tmp_path, gateway.url, "en") as (screen, process):
            await eventually(lambda: "Ctrl-C ends" in screen.text())
            gateway.lost = True
            await eventually(lambda: "no answer since" in drawn(screen)[0])
            assert any("466" in line for line in drawn(screen)), "what was last seen stays"
            gateway.lost = False
            await eventually(lambda: "Ctrl-C ends" in drawn(screen)[0])
            process.send_signal(signal.SIGTERM)
            assert await process.wait() == 0
            assert screen.raw().rstrip().endswith(CLOSED)


async def test_in_a_pipe_it_is_shown_once_whole_and_without_colours(tmp_path: Path) -> None:
    with stand_in() as gateway:
        gateway.calls = None
        for words in (["--once"], []):
            code, out, err = await top(tmp_path, "--url", gateway.url, *words)
            assert (code, err, "\x1b" in out) == (0, "", False)
            assert "tokens/s" in out
            assert "Ctrl-C" not in out
            assert out.splitlines()[-1].strip() == "the gateway does not tell them at the moment"


async def test_json_is_for_programs_whatever_their_language(tmp_path: Path) -> None:
    with stand_in() as gateway:
        code, out, err = await top(tmp_path, "--json", "--url", gateway.url, language="ja")
        assert (code, err) == (0, "")
        values = json.loads(out)
        [qwen] = values["deployments"]
        assert (values["url"], values["error"], qwen["name"], qwen["queued"]) == (gateway.url, None, "qwen", 466)
        assert qwen["tokens_per_s"] > 0
        assert [each["running_s"] for each in values["calls"]] == [72.25, 3]


@pytest.mark.parametrize(
    ("language", "says"), [("en", "No gateway answers"), ("ja", "動作中のゲートウェイがありません")]
)
async def test_where_nothing_can_be_told_it_ends_with_2(tmp_path: Path, language: str, says: str) -> None:
    url = f"http://127.0.0.1:{free_port()}"
    code, out, err = await top(tmp_path, "--json", "--url", url, language=language)
    assert code == 2
    values = json.loads(out)
    assert (values["url"], values["deployments"], values["calls"]) == (url, [], None)
    assert "No gateway answers" in values["error"]
    assert says in err
    assert err.count("\n") == 1


async def test_beside_a_real_gateway_from_the_settings_that_it_was_started_with(tmp_path: Path) -> None:
    async with running_engine() as engine:
        config = settings(engine.url, max_in_flight=1, gpu="gpu0")
        async with running_gateway({"HAYATE_ADMIN_KEY": KEY}, config=config) as gateway:
            await gateway.ready()
            stage = Stage(engine, gateway)
            await asyncio.gather(*(stage.post(PLAIN) for _ in range(4)))
            there = {"HAYATE_DATA": str(gateway.data), "HAYATE_PORT": str(gateway.port)}
            code, out, err = await top(tmp_path, "--json", **there)
            assert (code, err) == (0, "")
            [scripted] = json.loads(out)["deployments"]
            assert (scripted["gpus"], scripted["capacity"], scripted["ceilings"][0]["why"]) == (["gpu0"], 1, "fixed")
            assert [each["key"] for each in scripted["lanes"]] == ["main"]
            assert scripted["output_tokens"] > 0
            assert scripted["tokens_per_s"] == 0
            code, out, _ = await top(tmp_path, "--once", language="ja", **there)
            assert (code, "scripted (vllm, gpu0)" in out, "設定値" in out) == (0, True, True)
