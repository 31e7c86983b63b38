"""`hayate ps` as it is typed: in a terminal of 80 columns in both languages, in a pipe, as JSON; and what scripts go by."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from hayate.terminal import width
from tests.support.nursery import born
from tests.support.operators_commands import KEY, around, hayate
from tests.support.ports import free_port
from tests.support.scene import scene
from tests.support.terminals import terminal
from tests.unit.tools.engines.stand_in import stand_in
from tests.unit.tools.loading.told import CUDA, ELSEWHERE, FAILED, READY, SLEEPS

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize(
    ("language", "heading", "states", "error"),
    [
        ("en", "deployment ", ("ready", "unloaded", "failed"), "last error: fast ended (exit status 1)"),
        ("ja", "デプロイメント ", ("準備完了", "未読み込み", "失敗"), "直近のエラー: fastが終了しました"),
    ],
)
async def test_in_a_terminal_every_engine_has_its_lines(
    tmp_path: Path, language: str, heading: str, states: tuple[str, ...], error: str
) -> None:
    with stand_in(READY, SLEEPS, FAILED, ELSEWHERE) as gateway, terminal() as screen:
        gateway.tokens = 500
        env = around(tmp_path, language, TERM="xterm-256color")
        process = born(["ps", "--url", gateway.url], env, tmp_path, stdout=screen.fd, stderr=screen.fd)
        assert await process.wait() == 1
        lines = screen.lines()
    assert max(map(width, lines)) < 80
    assert lines[2].startswith("gpu0: ")
    assert lines[4].startswith(heading)
    assert [line.split(")")[1].split()[0] for line in lines if re.match(r"(fast|smart|broken) ", line)] == [*states]
    assert re.search(r"fast \(vllm, run\) .* [45]\d\d\.\d +-$", "\n".join(lines), re.MULTILINE)
    assert re.search(r"smart \(vllm, sleep\) .* - +-$", "\n".join(lines), re.MULTILINE)
    assert any(error in line for line in lines)
    assert "\x1b[32m" in screen.raw()


async def test_in_a_pipe_and_as_json(tmp_path: Path) -> None:
    with stand_in(READY, ELSEWHERE) as gateway:
        code, out, err = await hayate(tmp_path, "ps", "--url", gateway.url)
        assert (code, err, "\x1b" in out, "pid 4242" in out) == (0, "", False, True)
        code, out, err = await hayate(tmp_path, "ps", "--json", "--url", gateway.url, language="ja")
        told = json.loads(out)
        assert (code, err, told["error"], told["url"]) == (0, "", None, gateway.url)
        assert [each["name"] for each in told["engines"]] == ["fast", "remote"]
        assert told["engines"][0]["tokens_per_s"] == 0
        gateway.engines = [dict(FAILED)]
        gateway.asked.clear()
        code, out, _ = await hayate(tmp_path, "ps", "--json", "--url", gateway.url)
        assert (code, json.loads(out)["engines"][0]["last_error"]) == (1, CUDA)
        assert len(gateway.asked) == 1


@pytest.mark.parametrize(
    ("language", "says"), [("en", "No gateway answers at"), ("ja", "動作中のゲートウェイがありません")]
)
@pytest.mark.parametrize("verb", ["ps", "load x", "unload x", "unload --all", "logs x"])
async def test_where_no_gateway_runs(tmp_path: Path, verb: str, language: str, says: str) -> None:
    url = f"http://127.0.0.1:{free_port()}"
    code, out, err = await hayate(tmp_path, *verb.split(), "--url", url, language=language)
    assert (code, out, says in err, "Traceback" in err) == (2, "", True, False)
    code, out, _ = await hayate(tmp_path, *verb.split(), "--url", url, "--json", language=language)
    assert code == 2
    assert verb == "logs x" or "No gateway answers" in json.loads(out)["error"]


async def test_beside_a_real_gateway() -> None:
    async with scene() as stage:
        folder, url = stage.gateway.data.parent, stage.url
        key = stage.operators_key
        code, out, err = await hayate(folder, "ps", "--url", url, HAYATE_ADMIN_KEY=key)
        assert (code, err) == (0, "")
        assert re.search(r"^scripted \(vllm\) +ready +0 +0 +0\.0 +-$", out, re.MULTILINE)
        for verb in (["ps"], ["load", "scripted"], ["unload", "scripted"], ["unload", "--all"], ["logs", "scripted"]):
            code, out, err = await hayate(folder, *verb, "--url", url)
            assert (code, out, "does not take the key in HAYATE_ADMIN_KEY" in err, KEY in err) == (2, "", True, False)
        for verb in (["load"], ["unload"], ["logs"]):
            code, _, err = await hayate(folder, *verb, "nobody", "--url", url, HAYATE_ADMIN_KEY=key)
            assert (code, "'nobody'" in err, "scripted" in err) == (2, True, True)
            code, _, err = await hayate(folder, *verb, "scripted", "--url", url, HAYATE_ADMIN_KEY=key, language="ja")
            assert (code, "切り替え対象ではありません" in err) == (2 if verb == ["logs"] else 1, True)
        code, _, err = await hayate(folder, "unload", "--all", "--url", url, HAYATE_ADMIN_KEY=key)
        assert (code, err) == (0, "Nothing is loaded that could be unloaded.\n")


async def test_help_names_every_option(tmp_path: Path) -> None:
    for verb in ("ps", "load", "unload", "logs"):
        for language in ("en", "ja"):
            code, out, _ = await hayate(tmp_path, verb, "-h", language=language)
            assert (code, "--json" in out, "--url" in out) == (0, True, True)
            assert max(map(width, out.splitlines())) <= 100
