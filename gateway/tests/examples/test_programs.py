"""The programs of examples/ as a reader would run them: through a gateway, on a real llama.cpp whose answers are known."""

from __future__ import annotations

import asyncio
import json
import os
import re
import shutil
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.engines.launch import running_llamacpp
from tests.support.gateway import RunningGateway, running_gateway
from tests.support.http import fetch
from tests.support.node_examples import installed
from tests.support.ports import free_port
from tests.support.waiting import LAST_RESORT_S

pytestmark = pytest.mark.anyio

EXAMPLES = Path(__file__).parents[3] / "examples"
ANSWER = "こんにちは！ご用件は何でしょうか。😀"
WRONG_KEY = "sk-hayate-this-is-not-the-key"
STREAMING = ["openai_stream.py", "node/openai.mjs", "node/eventsource.mjs"]


@dataclass
class Outcome:
    """What a program left behind."""

    status: int
    out: str
    err: str


@pytest.fixture(scope="module")
async def gateway(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[RunningGateway]:
    """In front of a real llama.cpp."""
    with running_llamacpp(tmp_path_factory.mktemp("llamacpp")) as engine:
        async with running_gateway(engine.env) as gateway:
            await gateway.ready()
            yield gateway


@pytest.fixture(scope="module")
def node_examples(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of examples/node with the packages its lock file names."""
    return installed(tmp_path_factory.mktemp("examples"))


async def run(*command: str | Path, env: dict[str, str], typed: str = "") -> Outcome:
    process = await asyncio.create_subprocess_exec(
        *command,
        env={**os.environ, **env},
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    async with asyncio.timeout(LAST_RESORT_S):
        out, err = await process.communicate(typed.encode())
    assert process.returncode is not None
    return Outcome(process.returncode, out.decode(), err.decode())


def settings(gateway: RunningGateway, key: str | None = None) -> dict[str, str]:
    return {"HAYATE_URL": gateway.url, "HAYATE_API_KEY": key or gateway.key}


def command(name: str, request: pytest.FixtureRequest) -> list[str | Path]:
    """How the example `name` is started."""
    if name.endswith(".mjs"):
        folder: Path = request.getfixturevalue("node_examples")
        return ["node", folder / Path(name).name]
    return [sys.executable, EXAMPLES / name]


@pytest.mark.parametrize("name", STREAMING)
async def test_a_streamed_answer_is_printed_whole(
    gateway: RunningGateway, request: pytest.FixtureRequest, name: str
) -> None:
    outcome = await run(*command(name, request), "こんにちは", env=settings(gateway))
    assert (outcome.status, outcome.out.strip()) == (0, ANSWER), outcome.err
    assert "tokens" in outcome.err


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("openai_stream.py", "AuthenticationError"),
        ("conversation.py", "AuthenticationError"),
        ("node/openai.mjs", "AuthenticationError"),
        ("node/conversation.mjs", "AuthenticationError"),
        ("node/eventsource.mjs", "401"),
    ],
)
async def test_a_wrong_key_is_named_and_fails(
    gateway: RunningGateway, request: pytest.FixtureRequest, name: str, says: str
) -> None:
    outcome = await run(*command(name, request), env=settings(gateway, WRONG_KEY))
    assert (outcome.status, outcome.out) == (1, "")
    assert says in outcome.err
    assert WRONG_KEY not in outcome.err


@pytest.mark.parametrize("name", [*STREAMING, "conversation.py", "node/conversation.mjs"])
async def test_an_absent_gateway_is_one_line_and_fails(request: pytest.FixtureRequest, name: str) -> None:
    settings = {"HAYATE_URL": f"http://127.0.0.1:{free_port()}", "HAYATE_API_KEY": WRONG_KEY}
    outcome = await run(*command(name, request), env=settings)
    assert (outcome.status, outcome.out) == (1, "")
    assert len(outcome.err.strip().splitlines()) == 1


async def test_a_tool_is_called_and_its_result_goes_back(gateway: RunningGateway) -> None:
    outcome = await run(sys.executable, EXAMPLES / "openai_tools.py", "東京の天気は？", env=settings(gateway))
    assert outcome.status == 0, outcome.err
    first, *rest = outcome.out.splitlines()
    name, _, arguments = first.removeprefix("-> ").removesuffix(")").partition("(")
    assert (name, json.loads(arguments)) == ("get_weather", {"city": "東京", "unit": "c"})
    assert rest


async def test_a_conversation_is_gone_on_with_in_another_run(gateway: RunningGateway) -> None:
    program = EXAMPLES / "conversation.py"
    first = await run(sys.executable, program, env=settings(gateway), typed="こんにちは\n\nこんにちは\n")
    assert (first.status, first.out.splitlines()[0]) == (0, ANSWER), first.err
    found = re.search(r"conv_[0-9a-f]+", first.err)
    assert found
    again = await run(sys.executable, program, found[0], env=settings(gateway), typed="こんにちは\n")
    assert again.status == 0, again.err
    items = await fetch(gateway.url, f"/v1/conversations/{found[0]}/items?order=asc", key=gateway.key)
    roles = [each["role"] for each in items.json["data"]]
    assert roles == ["user", "assistant"] * 3


async def test_a_chain_of_responses_is_remembered(gateway: RunningGateway, request: pytest.FixtureRequest) -> None:
    outcome = await run(*command("node/conversation.mjs", request), "こんにちは", "こんにちは", env=settings(gateway))
    assert (outcome.status, outcome.out.splitlines()[0]) == (0, ANSWER), outcome.err
    last = outcome.err.strip().strip("[]")
    items = await fetch(gateway.url, f"/v1/responses/{last}/input_items?order=asc", key=gateway.key)
    assert [each["role"] for each in items.json["data"]] == ["user"]


async def test_curl_shows_models_answers_and_both_streams(gateway: RunningGateway) -> None:
    if shutil.which("curl") is None:
        pytest.skip("no curl")
    outcome = await run(EXAMPLES / "curl.sh", 'it\'s a "こんにちは" & more', env=settings(gateway))
    assert outcome.status == 0, outcome.err
    models, whole, streamed, short = outcome.out.split("== ")[1:]
    assert '"default"' in models
    assert json.loads(whole.partition("\n")[2])["choices"][0]["message"]["content"] == ANSWER
    assert "data: [DONE]" in streamed
    assert "event: done" in short
    refused = await run(EXAMPLES / "curl.sh", env=settings(gateway, WRONG_KEY))
    assert refused.status != 0
    assert "invalid_api_key" in refused.out


def test_both_readmes_name_every_example() -> None:
    names = [
        path.relative_to(EXAMPLES).as_posix()
        for path in EXAMPLES.rglob("*")
        if path.suffix in {".sh", ".py", ".mjs", ".html"}
    ]
    programs = sorted(name for name in names if "node_modules" not in name)
    assert len(programs) == 9
    for readme in ("README.md", "README.ja.md"):
        text = (EXAMPLES / readme).read_text(encoding="utf-8")
        assert [name for name in programs if f"({name})" not in text] == []
