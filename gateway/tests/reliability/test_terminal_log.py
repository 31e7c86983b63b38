"""RELIABILITY: the log on a real terminal and in a pipe. People read a line a call, in columns and in their language;
programs read JSON; and nobody's words act on the terminal.
"""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime

import pytest

from hayate.terminal import width
from tests.support.fake_engine import running_engine
from tests.support.gateway import running_gateway
from tests.support.http import fetch
from tests.support.scene import CHAT_PATH, PLAIN, STREAM, Stage, settings
from tests.support.terminals import COLOUR, Terminal, terminal
from tests.support.waiting import eventually

pytestmark = pytest.mark.anyio

QUICK = {"probe_interval_s": 0.1}
NASTY = "x\x1b[2J\r\nforged 200\x9b31m\u202e"
CALL = re.compile(r"\d\d:\d\d:\d\d main {5}default {13}200 TTFT +\d+\.\d\ds +\d+ tokens( +\d+(\.\d)?/s)?")


@asynccontextmanager
async def seen(columns: int = 80, **env: str) -> AsyncIterator[tuple[Stage, Terminal]]:
    """A gateway that writes to a terminal, ready."""
    async with running_engine() as engine:
        with terminal(columns) as screen:
            streams = {"stdout": screen.fd, "stderr": screen.fd}
            config = settings(engine.url, health=QUICK)
            async with running_gateway({"HAYATE_LANG": "en", **env}, config=config, streams=streams) as gateway:
                await gateway.ready()
                yield Stage(engine, gateway), screen
            await eventually(lambda: "stop" in screen.text() or "停止" in screen.text())


async def line_of(screen: Terminal, text: str) -> str:
    """The first line with this in it, once it is there."""
    await eventually(lambda: any(text in line for line in screen.lines()))
    return next(line for line in screen.lines() if text in line)


async def test_a_call_is_a_line_in_columns_and_events_are_sentences() -> None:
    async with seen() as (stage, screen):
        await stage.frames(STREAM)
        assert CALL.fullmatch(await line_of(screen, "200 TTFT"))
        assert "\x1b[32m200\x1b[0m" in screen.raw()
        await fetch(stage.url, CHAT_PATH, PLAIN, key="sk-hayate-wrong-0123456789")
        assert (await line_of(screen, " 401 ")).endswith("401 no key, or a wrong one")
        await stage.engine.refuse()
        stage.engine.drop_connections()
        await line_of(screen, "scripted/0 can't be used")
        await stage.engine.listen()
        await eventually(lambda: screen.text().count("scripted/0 is up") >= 2)
        assert any("Hayate is listening on http://127.0.0.1:" in line for line in screen.lines())
        assert all(re.match(r"\d\d:\d\d:\d\d |         ", line) for line in screen.lines())


@pytest.mark.parametrize("language", ["en", "ja"])
@pytest.mark.parametrize("field", ["model", "user"])
async def test_what_a_caller_sends_is_text_in_its_column(language: str, field: str) -> None:
    async with seen(HAYATE_LANG=language) as (stage, screen):
        await stage.post({**PLAIN, field: NASTY, "model": NASTY})
        line = await line_of(screen, " 404 ")
        assert width(line) <= 80
        assert "x\\x1b[2J" in line
        assert all(each.isprintable() for each in COLOUR.sub("", screen.raw()).splitlines())
        assert not any(each.startswith("forged") for each in screen.lines())


async def test_it_is_in_the_terminals_language() -> None:
    async with seen(HAYATE_LANG="ja") as (stage, screen):
        await stage.frames(STREAM)
        assert "トークン" in await line_of(screen, "200 TTFT")
        await line_of(screen, "待ち受けています")


async def test_no_color_and_a_wider_terminal() -> None:
    async with seen(120, NO_COLOR="1") as (stage, screen):
        long = "a-model-whose-name-is-longer-than-it-should-be"
        await stage.post({**PLAIN, "model": long})
        assert long in await line_of(screen, " 404 ")
        assert "\x1b" not in screen.raw()


async def test_json_may_be_had_on_a_terminal_and_text_in_a_pipe() -> None:
    async with seen(HAYATE_LOG="json") as (stage, screen):
        await stage.frames(STREAM)
        line = await line_of(screen, '"event":"call"')
        assert json.loads(line)["status"] == 200
        assert "\x1b" not in screen.raw()
    env = {"HAYATE_LOG": "text", "HAYATE_LANG": "en"}
    async with running_engine() as engine, running_gateway(env, config=settings(engine.url)) as gateway:
        await gateway.ready()
        await Stage(engine, gateway).frames(STREAM)
        await eventually(lambda: CALL.fullmatch(gateway.stdout().rstrip("\n")))
        assert "\x1b" not in gateway.stdout() + gateway.stderr()
        assert "Hayate is listening" in gateway.stderr()


async def test_a_pipe_gets_json_with_times_that_programs_read() -> None:
    async with running_engine() as engine, running_gateway(config=settings(engine.url)) as gateway:
        await gateway.ready()
        await Stage(engine, gateway).frames(STREAM)
        [call] = await gateway.logged(1)
        events = [json.loads(line) for line in gateway.stderr().splitlines()]
    for each in (call, *events):
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", each["time"])
        assert datetime.fromisoformat(each["time"]).tzinfo is not None
    assert {"listening", "replica_ready"} <= {each["event"] for each in events}
