"""Pages of other origins in a real browser, with the JavaScript of the guide (`docs-llm_api/browsers.md`)."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from playwright.async_api import Browser, Page, expect

from tests.browser.tab import OpenTab, gateway_on
from tests.guides.blocks import blocks
from tests.support.chromium import PATIENCE_MS
from tests.support.engine_script import SSE, Chat, Request, head, silence
from tests.support.fake_engine import running_engine
from tests.support.other_site import other_site
from tests.support.proxies import running_proxy
from tests.support.quick import slow
from tests.support.scene import CHAT_PATH, Stage, scene
from tests.support.steps import Steps
from tests.support.waiting import eventually

pytestmark = [pytest.mark.anyio, pytest.mark.browser]

ASK, SESSION = (code for code in blocks("browsers.md", "js") if "export " in code and "vite" not in code)
STREAM = """async ([hayate, key]) => {
  const { ask } = await import("/script.js");
  window.seen = []; window.outcome = undefined; window.stopper = new AbortController();
  (async () => { for await (const text of ask(hayate, key, { prompt: "x" }, stopper.signal)) if (text) seen.push(text); })()
    .then(() => { outcome = "done"; }, (error) => { outcome = error.message; });
}"""
LISTEN = """async ([hayate, key]) => {
  const { signIn, listen } = await import("/script.js");
  window.seen = []; window.outcome = undefined;
  signIn(hayate, key)
    .then(() => listen(hayate, "x", (text) => { if (text) seen.push(text); }, (error) => { outcome = error ?? "done"; }))
    .catch((error) => { outcome = error.message; });
}"""
STREAMED = Request(path=CHAT_PATH, body=b'{"stream":true}')
WAYS = {"fetch": STREAM, "EventSource": LISTEN}


@asynccontextmanager
async def game(browser: Browser, host: str = "127.0.0.1", **server: object) -> AsyncIterator[tuple[Stage, Page]]:
    """A page of `host`, and a gateway whose setting may name it as ORIGIN."""
    async with other_site(ASK + SESSION) as port:
        origin = f"http://{host}:{port}"
        listed = {name: origin if value == "ORIGIN" else value for name, value in server.items()}
        async with scene(server=listed) as stage:
            context = await browser.new_context()
            page = await context.new_page()
            page.set_default_timeout(PATIENCE_MS)
            await page.goto(origin + "/")
            yield stage, page
            await context.close()


async def outcome(page: Page) -> str:
    """How the question ended."""
    await page.wait_for_function("window.outcome !== undefined")
    return str(await page.evaluate("window.outcome"))


@pytest.mark.parametrize("way", WAYS)
async def test_a_listed_page_has_every_token_before_the_engine_makes_the_next(browser: Browser, way: str) -> None:
    async with game(browser, cors_origins="ORIGIN") as (stage, page):
        engine = stage.engine.script = Steps(10)
        engine.send_next()
        await page.evaluate(WAYS[way], [stage.url, stage.key])
        for count in range(1, 11):
            await page.wait_for_function("(count) => window.seen.length >= count", arg=count)
            engine.send_next()
        for _ in engine.frames:
            engine.send_next()
        assert await outcome(page) == "done"
        assert await page.evaluate("seen.join('')") == "".join(f"{number} " for number in range(10))


@pytest.mark.parametrize(
    ("way", "listed"),
    [
        ("fetch", []),
        ("EventSource", ["https://other.example"]),
        *slow(("EventSource", []), ("fetch", ["https://other.example"])),
    ],
)
async def test_a_page_that_is_not_listed_is_refused(browser: Browser, way: str, listed: list[str]) -> None:
    async with game(browser, cors_origins=listed) as (stage, page):
        await page.evaluate(WAYS[way], [stage.url, stage.key])
        assert "Failed to fetch" in await outcome(page)
        assert stage.engine.requests == []
        told = '"event":"origin_refused","origin":"http://127.0.0.1:'
        await eventually(lambda: told in stage.gateway.stderr())


async def test_a_bare_eventsource_is_refused_without_the_setting(browser: Browser) -> None:
    """It sends no question before its request: what it gets is no stream, and nothing that it could read."""
    async with game(browser) as (stage, page):
        await page.evaluate("window.outcome = undefined")
        await page.evaluate(
            """(hayate) => { const source = new EventSource(`${hayate}/generate_stream?prompt=x`, { withCredentials: true });
            source.onerror = () => { window.outcome = `closed: ${source.readyState === EventSource.CLOSED}`; }; }""",
            stage.url,
        )
        assert await outcome(page) == "closed: true"
        assert stage.engine.requests == []


@pytest.mark.parametrize("origins", ["*", *slow("ORIGIN")])
async def test_a_page_of_another_site_streams_with_its_key_and_has_no_session(browser: Browser, origins: str) -> None:
    """`localhost` is another site than 127.0.0.1."""
    async with game(browser, "localhost", cors_origins=origins) as (stage, page):
        stage.engine.script = Chat(["こん", "にちは"])
        await page.evaluate(STREAM, [stage.url, stage.key])
        assert (await outcome(page), await page.evaluate("seen.join('')")) == ("done", "こんにちは")
        await page.evaluate(LISTEN, [stage.url, stage.key])
        assert await outcome(page) != "done"
        assert len(stage.engine.requests) == 1


async def test_a_page_reads_why_it_was_refused(browser: Browser) -> None:
    async with game(browser, cors_origins="ORIGIN") as (stage, page):
        for way in WAYS.values():
            await page.evaluate(way, [stage.url, "sk-hayate-wrong-0123456789"])
            assert "Incorrect API key" in await outcome(page)


async def test_a_page_that_reads_no_further_stops_the_engine(browser: Browser) -> None:
    async with game(browser, cors_origins="ORIGIN") as (stage, page):
        stage.engine.script = [*Chat(["x"], done=False, finish_reason=None, last=())(STREAMED), silence]
        await page.evaluate(
            """async ([hayate, key]) => { const { ask } = await import("/script.js");
            for await (const text of ask(hayate, key, { prompt: "x" })) if (text) break; }""",
            [stage.url, stage.key],
        )
        await eventually(stage.engine.abandoned.is_set)


async def test_a_page_that_stops_asking_stops_the_engine(browser: Browser) -> None:
    async with game(browser, cors_origins="ORIGIN") as (stage, page):
        stage.engine.script = [head(headers=SSE), silence]
        await page.evaluate(STREAM, [stage.url, stage.key])
        await eventually(lambda: stage.engine.requests)
        await page.evaluate("stopper.abort()")
        await eventually(stage.engine.abandoned.is_set)


@pytest.mark.parametrize("proxy", ["caddy", *slow("nginx")])
async def test_the_page_works_in_the_folder_of_a_proxy(open_tab: OpenTab, tmp_path: Path, proxy: str) -> None:
    async with (
        running_engine(Chat(["こん", "にちは"])) as engine,
        gateway_on(engine) as gateway,
        running_proxy(proxy, gateway, tmp_path) as url,
        open_tab(f"{url}/llm/") as tab,  # at its end: nothing was asked for outside the folder
    ):
        await tab.signed_in(gateway.key)
        assert await tab.answered(await tab.ask("挨拶")) == "こんにちは"
        (cookie,) = await tab.context.cookies()
        assert cookie.get("path") == "/llm"
        text = await tab.page.evaluate(
            """() => new Promise((resolve, reject) => {
              const source = new EventSource("generate_stream?prompt=x"); let text = "";
              source.onmessage = ({ data }) => { text += JSON.parse(data).delta; };
              source.addEventListener("done", () => { source.close(); resolve(text); });
              source.onerror = () => { source.close(); reject(new Error("lost")); };
            })"""
        )
        assert text == "こんにちは"
        await tab.page.reload()
        await expect(tab.page.locator("#prompt")).to_be_focused()


def test_both_languages_have_the_same_code() -> None:
    def code(document: str, language: str) -> list[str]:
        return [re.sub(r"(^|\s+)(//|#)\s.*$", "", each, flags=re.MULTILINE) for each in blocks(document, language)]

    for language, count in {"yaml": 1, "js": 3, "gdscript": 2, "csharp": 1}.items():
        assert code("browsers.md", language) == code("browsers.ja.md", language)
        assert len(code("browsers.md", language)) == count
