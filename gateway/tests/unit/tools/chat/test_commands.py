"""`hayate chat` beside a gateway with a scripted engine: at a terminal in both languages, and in a pipe."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from hayate.terminal import width
from hayate.tools.chat.words import LEAVE
from tests.support.engine_faults import silent_mid_stream
from tests.support.engine_script import Chat as Script
from tests.support.engine_script import answer, body, end, head
from tests.support.fake_engine import FakeEngine, running_engine
from tests.support.gateway import RunningGateway
from tests.support.ports import free_port
from tests.support.scene import scene
from tests.support.terminals import COLOUR
from tests.unit.tools.chat.talking import around, chat, piped

pytestmark = pytest.mark.anyio


def beside(gateway: RunningGateway, folder: Path, language: str = "en") -> dict[str, str]:
    return around(folder, language, HAYATE_API_KEY=gateway.key)


def asked(engine: FakeEngine) -> list[list[str]]:
    """The words of each call that the engine had."""
    return [[each["content"] for each in request.json["messages"]] for request in engine.requests]


async def test_a_talk_is_kept_by_the_gateway_and_goes_on(tmp_path: Path) -> None:
    async with scene() as stage:
        stage.engine.script = Script(["Hel", "lo"])
        async with chat(("--url", stage.url), beside(stage.gateway, tmp_path), tmp_path) as talk:
            assert "Hello\r\n" in (await talk.says("first")).replace("\n", "\r\n").replace("\r\r", "\r")
            await talk.says("/system Be brief.")
            await talk.says("second 日本語")
            await talk.says("/retry")
            await talk.says("/new")
            await talk.says("third")
            await talk.says("/model nothing")
            talk.screen.type("\x04")
            assert await talk.ended() == 0
        assert asked(stage.engine) == [
            ["first"],
            ["Be brief.", "first", "Hello", "second 日本語"],
            ["Be brief.", "first", "Hello", "second 日本語"],
            ["Be brief.", "third"],
        ]
        listed = await stage.get("/v1/conversations")
        assert [each["turns"] for each in listed.json["data"]] == [1, 2]
        assert "There is no model nothing here; there are: default, " in talk.screen.text()


@pytest.mark.parametrize(
    ("language", "greeting", "stopped"),
    [
        ("en", "/help shows the commands, Ctrl-D leaves", "(stopped)"),
        ("ja", "/helpでコマンド一覧、Ctrl-Dで終了", "（中止しました）"),
    ],
)
async def test_ctrl_c_stops_the_answer_and_the_engine(
    tmp_path: Path, language: str, greeting: str, stopped: str
) -> None:
    async with scene() as stage:
        stage.engine.script = silent_mid_stream(("途中",))
        async with chat(("--url", stage.url), beside(stage.gateway, tmp_path, language), tmp_path) as talk:
            await talk.prompted()
            talk.screen.type("hello\r")
            await talk.shows("途中")
            talk.screen.type("\x03")
            await stage.engine.abandoned.wait()
            await talk.shows(stopped)
            stage.engine.script = Script(["Again"])
            assert "Again" in await talk.says("go on")
            await talk.prompted()
            talk.screen.type("\x03")
            await talk.shows(LEAVE.ja if language == "ja" else LEAVE.en)
            await talk.prompted()
            talk.screen.type("/quit\r")
            assert await talk.ended() == 0
            seen = talk.screen.text()
        assert greeting in seen
        assert asked(stage.engine)[1] == ["hello", "途中", "go on"]
        assert max(width(line) for line in COLOUR.sub("", seen).split("\n")) <= 80


async def test_lines_are_edited_as_wide_as_they_are_and_several_can_be_one_message(tmp_path: Path) -> None:
    async with scene() as stage:
        stage.engine.script = Script(["ok"])
        async with chat(("--url", stage.url), beside(stage.gateway, tmp_path, "ja"), tmp_path) as talk:
            await talk.says("こんばんは\x1b[D\x7f\x7fにち")  # one to the left, two taken away, two put in
            await talk.says('"""一行目')
            await talk.says("二行目 \\")
            await talk.says('三行目"""')
            await talk.says("\x1b[200~pasted\nlines\x1b[201~")
            talk.screen.type("\x04")
            assert await talk.ended() == 0
        assert [words[-1] for words in asked(stage.engine)] == [
            "こんにちは",
            "一行目\n二行目 \\\n三行目",
            "pasted\nlines",
        ]


