"""Each way in which an engine can be down says so itself, wherever somebody looks: the operator's list, the log, `hayate
status`, readiness, the models' list that the page shows, and what a caller is told.
"""

from __future__ import annotations

import asyncio
import json
import os
import ssl
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from hayate.fleet.health_checks import SHOWN_CHARS
from hayate.language import Language
from hayate.reasons import Reason
from tests.support.engine_script import answer, error
from tests.support.fake_engine import FakeEngine, running_engine
from tests.support.gateway import INHERITED, RunningGateway, running_gateway
from tests.support.http import Reply, fetch
from tests.support.ports import free_port
from tests.support.proxies import program
from tests.support.waiting import eventually

pytestmark = pytest.mark.anyio

CHAT = "/v1/chat/completions"
LANGUAGES: tuple[Language, ...] = ("en", "ja")


def answering(engine: FakeEngine, status: int, body: object, path: str = "/health") -> FakeEngine:
    """The engine says this to its probe."""
    engine.routes[path] = answer(body, status)
    return engine


@asynccontextmanager
async def silent() -> AsyncIterator[str]:
    """Takes connections and says nothing."""

    async def hold(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    server = await asyncio.start_server(hold, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"


@asynccontextmanager
async def self_signed(folder: Path) -> AsyncIterator[int]:
    """Speaks TLS with a certificate that nobody knows; the port."""
    key, certificate = folder / "key.pem", folder / "cert.pem"
    subprocess.run(
        [
            *(
                program("openssl"),
                "req",
                "-x509",
                "-newkey",
                "rsa:2048",
                "-nodes",
                "-days",
                "1",
                "-subj",
                "/CN=127.0.0.1",
            ),
            *("-keyout", key, "-out", certificate),
        ],
        check=True,
        capture_output=True,
    )
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate, key)

    async def hold(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    server = await asyncio.start_server(hold, "127.0.0.1", 0, ssl=context)
    async with server:
        yield int(server.sockets[0].getsockname()[1])


@asynccontextmanager
async def broken_engines(folder: Path) -> AsyncIterator[dict[str, tuple[str, str, Reason]]]:
    """By deployment: its backend, its address, and what is the matter there."""
    async with AsyncExitStack() as stack:
        engines = [await stack.enter_async_context(running_engine()) for _ in range(6)]
        loading, full, refusing, locked, secure, guarded = engines
        answering(loading, 503, {"error": {"message": "Loading model", "type": "unavailable_error", "code": 503}})
        answering(full, 500, {"error": {"message": "CUDA out of memory. Tried to allocate 2.00 GiB"}})
        answering(refusing, 500, {"error": {"message": "EngineCore encountered an issue"}})
        for each in (locked, guarded):  # the probe of the one is its list of models, that of the other is open
            answering(each, 401, {"error": "Unauthorized"}, "/v1/models")
        secure.routes["/health"] = answer(b"400 The plain HTTP request was sent to HTTPS port", 400)
        tls = await stack.enter_async_context(self_signed(folder))
        frozen = await stack.enter_async_context(silent())
        yield {
            "nothing": ("vllm", f"http://127.0.0.1:{free_port()}", Reason.NOTHING_LISTENS),
            "locked": ("openai", locked.url, Reason.WRONG_KEY),
            "guarded": ("vllm", guarded.url, Reason.WRONG_KEY),
            "loading": ("llamacpp", loading.url, Reason.LOADING),
            "full": ("vllm", full.url, Reason.OUT_OF_MEMORY),
            "refusing": ("vllm", refusing.url, Reason.REFUSED),
            "frozen": ("vllm", frozen, Reason.FROZEN),
            "nameless": ("vllm", "http://no-such-host.invalid:8000", Reason.NAME_UNKNOWN),
            "untrusted": ("vllm", f"https://127.0.0.1:{tls}", Reason.TLS_REFUSED),
            "plain": ("vllm", secure.url, Reason.TLS_REFUSED),
        }


def configured(engines: dict[str, tuple[str, str, Reason]]) -> str:
    """All of them behind one gateway."""
    lines = ["deployments:"]
    for name, (backend, url, _) in engines.items():
        lines.append(f"  {name}: {{backend: {backend}, model: m-{name}, replicas: ['{url}']}}")
    return "\n".join(lines)


async def deployments(gateway: RunningGateway) -> dict[str, dict[str, Any]]:
    """Each deployment's one replica, as the operator's list has it."""
    key = (gateway.data / "admin_key").read_text(encoding="ascii").strip()
    reply = await fetch(gateway.url, "/admin/deployments", key=key)
    return {each["name"]: each["replicas"][0] for each in reply.json}


def events(gateway: RunningGateway) -> list[dict[str, Any]]:
    """What the log has told of replicas that are not there."""
    lines = [json.loads(line) for line in gateway.stderr().splitlines()]
    return [line for line in lines if line["event"] == "replica_not_ready"]


async def status(gateway: RunningGateway, *options: str, language: str = "en") -> subprocess.CompletedProcess[str]:
    """`hayate status`, run beside the loop."""
    env = {name: os.environ[name] for name in INHERITED if name in os.environ}
    env |= {"HAYATE_DATA": str(gateway.data), "HAYATE_LANG": language, "HAYATE_PORT": str(gateway.port)}
    env |= {"LLM_BACKEND": "vllm", "COLUMNS": "80"}
    env["XDG_RUNTIME_DIR"] = str(gateway.data)  # no other gateway of this user's is found there, and taken for this one
    command = [str(Path(sys.executable).with_name("hayate")), "status", "--url", gateway.url, *options]
    return await asyncio.to_thread(
        subprocess.run, command, env=env, capture_output=True, text=True, check=False, cwd=gateway.data
    )


def unwrapped(text: str) -> str:
    """Without line breaks and blanks: a sentence may go over lines."""
    return "".join(text.split())


async def test_each_way_to_be_down_says_so_wherever_somebody_looks(tmp_path: Path) -> None:
    async with broken_engines(tmp_path) as engines, running_gateway(config=configured(engines)) as gateway:
        expected = {name: reason.value for name, (_, _, reason) in engines.items()}

        async def all_are_known() -> bool:
            found = await deployments(gateway)
            known = {name: (each["reason"] or {}).get("code") for name, each in found.items()} == expected
            return known and {each["state"] for each in found.values()} == {"unreachable"}

        await eventually(all_are_known)
        # The operator's list.
        for name, replica in (await deployments(gateway)).items():
            reason = engines[name][2]
            assert replica["reason"] == {
                "code": reason.value,
                "en": reason.says.en,
                "ja": reason.says.ja,
                "advice_en": reason.advice.en,
                "advice_ja": reason.advice.ja,
            }
            assert replica["healthy"] is False
            assert replica["last_error"]["at"] > 1_700_000_000
        # The log, from the start on, once for each.
        await eventually(lambda: {f"{name}/0" for name in engines} <= {line["replica"] for line in events(gateway)})
        told = {str(line["replica"]).removesuffix("/0"): line["code"] for line in events(gateway)}
        assert told == expected
        assert len(events(gateway)) == len(engines)
        await _status_tells(gateway, engines)
        await _callers_are_told(gateway, engines)


async def _status_tells(gateway: RunningGateway, engines: dict[str, tuple[str, str, Reason]]) -> None:
    as_json = await status(gateway, "--json")
    assert as_json.returncode == 1
    shown = {each["name"]: each["replicas"][0]["code"] for each in json.loads(as_json.stdout)["deployments"]}
    assert shown == {name: reason.value for name, (_, _, reason) in engines.items()}
    for language in LANGUAGES:
        table = unwrapped((await status(gateway, language=language)).stdout)
        for _, url, reason in engines.values():
            assert unwrapped(url) in table
            assert unwrapped(reason.says.of(language)) in table
            assert unwrapped(reason.advice.of(language)) in table


def chat(model: str) -> dict[str, object]:
    """The shortest question."""
    return {"model": model, "messages": [{"role": "user", "content": "hi"}]}


async def is_turned_away(ask: Callable[[], Awaitable[Reply]]) -> bool:
    """Whether calls are not even tried any more."""
    reply = await ask()
    return bool(reply.status == 503 and reply.json["error"]["code"] == "overloaded")


async def _callers_are_told(gateway: RunningGateway, engines: dict[str, tuple[str, str, Reason]]) -> None:
    for language in LANGUAGES:
        headers = {"accept-language": language}
        ready = (await fetch(gateway.url, "/readyz", key=gateway.key, headers=headers)).json["deployments"]
        models = (await fetch(gateway.url, "/v1/models", key=gateway.key, headers=headers)).json["data"]
        listed = {each["id"]: each["hayate"] for each in models}
        for name, (_, url, reason) in engines.items():
            word = reason.to_callers.of(language)
            assert ready[name]["replicas"][0]["reason"] == {"code": reason.value, "text": word}
            assert listed[name]["reason"] == {"code": reason.value, "text": word}
            ask = partial(fetch, gateway.url, CHAT, chat(name), key=gateway.key, headers=headers)
            await eventually(partial(is_turned_away, ask))
            reply = await ask()
            message = reply.json["error"]["message"]
            assert word in message
            assert url.split("//")[1] not in message
            again = {"en": "Try again shortly", "ja": "もう一度お試しください"}[language]
            assert (again in message) == (reason.retry_s is not None)
            assert ("retry-after" in reply.headers) == (reason.retry_s is not None)


async def test_another_reason_for_the_same_is_not_told_at_every_probe() -> None:
    async with running_engine() as engine:
        sayings = [
            answer({"error": {"message": "Loading model"}}, 503),
            answer({"error": {"message": "CUDA out of memory"}}, 500),
        ]
        engine.routes["/health"] = lambda _: sayings[len(engine.probes) % 2]
        config = configured({"qwen": ("vllm", engine.url, Reason.LOADING)})
        async with running_gateway(config=config) as gateway:
            await eventually(lambda: len(engine.probes) > 12)
            assert len(events(gateway)) == 1


@pytest.mark.parametrize("filling", ["", "x" * (SHOWN_CHARS - 12)])
async def test_a_key_that_the_engine_repeats_is_told_nowhere(filling: str) -> None:
    secret = "sk-engine-0123456789abcdef"
    async with running_engine() as engine:
        answering(engine, 401, {"error": {"message": f"{filling}{secret}."}})
        config = configured({"qwen": ("vllm", engine.url, Reason.WRONG_KEY)}).replace(
            "model:", f"api_key: {secret}, model:"
        )
        async with running_gateway(config=config) as gateway:
            await eventually(lambda: events(gateway))
            key = (gateway.data / "admin_key").read_text(encoding="ascii").strip()
            seen = [(await fetch(gateway.url, "/admin/deployments", key=key)).text]
            seen += [(await fetch(gateway.url, path, key=gateway.key)).text for path in ("/readyz", "/v1/models")]
            engine.script = error(500, f"bad header: Bearer {secret}")
            seen += [(await fetch(gateway.url, CHAT, chat("qwen"), key=gateway.key)).text]
            seen += [gateway.stderr(), gateway.stdout()]
            assert "status 401" in seen[0]
            assert not [text for text in seen if secret[:8] in text]
