"""The command as it is typed: exit statuses, what goes where, both languages, and Ctrl-C."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import orjson
import pytest

from hayate.language import Language
from hayate.tools.measure.commands import run_bench
from hayate.tools.measure.options import BenchOptions
from hayate.tools.running import Place
from tests.support.engine_script import Chat, error
from tests.support.fake_engine import running_engine
from tests.support.gateway import KEY, running_gateway
from tests.unit.tools.measure.measured import bench

pytestmark = pytest.mark.anyio
HERE = Place("http://127.0.0.1:9", Path("/nowhere"))


async def test_a_run_prints_a_table_and_ends_with_0(tmp_path: Path) -> None:
    async with running_engine(Chat(gap_s=0.01)) as engine:
        ended = await bench("--url", engine.url, "-n", 4, cwd=tmp_path)
    assert ended.status == 0, ended.stderr
    assert "first output" in ended.stdout
    assert "scripted" in ended.stdout
    assert "0 of 4" in ended.stdout
    assert not ended.stderr


async def test_japanese_is_spoken_by_locale_variable_or_option(tmp_path: Path) -> None:
    async with running_engine() as engine:
        url = ("--url", engine.url, "-n", 1)
        for options, env in (
            ((), {"LANG": "ja_JP.UTF-8"}),
            ((), {"HAYATE_LANG": "ja"}),
            (("--lang", "ja"), {"HAYATE_LANG": "en"}),
        ):
            ended = await bench(*url, *options, cwd=tmp_path, env=env)
            assert "最初の出力まで" in ended.stdout
    refused = await bench("-c", 0, "--lang", "ja", cwd=tmp_path)
    assert (refused.status, refused.stderr) == (2, "-c 0: 1から512までの値にしてください。\n")


async def test_json_is_alone_on_standard_output_and_serves_as_the_before_of_another_run(tmp_path: Path) -> None:
    async with running_engine(Chat(["x"] * 8, gap_s=0.05)) as engine:
        before = await bench("--url", engine.url, "-n", 2, "--json", "--raw", "--label", "70B", cwd=tmp_path)
        (tmp_path / "before.json").write_text(before.stdout, encoding="utf-8")
        engine.script = Chat(["x"] * 8, gap_s=0.005)
        options = ("--compare", "before.json", "--plot", "plot.html")
        after = await bench("--url", engine.url, "-n", 2, "--json", "--label", "7B", *options, cwd=tmp_path)
    assert before.status == after.status == 0
    assert (before.json["format"], before.json["label"], before.json["complete"]) == ("hayate-bench/1", "70B", True)
    assert len(before.json["models"][0]["rows"]) == 2
    assert before.json["models"][0]["tokens_from"] == "usage"
    assert after.json["comparison"]["models"][0]["gain"]["tpot_s_p50"] > 2
    assert "as fast" in after.stderr
    assert "70B" in (tmp_path / "plot.html").read_text(encoding="utf-8")
    again = await bench("--show", "before.json", "--plot", "plot.png", cwd=tmp_path)
    assert again.status == 0
    assert (tmp_path / "plot.png").read_bytes().startswith(b"\x89PNG")
    assert "70B" in again.stdout


async def test_failed_calls_make_the_status_1_and_are_told_with_their_reasons(tmp_path: Path) -> None:
    async with running_engine() as engine:
        engine.then(Chat(), error(503, "queue full"), error(503, "queue full"))
        ended = await bench("--url", engine.url, "--models", "fast", "-n", 4, "-c", 1, "--json", cwd=tmp_path)
    assert ended.status == 1
    assert ended.json["models"][0]["failures"] == [{"reason": "status_503", "detail": "queue full", "count": 2}]
    assert "2 of 4" in ended.stderr
    assert "fast  2 x 503: queue full" in ended.stderr


async def test_the_key_is_found_and_never_written(tmp_path: Path) -> None:
    async with (
        running_engine() as engine,
        running_gateway({"LLM_BACKEND": "vllm", "BACKEND_URL": engine.url, "MODEL": "fast"}) as gateway,
    ):
        await gateway.ready()
        url = ("--url", gateway.url, "-n", 1, "--json")
        for options, env in (
            (("--key", KEY), {}),
            ((), {"HAYATE_API_KEY": KEY}),
            ((), {"HAYATE_DATA": str(tmp_path / "kept"), "HAYATE_PORT": str(gateway.port)}),
        ):
            (tmp_path / "kept").mkdir(exist_ok=True)
            (tmp_path / "kept" / "api_key").write_text(KEY, encoding="ascii")
            ended = await bench(*url, *options, cwd=tmp_path, env=env)
            assert ended.status == 0, ended.stderr
            assert KEY not in ended.stdout + ended.stderr
        unknown = await bench(*url, cwd=tmp_path)
    assert unknown.status == 1
    assert "HAYATE_API_KEY" in unknown.stderr
    assert not unknown.stdout


async def test_nothing_there_is_one_sentence_and_status_1(tmp_path: Path) -> None:
    async with running_engine() as engine:
        await engine.refuse()
        ended = await bench("--url", engine.url, cwd=tmp_path)
    assert ended.status == 1
    assert ended.stderr.startswith(f"{engine.url} does not answer")
    assert len(ended.stderr.splitlines()) == 1


@pytest.mark.parametrize(
    "mistake",
    [
        {"calls": 0},
        {"concurrency": 1000},
        {"max_tokens": 0},
        {"temperature": 3},
        {"timeout_s": 0},
        {"api": "grpc"},
        {"url": "nowhere"},
        {"prompts": Path("nowhere.txt")},
        {"compare": Path("nowhere.json")},
        {"show": Path("nowhere.json")},
        {"plot": Path("plot.gif")},
        {"plot": Path("nowhere/plot.html")},
    ],
    ids=str,
)
@pytest.mark.parametrize("language", ["en", "ja"])
async def test_a_mistake_is_one_line_and_status_2(
    mistake: dict[str, Any], language: Language, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_bench(BenchOptions(**{"url": "http://127.0.0.1:9", **mistake}), language, {}, lambda: HERE) == 2
    told = capsys.readouterr()
    assert not told.out
    assert len(told.err.splitlines()) == 1
    assert told.err.isascii() is (language == "en")


async def test_ctrl_c_shows_what_was_measured_until_then(tmp_path: Path) -> None:
    async with running_engine(Chat(gap_s=0.01)) as engine:
        options = ("--url", engine.url, "-n", 100_000, "--models", "fast", "--json")
        ended = await bench(*options, cwd=tmp_path, interrupt_when=lambda: len(engine.requests) > 20)
    assert ended.status == 130
    assert ended.json["complete"] is False
    assert 0 < ended.json["models"][0]["succeeded"] < 100_000
    assert "stopped before the end" in ended.stderr


async def test_own_prompts_are_asked_in_order(tmp_path: Path) -> None:
    (tmp_path / "p.txt").write_text("ひとつ\nふたつ\n", encoding="utf-8")
    async with running_engine() as engine:
        options = ("--models", "fast", "-c", 1, "-n", 3, "--prompts", "p.txt", "--no-warm-up")
        ended = await bench("--url", engine.url, *options, cwd=tmp_path)
    assert ended.status == 0
    asked = [request.json["messages"][0]["content"] for request in engine.requests]
    assert asked == ["ひとつ", "ふたつ", "ひとつ"]
    assert "--unique" in ended.stderr


async def test_help_tells_every_option_at_once(tmp_path: Path) -> None:
    ended = await bench("--help", cwd=tmp_path, env={"COLUMNS": "120"})
    for option in ("--models", "--concurrency", "--calls", "--compare", "--plot", "--json", "--lang"):
        assert option in ended.stdout


async def test_a_plot_that_can_not_be_written_after_all_does_not_lose_the_result(tmp_path: Path) -> None:
    async with running_engine() as engine:
        (tmp_path / "plot.html").symlink_to(tmp_path / "gone" / "x.html")
        ended = await bench("--url", engine.url, "-n", 1, "--json", "--plot", "plot.html", cwd=tmp_path)
    assert ended.status == 1
    assert orjson.loads(ended.stdout)["models"][0]["succeeded"] == 1
