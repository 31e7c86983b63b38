"""The page as a person uses it, and what the browser says about it behind the scenes."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Protocol

from playwright.async_api import Browser, BrowserContext, ConsoleMessage, Locator, Page, expect

from tests.support.chromium import PATIENCE_MS
from tests.support.fake_engine import FakeEngine
from tests.support.gateway import RunningGateway, running_gateway
from tests.support.waiting import LAST_RESORT_S


class Tab:
    """One tab on the gateway's page. `allowed` holds parts of console messages that the test expects."""

    def __init__(self, url: str, context: BrowserContext, page: Page) -> None:
        self.url = url
        self.context = context
        self.page = page
        self.allowed: list[str] = []
        self.complaints: list[str] = []
        self.requests: list[str] = []
        page.on("console", self._heard)
        page.on("pageerror", lambda error: self.complaints.append(f"uncaught: {error}"))
        context.on("request", lambda request: self.requests.append(request.url))

    def _heard(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            self.complaints.append(message.text)

    async def open(self) -> None:
        await self.page.goto(self.url)

    async def sign_in(self, key: str) -> None:
        await self.page.locator("#key").fill(key)
        await self.page.locator("#key").press("Enter")

    async def signed_in(self, key: str) -> None:
        """Signs in and waits until the models are there."""
        await self.sign_in(key)
        await expect(self.page.locator("#model option")).not_to_have_count(0)

    async def ask(self, question: str) -> Locator:
        """Types a question, presses Enter, and gives its turn on the page."""
        before = await self.page.locator(".turn").count()
        await self.page.locator("#prompt").fill(question)
        await self.page.locator("#prompt").press("Enter")
        return self.page.locator(".turn").nth(before)

    async def answered(self, turn: Locator, within_s: float = LAST_RESORT_S) -> str:
        """The answer's text, once it is complete."""
        await expect(turn).not_to_have_attribute("aria-busy", "true", timeout=within_s * 1000)
        return (await turn.locator(".answer").text_content() or "").strip()

    async def raw(self, turn: Locator, kind: str) -> str:
        """What is behind an answer: `curl`, `Python`, `JavaScript` or the events, as its panel shows it."""
        if await turn.locator(".behind").is_hidden():
            await turn.locator(".show-raw").click()
        await turn.locator(".raw-tabs").get_by_role("button", name=kind, exact=True).click()
        return await turn.locator(".raw").text_content() or ""

    @property
    def questions(self) -> list[str]:
        """The URLs of every question that left the browser, however often it was the same."""
        return [url for url in self.requests if url.endswith("v1/chat/completions") or "generate_stream" in url]

    async def set(self, name: str, value: str) -> None:
        """Fills in one of the settings."""
        if not await self.page.locator("#settings").evaluate("(settings) => settings.open"):
            await self.page.locator("#settings summary").click()
        await self.page.locator(f"#{name}").fill(value)

    def check(self) -> None:
        """No script error, no refused content, no request to anywhere else."""
        unexpected = [text for text in self.complaints if not any(part in text for part in self.allowed)]
        assert unexpected == []
        assert [url for url in self.requests if not url.startswith((self.url, "data:"))] == []


class OpenTab(Protocol):
    """What the `open_tab` fixture gives."""

    def __call__(
        self, url: str, *, language: str = ..., width: int = ..., dark: bool = ...
    ) -> AbstractAsyncContextManager[Tab]: ...


@asynccontextmanager
async def opened_tab(
    browser: Browser, url: str, *, language: str = "en-US", width: int = 1100, dark: bool = False, phone: bool = False
) -> AsyncIterator[Tab]:
    """The page in a browser profile of its own. At its end, which comes before the gateway's, the tab must have nothing to
    complain about. `phone`: with fingers in place of a mouse."""
    context = await browser.new_context(
        locale=language,
        viewport={"width": width, "height": 760},
        color_scheme="dark" if dark else "light",
        permissions=["clipboard-read", "clipboard-write"],
        is_mobile=phone,
        has_touch=phone,
    )
    context.set_default_timeout(PATIENCE_MS)
    tab = Tab(url, context, await context.new_page())
    try:
        await tab.open()
        yield tab
    finally:
        await context.close()
    tab.check()


@asynccontextmanager
async def gateway_on(engine: FakeEngine) -> AsyncIterator[RunningGateway]:
    """A gateway in front of a scripted engine, once it is ready."""
    async with running_gateway({"LLM_BACKEND": "vllm", "BACKEND_URL": engine.url, "MODEL": engine.model}) as gateway:
        await gateway.ready()
        yield gateway
