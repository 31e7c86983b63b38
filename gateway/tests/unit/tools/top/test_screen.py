"""The live view in columns and rows, in both languages."""

from __future__ import annotations

from typing import Any, get_args

from hypothesis import given
from hypothesis import strategies as st

from hayate.language import Language
from hayate.terminal import Paint, width
from hayate.tools.top.look import read_look
from hayate.tools.top.screen import Screen
from hayate.tools.top.words import WHY
from tests.support.tables import table
from tests.unit.tools.top.told import BOT, CEILING, LANE, LOWERED, call, calls, deployment

URL = "http://127.0.0.1:8080"
CLOCK = "10:21:23"
RATES = {"qwen": 1234.56}
ANY_TEXT = st.text(st.characters(codec=None), max_size=60)


def shown(
    *deployments: dict[str, Any],
    told: dict[str, Any] | None = None,
    language: Language = "en",
    columns: int = 80,
    rows: int | None = 24,
    paint: Paint | None = None,
    silent_since: str | None = None,
) -> list[str]:
    look = read_look(0.0, {"deployments": list(deployments)}, told)
    return Screen(language, columns, rows, paint or Paint()).lines(look, RATES, URL, CLOCK, silent_since)


def test_everything_has_its_place_in_80_columns() -> None:
    waits = calls(call(2.5), call(72.25), call(300, replica=""))
    assert shown(deployment(LANE, BOT, LOWERED), told=waits) == [
        "疾風 Hayate  http://127.0.0.1:8080  10:21:23                        Ctrl-C ends",
        "",
        "key, project                   weight  calls waiting  longest      p50      p95",
        "qwen (vllm, gpu0)                         35     466           1,234.6 tokens/s",
        "  ceiling 32+4  raised: all places were taken",
        "  6b01ba977411 batch                1     34     466    72.1s    41.0s    78.2s",
        "  c0ffee123456 bot                  5      1       0        -    0.00s    0.08s",
        "  c0ffee123456 bot (low)          0.5      0       0        -        -        -",
        "",
        "longest-running calls            model                replica           running",
        "  6b01ba977411 batch             fast                 qwen/0              72.2s",
        "  6b01ba977411 batch             fast                 qwen/0              2.50s",
    ]
    assert shown(deployment(LANE, BOT, LOWERED), told=waits, language="ja") == [
        "疾風 Hayate  http://127.0.0.1:8080  10:21:23                       Ctrl-Cで終了",
        "",
        "キー、プロジェクト               重み 処理中    待ち     最長      p50      p95",
        "qwen (vllm, gpu0)                         35     466        1,234.6 トークン/秒",
        "  上限 32+4  引き上げ: すべて使用中",
        "  6b01ba977411 batch                1     34     466    72.1s    41.0s    78.2s",
        "  c0ffee123456 bot                  5      1       0        -    0.00s    0.08s",
        "  c0ffee123456 bot（低優先）      0.5      0       0        -        -        -",
        "",
        "実行時間の長い呼び出し           モデル               レプリカ             経過",
        "  6b01ba977411 batch             fast                 qwen/0              72.2s",
        "  6b01ba977411 batch             fast                 qwen/0              2.50s",
    ]


def test_each_replica_of_a_few_has_a_line_and_of_many_the_sum_stands_there() -> None:
    one, other = CEILING, {**CEILING, "replica": "qwen/1", "places": 8, "spare": 0, "why": "fixed"}
    lines = shown(deployment(ceilings=[one, other]))
    assert lines[4:6] == ["  ceiling 32+4  qwen/0  raised: all places were taken", "  ceiling 8  qwen/1  as configured"]
    assert shown(deployment(ceilings=[one] * 9))[4] == "  ceiling 32+4"


@table("language", get_args(Language))
@table("why", [*WHY, "a word of tomorrow"])
def test_why_the_ceiling_is_where_it_is_fits_the_line(why: str, language: Language) -> None:
    line = shown(deployment(ceilings=[{**CEILING, "why": why}]), language=language)[4]
    text = WHY[why].of(language) if why in WHY else why
    assert line.endswith(f"  {text}")


def test_what_finds_no_room_is_counted_and_calls_give_way_before_lanes() -> None:
    lanes = [{**BOT, "key": f"{number:012x}", "waiting": 1} for number in range(40)]
    told = calls(*map(call, range(1, 30)))
    lines = shown(deployment(*lanes, name="a"), deployment(*lanes, name="b"), told=told)
    assert len(lines) == 24
    assert lines[-4:-3][0].startswith("longest-running")
    cut = [line for line in lines if "more" in line]
    assert cut == ["  … 35 more: 35 in flight, 35 waiting"] * 2
    assert len(shown(deployment(*lanes), told=told, rows=None)) == 3 + 2 + 40 + 2 + 10
    few = shown(deployment(BOT), told=told)
    assert len([line for line in few if "batch" in line]) == 10


@table("rows", [1, 3, 5, 8, 12, 24, 60])
@table("deployments", [0, 1, 3, 20])
def test_a_terminal_of_any_height_is_never_overrun(rows: int, deployments: int) -> None:
    told = [deployment(LANE, BOT, name=f"d{number}") for number in range(deployments)]
    lines = shown(*told, told=calls(*map(call, range(1, 30))), rows=rows)
    assert len(lines) <= rows
    if deployments == 20 and 8 < rows < 60:
        assert any("more deployments" in line for line in lines)


@table("language", get_args(Language))
@table("columns", [20, 80, 100, 500])
def test_no_line_is_wider_than_the_terminal(language: Language, columns: int) -> None:
    long = {**LANE, "project": "日本語のとても長い名前" * 9, "waiting": 10**9, "oldest_s": 10.0**9}
    told = calls(call(10.0**8, model="モデル" * 30, replica="長い" * 30))
    lines = shown(deployment(long, name="名前" * 40), told=told, language=language, columns=columns)
    assert max(map(width, lines)) <= max(80, columns) - 1


@given(text=ANY_TEXT, language=st.sampled_from(get_args(Language)))
def test_nothing_of_a_callers_or_an_engines_acts_on_the_terminal(text: str, language: Language) -> None:
    lane = {**LANE, "key": text, "project": text}
    ceilings = [{**CEILING, "replica": text, "why": text}] * 2
    told = calls(call(1, key=text, project=text, model=text, replica=text + "!"))
    lines = shown(
        deployment(lane, name=text, engine=text, gpus=[text], ceilings=ceilings), told=told, language=language
    )
    assert all(line.isprintable() for line in lines)


def test_what_is_not_told_is_left_open_and_said() -> None:
    lines = shown({"lanes": [{}]})
    assert lines[3].split() == ["?", "(?)", "-", "-"]
    assert lines[4].strip() == "ceiling -"
    assert lines[-1].strip() == "the gateway does not tell them at the moment"
    assert "no deployments" in shown()
    assert shown(told=calls(call(3, replica="")))[-1].strip() == "none in flight"


def test_a_gateway_that_is_silent_is_told_in_place_of_the_way_out() -> None:
    assert shown(silent_since="10:20:00")[0].endswith("no answer since 10:20:00")
    assert shown(silent_since="10:20:00", language="ja")[0].endswith("10:20:00から応答なし")
    assert shown(rows=None, paint=Paint(True))[0].endswith(CLOCK)


def test_a_lane_that_waits_is_marked() -> None:
    lines = shown(deployment(LANE, BOT, {**BOT, "waiting": 1, "oldest_s": 0.2}), paint=Paint(True))
    assert ["\x1b[33m" in line for line in lines[5:8]] == [True, False, False]
