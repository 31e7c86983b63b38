"""`hayate load` and `unload` as they are typed: what is done, what is told meanwhile, and what scripts go by."""

from __future__ import annotations

import json
import signal
import threading
from pathlib import Path

import pytest

from tests.support.nursery import born
from tests.support.operators_commands import around, hayate
from tests.support.terminals import terminal
from tests.support.waiting import LAST_RESORT_S, eventually
from tests.unit.tools.engines.stand_in import Answer, stand_in
from tests.unit.tools.loading.told import READY, SLEEPS

pytestmark = pytest.mark.anyio

LOADED = json.dumps({**SLEEPS, "state": "ready", "why": "loaded"}).encode()
UNLOADED = json.dumps({**READY, "state": "unloaded", "why": "operator"}).encode()
REFUSED = json.dumps(
    {"error": {"message": "fast can't be used:\x1b[2J it is out of memory.", "code": "overloaded"}}
).encode()


async def test_a_model_is_loaded_and_what_happens_meanwhile_is_told(tmp_path: Path) -> None:
    with stand_in(READY, {**SLEEPS, "state": "loading"}) as gateway:
        over = threading.Event()

        def loads() -> Answer:
            over.wait(LAST_RESORT_S)
            return 200, LOADED

        gateway.answers["POST /admin/engines/smart/load"] = loads
        gateway.answers["POST /admin/engines/chat/load"] = loads
        gateway.answers["GET /admin/status"] = lambda: (200, b'{"deployments": [], "aliases": {"chat": ["smart"]}}')
        with terminal() as screen:
            words = ["load", "chat", "--url", gateway.url]
            process = born(words, around(tmp_path), tmp_path, stdout=screen.fd, stderr=screen.fd)
            await eventually(lambda: "smart: loading (it took 34.2s the last time)" in screen.text())
            over.set()
            assert await process.wait() == 0
            assert screen.lines()[-1] == "smart is ready; loading took 34.2s."


async def test_ctrl_c_ends_the_waiting_alone(tmp_path: Path) -> None:
    with stand_in(SLEEPS) as gateway, terminal() as screen:
        over = threading.Event()

        def loads() -> Answer:
            over.wait(LAST_RESORT_S)
            return 200, LOADED

        gateway.answers["POST /admin/engines/smart/load"] = loads
        words = ["load", "smart", "--url", gateway.url]
        process = born(words, around(tmp_path, "ja"), tmp_path, stdout=screen.fd, stderr=screen.fd)
        await eventually(lambda: "smart: ほかのモデルが場所を空けるのを待っています" in screen.text())
        gateway.engines[0]["state"] = "draining"
        await eventually(lambda: "smart: 完了待ち" in screen.text())
        process.send_signal(signal.SIGINT)
        assert await process.wait() == 130
        assert screen.lines()[-2:] == ["", "ゲートウェイでの処理は続いています（`hayate ps`で確認できます）。"]
        assert "Traceback" not in screen.text()
        over.set()


async def test_one_is_unloaded_or_all_that_are_loaded(tmp_path: Path) -> None:
    with stand_in(READY, SLEEPS, {**READY, "name": "日 本/x"}, {**READY, "name": "elsewhere", "how": None}) as gateway:
        for name in ("fast", "%E6%97%A5%20%E6%9C%AC%2Fx"):
            gateway.answers[f"POST /admin/engines/{name}/unload"] = lambda: (200, UNLOADED)
        code, out, err = await hayate(tmp_path, "unload", "fast", "--url", gateway.url)
        assert (code, out, err) == (0, "", "fast is unloaded; the next call loads it again.\n")
        code, out, err = await hayate(tmp_path, "unload", "--all", "--json", "--url", gateway.url)
        told = json.loads(out)
        assert (code, err, told["error"], [each["state"] for each in told["engines"]]) == (
            0,
            "",
            None,
            ["unloaded", "unloaded"],
        )
        assert gateway.asked.count("POST /admin/engines/fast/unload") == 2


async def test_what_the_gateway_can_t_do_is_told_in_its_words_and_the_others_are_done(tmp_path: Path) -> None:
    with stand_in(READY, {**READY, "name": "second"}) as gateway:
        gateway.answers["POST /admin/engines/fast/unload"] = lambda: (503, REFUSED)
        gateway.answers["POST /admin/engines/second/unload"] = lambda: (200, UNLOADED)
        code, out, err = await hayate(tmp_path, "unload", "--all", "--url", gateway.url)
        assert (code, out, "\x1b" in err) == (1, "", False)
        assert err.splitlines()[0].startswith("fast can't be used: [2J it is out of memory.")
        assert "POST /admin/engines/second/unload" in gateway.asked
        code, out, _ = await hayate(tmp_path, "unload", "fast", "--json", "--url", gateway.url)
        assert (code, "out of memory" in json.loads(out)["error"]) == (1, True)


async def test_an_unknown_name_is_told_with_those_that_there_are(tmp_path: Path) -> None:
    with stand_in(READY) as gateway:
        code, out, err = await hayate(tmp_path, "load", "x", "--url", gateway.url, language="ja")
        assert (code, out, err) == (2, "", "There is no deployment named 'x'. There are: fast, smart.\n")
        assert gateway.languages == {"ja"}


async def test_what_is_no_gateway_of_this_version_is_told(tmp_path: Path) -> None:
    with stand_in(READY) as gateway:
        for body in (b"{}", b"<html>", b"[]"):
            gateway.answers["POST /admin/engines/fast/load"] = lambda body=body: (200, body)  # type: ignore[misc]
            code, _, err = await hayate(tmp_path, "load", "fast", "--url", gateway.url)
            assert (code, "another program" in err) == (2, True)
        older = json.dumps({"error": {"message": "Nothing is served", "code": "unknown_path"}}).encode()
        gateway.answers["POST /admin/engines/fast/load"] = lambda: (404, older)
        code, _, err = await hayate(tmp_path, "load", "fast", "--url", gateway.url)
        assert (code, "an older Hayate" in err) == (2, True)


async def test_what_takes_too_long_is_not_waited_for(tmp_path: Path) -> None:
    over = threading.Event()

    def loads() -> Answer:
        over.wait(LAST_RESORT_S)
        return 200, LOADED

    with stand_in(SLEEPS) as gateway:
        gateway.answers["POST /admin/engines/smart/load"] = loads
        code, _, err = await hayate(tmp_path, "load", "smart", "--timeout", "0.3", "--url", gateway.url)
        assert (code, "smart is not done after 0.3 s" in err) == (1, True)
        over.set()


@pytest.mark.parametrize("words", [["unload"], ["unload", "fast", "--all"]])
async def test_one_name_or_all_of_them(words: list[str], tmp_path: Path) -> None:
    code, out, err = await hayate(tmp_path, *words)
    assert (code, out, "--all" in err) == (2, "", True)
