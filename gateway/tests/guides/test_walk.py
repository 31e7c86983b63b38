"""The first hour, walked: a fresh clone, every block of both READMEs in order, every example as its page says to run it.

In a folder whose name has a blank and Japanese in it, once in English and once in Japanese. Nothing may fail. What needs a GPU, an
engine or its image is on the closed list `test_readme.NEEDY` and is gone through dry: compose and `check-config` read what it says.
"""

from __future__ import annotations

import asyncio
import re
import socket
import subprocess
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest
from playwright.async_api import Browser

from tests.deploy.test_compose import compose
from tests.guides.blocks import Block, bare, fenced
from tests.guides.test_readme import NEEDY, PAGES, japanese
from tests.support.chromium import PATIENCE_MS
from tests.support.discord_stand_in import SITE_CUSTOMIZE, running_discord
from tests.support.ports import free_port
from tests.support.waiting import eventually
from tests.support.walker import Newcomer, clone, with_port

pytestmark = [pytest.mark.slow, pytest.mark.anyio]

TOKEN = "discord-token-for-the-walk"
PROGRAMS = 8
CURL = re.compile(r"^curl -N http(?:.*\\\n)*.*$", re.MULTILINE)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("walk")


@pytest.fixture(scope="module")
def folder(place: Path) -> Path:
    """The clone; the second walk finds it as the first one left it."""
    return clone(place)


@pytest.fixture
def port() -> int:
    """8080, as everywhere in the documents; another one where somebody else listens there."""
    with socket.socket() as candidate:
        candidate.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        return free_port() if candidate.connect_ex(("127.0.0.1", 8080)) == 0 else 8080


@pytest.fixture(params=["en_US.UTF-8", "ja_JP.UTF-8"])
async def newcomer(request: pytest.FixtureRequest, folder: Path, place: Path, port: int) -> AsyncIterator[Newcomer]:
    env = {"LANG": request.param, "HAYATE_LANG": request.param[:2]}
    if port != 8080:
        env["HAYATE_PORT"] = str(port)
    terminal = Newcomer(folder, place, **env)
    yield terminal
    terminal.close_terminal()


def page(newcomer: Newcomer, name: str) -> str:
    """The document in the newcomer's language."""
    own = japanese(name) if newcomer.env["HAYATE_LANG"] == "ja" else name
    return (newcomer.folder / own).read_text(encoding="utf-8")


async def test_nothing_fails_on_the_way(browser: Browser, newcomer: Newcomer, port: int) -> None:
    first, *rest = [each for each in fenced(page(newcomer, "README.md")) if each.language]
    assert bare(first.code) == ["make run"]
    async with newcomer.leaves_running(first.code, "]}'\n", ends_with=(0, 2, 130, -2)) as shown:
        (pasted,) = CURL.findall(shown.read_text(encoding="utf-8"))
        assert "data: [DONE]" in await newcomer.types(pasted)
        for block in rest:
            await goes_through(browser, newcomer, block, port)
        await runs_every_example(browser, newcomer, port)
    with socket.socket() as nobody:
        assert nobody.connect_ex(("127.0.0.1", port)) != 0, "something still listens after Ctrl-C"


async def goes_through(browser: Browser, newcomer: Newcomer, block: Block, port: int) -> None:
    """One block, in the way its kind is used."""
    if block.needs:
        await DRY[block.needs](newcomer, block.code)
        return
    code = with_port(block.code, port)
    match block.language:
        case "sh":
            shown = await newcomer.types(code)
            assert "data: [DONE]" in shown or "curl" not in code
        case "python":
            assert (await newcomer.types(f"python - <<'END'\n{code}\nEND")).strip()
        case "yaml":
            (newcomer.folder / "hayate.yaml").write_text(code, encoding="utf-8")
            assert "smart -> bakeneko-32b, qwen2.5-7b" in await newcomer.types(
                "hayate check-config --config hayate.yaml"
            )
        case "js":
            await in_the_console(browser, newcomer, code, port)
        case _:
            raise AssertionError(f"nobody has said how {block.language} is run")


