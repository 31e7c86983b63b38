"""No number on any path, for any adapter, makes a 5xx; what reaches an engine is within its bounds."""

from __future__ import annotations

import json
import random
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest

from hayate.wire.numbers import LIMITS, MAX_TOKENS, REAL, WHOLE
from tests.support.engine_script import SSE, Chat, Request, Script, answer, body, end, frame, head, sse
from tests.support.fake_engine import running_engine
from tests.support.gateway import running_gateway
from tests.support.http import Client, Reply, request_bytes
from tests.support.scene import HELLO, Stage, settings
from tests.support.stages import FORGIVING
from tests.support.waiting import eventually

pytestmark = pytest.mark.anyio

TOKENIZER = Path(__file__).parents[3] / "llm/tiny/tiny-qwen2"
ADAPTERS = ("vllm", "llamacpp", "openai", "sglang", "trtllm", "ollama", "triton")
OPENAI = ("vllm", "llamacpp", "openai", "sglang")
PATHS: dict[str, tuple[str, ...]] = {
    "/v1/chat/completions": ADAPTERS,
    "/v1/completions": ADAPTERS,
    "/generate_stream": ADAPTERS,
    "GET /generate_stream": ADAPTERS,
    "/v1/responses": OPENAI,
    "/v1/messages": OPENAI,
    "/v1/messages/count_tokens": OPENAI,
    "/v1/embeddings": (*OPENAI, "ollama"),
    "/v1/rerank": OPENAI,
    "/tokenize": OPENAI,
    "/detokenize": OPENAI,
    "/v1/audio/speech": ("vllm", "llamacpp", "openai"),
    "/v1/audio/transcriptions": OPENAI,
}
WHOLES = ["0", "1", "-1", "-0", "2147483647", "2147483648", "4294967296", "1000000000000", "9" * 300, "9" * 4000]
AROUND_64_BITS = [str(sign * 2**bits + n) for sign in (1, -1) for bits in (63, 64) for n in (-1, 0, 1)]
DECIMALS = ["-0.0", "1.0", "256.0", "1.5", "1e12", "1e19", "1e300", "1e-300", "0." + "1" * 400, "1E+2", "-1e5"]
NUMBERS = [*WHOLES, *AROUND_64_BITS, *DECIMALS, "null", "true", '"7"', '"x"', "[]", "[1]", "{}"]
NAMES = [*LIMITS, *WHOLE, *REAL, "logprobs", "echo", "stream", "a_number_of_tomorrow"]
NEEDED = {"messages": HELLO, "prompt": "Hello", "input": "Hello", "query": "Hello", "documents": ["a"], "tokens": [1]}

EVENTS: dict[str, list[dict[str, Any]]] = {
    "/v1/responses": [
        {
            "type": "response.completed",
            "response": {"id": "r", "object": "response", "status": "completed", "output": []},
        }
    ],
    "/v1/messages": [
        {"type": "message_start", "message": {"id": "m", "type": "message", "role": "assistant", "content": []}},
        {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 1}},
        {"type": "message_stop"},
    ],
}


def whole(request: Request) -> Script:
    """What the engine would answer at any of its paths."""
    if request.path in ("/api/chat", "/api/generate"):
        done = {"model": "m", "done": True, "done_reason": "stop", "prompt_eval_count": 5, "eval_count": 1}
        said = {"message": {"role": "assistant", "content": "x"}} if request.path == "/api/chat" else {"response": "x"}
        return answer(json.dumps({**done, **said}).encode() + b"\n", headers={"content-type": "application/x-ndjson"})
    if request.path.endswith("/generate_stream"):
        event = {"model_name": "m", "text_output": "x"}
        return [head(headers=SSE), body(b"data: " + json.dumps(event).encode() + b"\n\n"), end]
    if request.path.endswith("/completions"):
        return Chat(["x"])(request)
    if request.path in EVENTS and request.asks_for_stream:
        return sse([frame(data, str(data["type"])) for data in EVENTS[request.path]])
    return answer({"object": "list", "data": [], "usage": {"prompt_tokens": 1, "total_tokens": 1}})


@pytest.fixture(scope="module")
async def all_adapters() -> AsyncIterator[Stage]:
    others: dict[str, Any] = {name: {"backend": name} for name in ADAPTERS}
    others["triton"]["options"] = {"tokenizer": str(TOKENIZER)}
    inputs = ["text_input", "max_tokens", "stream", "stop_words", "temperature", "top_p", "top_k", "random_seed"]
    async with running_engine(whole) as engine:
        engine.routes |= {
            "/v2/health/ready": answer({}),
            "/v2/models/scripted/config": answer({"name": "scripted", "input": [{"name": name} for name in inputs]}),
            "/api/tags": answer({"models": [{"name": "scripted"}]}),
        }
        async with running_gateway(config=settings(engine.url, health=FORGIVING, others=others)) as gateway:
            stage = Stage(engine, gateway)
            await stage.healthy()

            async def answers() -> bool:
                return (await stage.post({"model": "triton", "messages": HELLO})).status == 200

            await eventually(answers, every_s=0.05)
            yield stage


