"""The migration guide does what it says: its commands are run, its code is run, and both languages have the same of both."""

from __future__ import annotations

import asyncio
import json
import os
import re
import shlex
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Browser, Page

from hayate.config.deployment import DeploymentConfig
from hayate.config.load import load_config
from tests.guides.blocks import REPOSITORY, bare, blocks, command, commands
from tests.support.chromium import PATIENCE_MS
from tests.support.engine_script import SSE, Answer, Chat, Request, Script, answer, body, cut, end, head
from tests.support.fake_engine import running_engine
from tests.support.gateway import KEY, running_gateway
from tests.support.waiting import LAST_RESORT_S

pytestmark = pytest.mark.slow

GUIDE = "migration.md"
DOCUMENTS = ("migration.md", "measuring.md")
OLD_URL, NEW_URL = "http://127.0.0.1:8000", "http://127.0.0.1:8080"
TINY = REPOSITORY / "gateway/src/hayate/tools/embedded/model/tiny-qwen2.gguf"
BIN = Path(sys.executable).parent


def japanese(document: str) -> str:
    return document.replace(".md", ".ja.md")


def old_service(*texts: str, last: str = "[DONE]") -> Answer:
    """What an in-process service streams."""

    def script(_: Request) -> Script:
        pieces = [body(f"data: {each}\n\n".encode()) for each in (*texts, last)]
        return [head(headers=SSE, framing="close"), *pieces, end]

    return script


@pytest.mark.parametrize("document", DOCUMENTS)
@pytest.mark.parametrize("language", ["sh", "js", "yaml"])
def test_both_languages_have_the_same_code(document: str, language: str) -> None:
    here, there = (
        [bare(code) for code in blocks(name, language)] if language != "js" else blocks(name, language)
        for name in (document, japanese(document))
    )
    assert here == there


@pytest.mark.parametrize("document", DOCUMENTS)
def test_every_option_of_a_hayate_command_is_one(document: str) -> None:
    helps: dict[str, str] = {}
    for line in commands(document):
        words = shlex.split(line.partition(" > ")[0])
        if "hayate" not in words or "docker" in words:
            continue
        at = words.index("hayate")
        verb = words[at + 1]
        if verb not in helps:
            env = {"PATH": os.environ["PATH"], "COLUMNS": "200", "LANG": "C.UTF-8"}
            ran = subprocess.run([BIN / "hayate", verb, "--help"], env=env, capture_output=True, text=True, check=True)
            helps[verb] = ran.stdout
        for option in (word for word in words[at + 2 :] if word.startswith("-")):
            assert re.search(rf"(^|\s){re.escape(option)}\b", helps[verb], re.MULTILINE), f"{option} in: {line}"
    assert {"bench", "plan", "serve"} & set(helps)


def test_every_variable_is_one_that_compose_or_the_gateway_reads() -> None:
    known = "".join((REPOSITORY / name).read_text(encoding="utf-8") for name in ("compose.yml", ".env.example"))
    text = (REPOSITORY / "docs-llm_api" / GUIDE).read_text(encoding="utf-8")
    for name in set(re.findall(r"\b((?:LLAMACPP|VLLM|TRTLLM|HAYATE|BACKEND|LLM|COMPOSE)_[A-Z_]+)\b", text)):
        assert name in known, name


def test_every_configuration_option_that_is_named_is_one() -> None:
    text = (REPOSITORY / "docs-llm_api" / GUIDE).read_text(encoding="utf-8")
    assert "`safety.max_output_tokens`" in text
    example = (REPOSITORY / "gateway/config.example.yaml").read_text(encoding="utf-8")
    assert "max_output_tokens" in example


@pytest.mark.parametrize("document", [GUIDE, japanese(GUIDE)])
def test_the_configuration_is_accepted(document: str, tmp_path: Path) -> None:
    (code,) = blocks(document, "yaml")
    (tmp_path / "config.yaml").write_text(code, encoding="utf-8")
    config = load_config(tmp_path / "config.yaml", {})
    assert config.aliases["smart"] == ("llama-70b", "qwen-7b")
    assert isinstance(config.deployments["qwen-7b"], DeploymentConfig)


@pytest.mark.parametrize("document", [*DOCUMENTS, *map(japanese, DOCUMENTS)])
def test_every_link_leads_somewhere(document: str) -> None:
    folder = REPOSITORY / "docs-llm_api"
    for link in re.findall(r"\]\(([^)#]+)\)", (folder / document).read_text(encoding="utf-8")):
        if not link.startswith("http"):
            assert (folder / link).exists(), link


