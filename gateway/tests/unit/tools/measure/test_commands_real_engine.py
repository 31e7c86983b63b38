"""The whole way on a real engine: llama.cpp on the tiny model, through the gateway, through both of its APIs."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.engines.launch import MODEL, running_llamacpp
from tests.support.gateway import KEY, running_gateway
from tests.unit.tools.measure.measured import bench

pytestmark = pytest.mark.anyio


async def test_real_llamacpp_is_measured_through_the_gateway_and_directly(tmp_path: Path) -> None:
    with running_llamacpp(tmp_path) as engine:
        async with running_gateway(engine.env) as gateway:
            await gateway.ready()
            common = ("-n", 6, "-c", 2, "--max-tokens", 16, "--temperature", 0, "--json")
            key = {"HAYATE_API_KEY": KEY}
            through = await bench("--url", gateway.url, *common, cwd=tmp_path, env=key)
            old_way = await bench("--url", gateway.url, "--api", "generate_stream", *common, cwd=tmp_path, env=key)
        direct = await bench("--url", f"{engine.url}/v1", "--models", MODEL, *common, cwd=tmp_path)
    for ended in (through, old_way, direct):
        assert ended.status == 0, ended.stderr
        (figures,) = ended.json["models"]
        assert (figures["succeeded"], figures["failed"], figures["tokens_from"]) == (6, 0, "usage")
        assert 0 < figures["output_tokens"] <= 6 * 16
        assert figures["prompt_tokens"] > 6
        assert figures["ttft_s"]["p50"] <= figures["total_s"]["p50"]
        assert figures["requests_per_s"] > 0
    assert through.json["models"][0]["model"] == MODEL
    # Greedy, so the same prompts have the same answers whichever way they were asked.
    counts = {ended.json["models"][0]["output_tokens"] for ended in (through, old_way, direct)}
    assert len(counts) == 1