def odd_request(rng: random.Random, key: str) -> tuple[str, bytes]:
    """One request with a few odd numbers in it, and what it is."""
    path, adapters = rng.choice(list(PATHS.items()))
    adapter = rng.choice(adapters)
    numbers = {rng.choice(NAMES): rng.choice(NUMBERS) for _ in range(rng.choice((1, 1, 1, 2, 4)))}
    shown = f"{path} {adapter} { {name: text[:40] for name, text in numbers.items()} }"
    if path.startswith("GET"):
        given = {name: text for name, text in numbers.items() if name in ("temperature", "top_p", "max_tokens", "seed")}
        query = urlencode({"prompt": "Hello", "model": adapter, **given})
        return shown, request_bytes("GET", f"/generate_stream?{query}", None, key)
    if path == "/v1/audio/transcriptions":
        fields = {"model": adapter, "file": "RIFF", **numbers}
        form = "".join(
            f'--edge\r\ncontent-disposition: form-data; name="{name}"\r\n\r\n{text}\r\n'
            for name, text in fields.items()
        )
        kind = {"content-type": "multipart/form-data; boundary=edge"}
        return shown, request_bytes("POST", path, f"{form}--edge--\r\n".encode(), key, kind)
    needed: dict[str, Any] = {"prompt": "Hello"} if path == "/generate_stream" else NEEDED
    if path == "/v1/chat/completions":
        needed = {"messages": HELLO}
    elif path == "/v1/completions":
        needed = {"prompt": "Hello"}
    known = ("temperature", "top_p", "max_tokens", "seed") if path == "/generate_stream" else NAMES
    written = {name: text for name, text in numbers.items() if name in known}
    start = json.dumps({"model": adapter, **needed})[:-1]
    return shown, request_bytes(
        "POST", path, (start + "".join(f', "{n}": {t}' for n, t in written.items()) + "}").encode(), key
    )


async def told(client: Client, request: bytes) -> Reply:
    await client.send(request)
    return await client.read_reply()


def within_bounds(sent: dict[str, Any]) -> bool:
    """Whether no number that is known by name is beyond what an engine can keep."""
    flat = sent | (sent.get("options") or {})
    return all(
        low <= flat[name] <= high for name, (low, high) in (WHOLE | REAL).items() if flat.get(name) is not None
    ) and all(0 <= flat[name] <= MAX_TOKENS for name in (*LIMITS, "num_predict") if flat.get(name) is not None)


async def no_5xx(stage: Stage, seed: int, count: int) -> None:
    rng = random.Random(seed)
    served = 0
    async with stage.connect() as client:
        for n in range(count):
            shown, request = odd_request(rng, stage.key)
            reply = await told(client, request)
            assert reply.status < 500, (seed, n, shown, reply.body)
            served += reply.status == 200
            if reply.status == 200:
                assert b"server_error" not in reply.body, (seed, n, shown, reply.body)
                assert b"upstream_error" not in reply.body, (seed, n, shown, reply.body)
            else:
                assert reply.json["error"]["message"], (seed, n, shown)
            for seen in stage.engine.requests:
                if not seen.body or seen.path.startswith("/v1/audio/trans"):
                    continue  # a probe, or a form, which passes as it is
                assert within_bounds(seen.json), (seed, n, shown, seen.body[:400])
            stage.engine.requests.clear()
    assert served > count // 20, "most of it must not be refused for another reason"


async def test_no_number_makes_a_server_error(all_adapters: Stage) -> None:
    await no_5xx(all_adapters, seed=20261128, count=2000)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(4))
async def test_no_number_of_many_makes_a_server_error(all_adapters: Stage, seed: int) -> None:
    await no_5xx(all_adapters, seed, count=4000)


@pytest.mark.parametrize("adapter", ADAPTERS)
@pytest.mark.parametrize("field", ["max_tokens", "seed"])
@pytest.mark.parametrize("value", ["18446744073709551616", "1e300", "1000000000000000000000"])
async def test_what_is_beyond_every_engine_is_refused_by_name(
    all_adapters: Stage, adapter: str, field: str, value: str
) -> None:
    query = urlencode({"prompt": "x", "model": adapter, field: value})
    reply = await all_adapters.get(f"/generate_stream?{query}")
    assert (reply.status, reply.json["error"]["param"]) == (400, field)


async def test_a_trillion_tokens_are_too_many_where_no_context_is_known(all_adapters: Stage) -> None:
    for adapter in ADAPTERS:
        for field in ("max_tokens", "max_completion_tokens", "n_predict"):
            reply = await all_adapters.post({"model": adapter, "messages": HELLO, field: 10**12})
            assert (reply.status, reply.json["error"]["param"]) == (400, field)
