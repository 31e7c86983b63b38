"""What a person sees at 80 columns, in both languages, taken from real terminals:

    python -m tests.support.screens FOLDER

writes `<screen>.<language>.txt`, and `.html` with the colours; where there is a Chromium, `.png` too. The screens: the
start of `make run` (`hayate up`, on the tiny model), a log with calls and a failing engine, `hayate status`, `hayate top`,
`hayate ps`, `--help`.
"""

from __future__ import annotations

import asyncio
import html
import os
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

from hayate.tools.embedded.weights import tiny
from tests.support.chromium import any_chromium
from tests.support.fake_engine import running_engine
from tests.support.gateway import INHERITED, RunningGateway, running_gateway
from tests.support.http import fetch
from tests.support.scene import CHAT_PATH, PLAIN, STREAM, Stage, settings
from tests.support.terminals import Terminal, terminal
from tests.support.waiting import eventually

HAYATE = str(Path(sys.executable).with_name("hayate"))
COLOURS = {1: "font-weight:bold", 2: "opacity:.6", 31: "color:#e05561", 32: "color:#8cc265", 33: "color:#d18f52"}
PATIENCE_S = 60.0


async def command(arguments: str, language: str, env: Mapping[str, str]) -> str:
    """What a command shows on a terminal."""
    around = {name: os.environ[name] for name in INHERITED if name in os.environ}
    with terminal() as screen:
        process = await asyncio.create_subprocess_exec(
            *(HAYATE, *arguments.split()),
            env={**around, "TERM": "xterm", "COLUMNS": "80", "HAYATE_LANG": language, **env},
            stdout=screen.fd,
            stderr=screen.fd,
        )
        while process.returncode is None:
            screen.raw()
            await asyncio.sleep(0.05)
        return screen.raw()


async def screens(language: str) -> dict[str, str]:
    """All of them, by name."""
    found = {"help": await command("--help", language, {})}
    found["log"], found["status"], found["top"], found["ps"] = await _log_and_commands(language)
    with terminal() as screen:
        streams = {"stdout": screen.fd, "stderr": screen.fd}
        env = {"MODEL": str(tiny().path), "HAYATE_LANG": language, "HAYATE_API_KEY": ""}
        async with running_gateway(env, verb="up", streams=streams) as gateway:
            await eventually(lambda: "Ctrl-C" in screen.text(), PATIENCE_S)
            key = (gateway.data / "api_key").read_text(encoding="ascii").strip()
            await fetch(gateway.url, CHAT_PATH, {**STREAM, "max_tokens": 24}, key=key)
            await eventually(lambda: "TTFT" in screen.text(), PATIENCE_S)
        found["start"] = screen.raw()
    return found


async def _log_and_commands(language: str) -> tuple[str, str, str, str]:
    async with running_engine() as engine, running_engine() as other:
        config = settings(engine.url, other.url, health={"probe_interval_s": 0.2}, limits={"requests_per_minute": 5})
        with terminal() as screen:
            streams = {"stdout": screen.fd, "stderr": screen.fd}
            async with running_gateway({"HAYATE_LANG": language}, config=config, streams=streams) as gateway:
                await gateway.ready()
                await _calls(Stage(engine, gateway), screen)
                await other.refuse()
                other.drop_connections()
                await eventually(lambda: screen.text().count("scripted/1") >= 2, PATIENCE_S)
                told = [await command(verb, language, _settings_of(gateway)) for verb in ("status", "top --once", "ps")]
            return screen.raw(), told[0], told[1], told[2]


async def _calls(stage: Stage, screen: Terminal) -> None:
    await stage.frames(STREAM)
    await stage.post(PLAIN)
    await stage.post({**PLAIN, "model": "a-model-with-a-rather-long-name\x1b[2J"})
    await fetch(stage.url, CHAT_PATH, PLAIN, key="sk-hayate-wrong-0123456789")
    await stage.frames(STREAM)
    for _ in range(3):
        await stage.post(PLAIN)
    await eventually(lambda: " 429 " in screen.text(), PATIENCE_S)


def _settings_of(gateway: RunningGateway) -> dict[str, str]:
    return {"HAYATE_DATA": str(gateway.data), "HAYATE_PORT": str(gateway.port)}


def page(text: str) -> str:
    """The terminal as a page."""
    return (
        "<!doctype html><meta charset=utf-8><style>body{margin:12px;background:#1e2127;color:#d7dae0}"
        "pre{font:16px/1.3 'Noto Sans Mono CJK JP','IPAGothic','DejaVu Sans Mono',monospace;width:80ch;"
        f"border:1px dashed #555;white-space:pre-wrap}}</style><pre>{''.join(_spans(text))}</pre>"
    )


def _spans(text: str) -> Iterator[str]:
    opened = False
    for piece in re.split(r"(\x1b\[[0-9;]*m)", text):
        code = re.fullmatch(r"\x1b\[([0-9;]*)m", piece)
        if code is None:
            yield html.escape(piece)
            continue
        yield "</span>" if opened else ""
        number = int(code[1] or 0)
        opened = number != 0
        yield f'<span style="{COLOURS.get(number, "")}">' if opened else ""


def draw(source: Path) -> None:
    """A picture of the page beside it, if there is a Chromium."""
    chromium = any_chromium()
    if chromium is not None:
        size = f"--window-size=860,{60 + 22 * source.with_suffix('.txt').read_text(encoding='utf-8').count(chr(10))}"
        picture = f"--screenshot={source.with_suffix('.png')}"
        options = ["--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", size, picture]
        subprocess.run([chromium, *options, source.as_uri()], check=True, capture_output=True, timeout=120)


def main(folder: Path) -> None:
    """Writes them all."""
    folder.mkdir(parents=True, exist_ok=True)
    for language in ("en", "ja"):
        for name, text in asyncio.run(screens(language)).items():
            (folder / f"{name}.{language}.txt").write_text(re.sub(r"\x1b\[[0-9;]*m", "", text), encoding="utf-8")
            file = (folder / f"{name}.{language}.html").resolve()
            file.write_text(page(text), encoding="utf-8")
            draw(file)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