async def shell(line: str, folder: Path, **env: str) -> subprocess.CompletedProcess[str]:
    """One line of the guide, as bash runs it."""
    settings = {
        "PATH": f"{BIN}:{os.environ['PATH']}",
        "LANG": "C.UTF-8",
        "HOME": str(folder),
        "XDG_RUNTIME_DIR": str(folder),  # whatever gateways run for other tests, this is the only one
        **env,
    }
    process = await asyncio.create_subprocess_exec(
        "bash",
        "-c",
        f"set -euo pipefail\n{line}",
        cwd=folder,
        env=settings,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    stdout, stderr = await asyncio.wait_for(process.communicate(), LAST_RESORT_S)
    assert process.returncode is not None
    ran = subprocess.CompletedProcess(line, process.returncode, stdout.decode(), stderr.decode())
    assert ran.returncode == 0, f"{line}\n{ran.stdout}\n{ran.stderr}"
    return ran


@pytest.mark.anyio
async def test_measuring_before_moving_to_the_same_gguf_and_measuring_again(tmp_path: Path) -> None:
    async with running_engine(old_service("こん", "にちは", "。")) as old:
        await shell(command(GUIDE, "--label before").replace(OLD_URL, old.url), tmp_path)
    assert json.loads((tmp_path / "before.json").read_text(encoding="utf-8"))["models"][0]["succeeded"] == 8

    assert command(GUIDE, "hayate up") == "MODEL=/path/to/model.gguf hayate up"
    async with running_gateway({"MODEL": str(TINY)}, verb="up") as gateway:
        await gateway.ready()
        env = {"HAYATE_API_KEY": KEY, "HAYATE_PORT": str(gateway.port)}
        measured = await shell(command(GUIDE, "--label", "llama.cpp"), tmp_path, **env)
        called = await shell(command(GUIDE, "curl", "chat/completions").replace(NEW_URL, gateway.url), tmp_path, **env)
        streamed = await shell(command(GUIDE, "curl", "generate_stream").replace(NEW_URL, gateway.url), tmp_path, **env)
    assert "before" in measured.stderr
    assert json.loads((tmp_path / "step2.json").read_text(encoding="utf-8"))["comparison"]["models"]
    assert "before" in (tmp_path / "step2.html").read_text(encoding="utf-8")
    assert "data: [DONE]" in called.stdout
    assert "event: done" in streamed.stdout


@pytest.mark.anyio
async def test_the_planner_s_commands_say_what_the_guide_says(tmp_path: Path) -> None:
    await shell("hayate models && hayate plan --gpu 24GiB", tmp_path)
    old = await shell(command(GUIDE, "Llama-3.3-70B-Instruct-GGUF"), tmp_path)
    assert "39 of 81 layers" in old.stdout.replace("\n", " ")
    step2 = next(code for code in blocks(GUIDE, "sh") if "LLAMACPP_PARALLEL" in code)
    (tmp_path / ".env").write_text(step2, encoding="utf-8")
    await shell(command(GUIDE, "--write"), tmp_path)
    written = (tmp_path / ".env").read_text(encoding="utf-8")
    for line in ("LLM_BACKEND=vllm", "COMPOSE_PROFILES=vllm", "MODEL=Qwen/Qwen2.5-7B-Instruct"):
        assert line in written.splitlines()
    assert "LLM_BACKEND=llamacpp" not in written


@pytest.fixture
async def page(browser: Browser) -> AsyncIterator[Page]:
    opened = await browser.new_page()
    opened.set_default_timeout(PATIENCE_MS)
    yield opened
    await opened.close()


async def generated(page: Page, prompt: str) -> Any:
    """What the guide's `generate` reports of one prompt."""
    code = next(code for code in blocks(GUIDE, "js") if "function generate" in code)
    return await page.evaluate(
        f"""(prompt) => new Promise((resolve) => {{
            {code}
            let text = "";
            generate(prompt, {{
              onText: (piece) => (text += piece),
              onDone: (done) => resolve({{ text, done }}),
              onError: (error) => resolve({{ text, error }}),
            }});
        }})""",
        prompt,
    )


@pytest.mark.anyio
@pytest.mark.browser
async def test_the_function_for_pages_reads_the_old_stream(page: Page) -> None:
    async with running_engine(old_service("こん", "にちは", "42", "{", " 。")) as old:
        old.routes["/"] = answer(b"<!doctype html><title>old</title>", headers={"content-type": "text/html"})
        await page.goto(old.url)
        assert await generated(page, "やあ") == {"text": "こんにちは42{ 。", "done": {}}
        old.script = [head(headers=SSE), body("data: こん\n\n".encode()), 0.3, cut]
        assert await generated(page, "やあ") == {"text": "こん", "error": "The connection was lost."}
        asked = len([request for request in old.requests if request.path.startswith("/generate_stream")])
    assert asked == 2


@pytest.mark.anyio
@pytest.mark.browser
async def test_the_functions_for_pages_sign_in_and_read_hayate_s_stream_and_history(page: Page) -> None:
    script = Chat([{"reasoning_content": "考え"}, "こん", "に\nちは", "42"])
    sign_in = next(code for code in blocks(GUIDE, "js") if "signIn" in code)
    turn = next(code for code in blocks(GUIDE, "js") if "async function turn" in code)
    async with (
        running_engine(script) as engine,
        running_gateway({"LLM_BACKEND": "vllm", "BACKEND_URL": engine.url}) as gateway,
    ):
        await gateway.ready()
        await page.goto(gateway.url)
        assert not await page.evaluate(f"(key) => {{ {sign_in}; return signIn(key); }}", "sk-wrong-0123456789")
        assert "error" in await generated(page, "やあ")
        assert await page.evaluate(f"(key) => {{ {sign_in}; return signIn(key); }}", KEY)
        told = await generated(page, "やあ")
        assert told["text"] == "こんに\nちは42"
        assert told["done"]["finish_reason"] == "stop"
        assert told["done"]["usage"]["completion_tokens"] == 4
        said = await page.evaluate(f"async () => {{ {turn}; await turn('一'); await turn('二'); return messages; }}")
        history = engine.requests[-1].json["messages"]
    assert [each["role"] for each in said] == ["system", "user", "assistant", "user", "assistant"]
    assert history == said[:-1]