async def test_a_gateway_that_keeps_nothing_is_sent_all_of_it(tmp_path: Path) -> None:
    async with scene(history={"enabled": False}) as stage:
        stage.engine.script = Script(["Hello"])
        async with chat(("--url", stage.url), beside(stage.gateway, tmp_path), tmp_path) as talk:
            await talk.says("first")
            await talk.says("second")
        assert asked(stage.engine) == [["first"], ["first", "Hello", "second"]]


async def test_an_error_is_a_line_and_the_talk_goes_on(tmp_path: Path) -> None:
    async with scene() as stage:
        stage.engine.then(answer({"error": {"message": "too long"}}, 400))
        stage.engine.script = Script(["Hello"])
        async with chat(("--url", stage.url), beside(stage.gateway, tmp_path), tmp_path) as talk:
            assert "too long" in await talk.says("first")
            assert "Hello" in await talk.says("/retry")
        assert asked(stage.engine)[-1] == ["first"]


async def test_a_model_that_is_loaded_is_waited_for_and_said_to_be(tmp_path: Path) -> None:
    """A stand-in for the gateway: the same comments, and before them a refusal that says when to come again."""
    stream = {"content-type": "text/event-stream"}
    loads = b": loading model=smart for_s=1.0 last_load_s=9.0\n"
    says = b'data: {"choices":[{"delta":{"content":"loaded"},"finish_reason":"stop"}]}\n\ndata: [DONE]\n\n'
    async with running_engine() as engine:
        for language, line in (
            ("en", "smart is being loaded: 1 s (last time 9 s)"),
            ("ja", "smartを読み込み中: 1秒（前回は9秒）"),
        ):
            later = answer({"error": {"message": "smart is loading."}}, 503, headers={"retry-after": "1"})
            engine.then(later, [head(200, stream), body(loads), body(says), end])
            async with chat(("--url", engine.url), around(tmp_path, language), tmp_path) as talk:
                seen = await talk.says("hello")
            assert "smart is loading." in seen
            assert line in seen
            assert seen.index(line) < seen.index("loaded\n")


async def test_in_a_pipe_there_is_the_answer_alone(tmp_path: Path) -> None:
    async with scene() as stage:
        stage.engine.script = Script(["こん", "にちは"])
        env = beside(stage.gateway, tmp_path)
        done = await piped("やあ\n二行目\n".encode(), ("--url", stage.url, "--system", "S"), env, tmp_path)
        assert (done.status, done.out, done.err) == (0, "こんにちは\n", "")
        assert asked(stage.engine) == [["S", "やあ\n二行目"]]
        assert (await stage.get("/v1/conversations")).json["data"] == []
        told = await piped(b"hi", ("--url", stage.url, "--json"), env, tmp_path)
        values = json.loads(told.out)
        assert (values["model"], values["text"], values["error"]) == ("default", "こんにちは", None)


@pytest.mark.parametrize("language", ["en", "ja"])
async def test_what_goes_wrong_in_a_pipe_is_a_line_and_a_status(tmp_path: Path, language: str) -> None:
    async with scene() as stage:
        stage.engine.script = answer({"error": {"message": "too long"}}, 400)
        env = beside(stage.gateway, tmp_path, language)
        there = ("--url", stage.url)
        nobody = ("--url", f"http://127.0.0.1:{free_port()}")
        for said, words, more, status, says in (
            (b"hi", there, {}, 1, "too long"),
            (b" \n", there, {}, 2, {"en": "Nothing was said", "ja": "質問がありません"}[language]),
            (b"hi", ("nothing", *there), {}, 2, {"en": "There is no model", "ja": "モデルはありません"}[language]),
            (b"hi", there, {"HAYATE_API_KEY": "sk-wrong"}, 2, "HAYATE_API_KEY"),
            (b"hi", nobody, {}, 2, {"en": "No gateway answers", "ja": "応答しません"}[language]),
            (b"hi", ("--url", "ftp://x"), {}, 2, "http://"),
        ):
            done = await piped(said, words, {**env, **more}, tmp_path)
            assert (done.status, done.out, done.err.count("\n")) == (status, "", 1), done
            assert says in done.err


async def test_the_gateway_of_the_configuration_is_found_with_its_key(tmp_path: Path) -> None:
    async with scene() as stage:
        stage.engine.script = Script(["found"])
        (stage.gateway.data / "api_key").write_text(stage.gateway.key, encoding="ascii")
        there = {"HAYATE_DATA": str(stage.gateway.data), "HAYATE_PORT": str(stage.gateway.port)}
        done = await piped(b"hi", (), around(tmp_path, **there), tmp_path)
        assert (done.status, done.out) == (0, "found\n")