async def in_the_console(browser: Browser, newcomer: Newcomer, code: str, port: int) -> None:
    """Pasted into the console of the chat page, where the key is asked for."""
    key = (newcomer.folder / "data/api_key").read_text(encoding="ascii").strip()
    said: list[str] = []
    tab = await browser.new_page()
    tab.set_default_timeout(PATIENCE_MS)
    tab.on("dialog", lambda dialog: dialog.accept(key))
    tab.on("console", lambda message: said.append(message.text))
    await tab.goto(f"http://127.0.0.1:{port}/")
    closed = "new Promise((ok) => setInterval(() => answer.readyState === EventSource.CLOSED && ok(), 20))"
    await tab.evaluate(f"async () => {{ {code}\nawait {closed}; }}")
    shown = "".join(said) + await tab.locator("body").inner_text()
    await tab.close()
    assert "こんにちは" in shown


async def composed(newcomer: Newcomer, code: str) -> None:
    """Compose reads its files, has the services that are named, and the gateway has the commands."""
    done = subprocess.run(
        [*compose(), "config", "--services"],
        cwd=newcomer.folder,
        env=newcomer.env,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    services = done.stdout.split()
    for line in bare(code):
        match line.split():
            case ["docker", "compose", "up", "-d"]:
                pass
            case ["docker", "compose", "logs", "-f", service]:
                assert service in services
            case ["docker", "compose", "exec", service, *command]:
                assert service in services
                assert command[0] == "hayate"  # on the path in the image
                await newcomer.types(" ".join([".venv/bin/hayate", *command[1:], "--help"]))
            case _:
                raise AssertionError(f"nobody has said how to try this dry: {line}")


async def configured(newcomer: Newcomer, code: str) -> None:
    """What would be served is accepted."""
    lines = [line for line in bare(code) if line.endswith("hayate serve")]
    assert len(lines) == len(bare(code))
    for line in lines:
        assert "fast -> " in await newcomer.types(line.replace("hayate serve", "hayate check-config"))


DRY: dict[str, Callable[[Newcomer, str], Awaitable[None]]] = {"gpu": composed, "engines": configured}


async def runs_every_example(browser: Browser, newcomer: Newcomer, port: int) -> None:
    """The block of the examples' page, then each program as the table says."""
    text = page(newcomer, "examples/README.md")
    for block in fenced(text):
        await goes_through(browser, newcomer, block, port)
    ran = set()
    for program, how in re.findall(r"^\| \[`([\w./]+)`\].*?\| ([^|]*) \|$", text, re.MULTILINE):
        for command in re.findall(r"`([^`]+)`", how):
            if command == "DISCORD_TOKEN":
                continue
            if "discord_bot.py" in command:
                await answers_on_discord(newcomer, command)
            else:
                assert (await newcomer.types(command)).strip()
            ran |= {program} if program in command else set()
    assert len(ran) == PROGRAMS


async def answers_on_discord(newcomer: Newcomer, command: str) -> None:
    """The bot is mentioned once, and its message grows to an answer."""
    async with running_discord(TOKEN, "こんにちは") as discord:
        site = newcomer.folder.parent / f"site-{discord.port}"
        site.mkdir()
        (site / "sitecustomize.py").write_text(SITE_CUSTOMIZE.format(port=discord.port), encoding="utf-8")
        typed = f'. "$EXPORTS" && exec {command}'
        exports = str(newcomer.folder.parent / "exports")
        bot = newcomer.leaves_running(
            typed, "", ends_with=(0, 130, -2), PYTHONPATH=str(site), DISCORD_TOKEN=TOKEN, EXPORTS=exports
        )

        async def is_whole() -> bool:
            """Edits come every second or so while the answer grows: when none has come for longer, it is whole."""
            before = len(discord.messages.get("1000", []))
            await asyncio.sleep(3)
            return len(discord.messages.get("1000", [])) == before > 1

        async with bot:
            await eventually(is_whole, 60)  # who is interrupted while it edits says so, with a traceback
        first, *_, last = discord.messages["1000"]
        assert (first, discord.mistakes) == ("…", [])
        assert last not in ("…", "")
        assert "⚠️" not in last


def test_the_list_of_what_is_not_run_is_closed() -> None:
    assert {need for needs in NEEDY.values() for need in needs} == set(DRY)
    assert sum(len(needs) for needs in NEEDY.values()) == 2
    assert set(NEEDY) == set(PAGES)
