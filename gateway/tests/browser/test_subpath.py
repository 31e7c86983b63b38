"""The page in a folder of a proxy's host: its files, its session and its answers are all there."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.async_api import expect

from tests.browser.tab import OpenTab, gateway_on
from tests.support.engine_script import Chat, error
from tests.support.fake_engine import running_engine
from tests.support.nginx import running_nginx
from tests.support.quick import slow

pytestmark = [pytest.mark.anyio, pytest.mark.browser]

HOST = "proxy_set_header Host $http_host;"
"""As it comes, nginx names its upstream's address as the Host."""


@pytest.mark.parametrize("folder", ["/apps/llm/v2/", *slow("/llm/")])
async def test_everything_is_found_in_the_folder(open_tab: OpenTab, tmp_path: Path, folder: str) -> None:
    async with (
        running_engine(Chat(["こん", "にちは"])) as engine,
        gateway_on(engine) as gateway,
        running_nginx(gateway.url, tmp_path, folder=folder, more=HOST) as url,
        open_tab(url) as tab,  # at its end: nothing was asked for outside the folder, and the browser has no complaint
    ):
        await tab.signed_in(gateway.key)
        turn = await tab.ask("挨拶")
        assert await tab.answered(turn) == "こんにちは"
        assert f" {url}v1/chat/completions " in await tab.raw(turn, "curl")
        (cookie,) = await tab.context.cookies()
        assert cookie.get("path") == folder.rstrip("/")
        await tab.page.reload()
        await expect(tab.page.locator("#prompt")).to_be_focused()
        await tab.page.get_by_role("button", name="Sign out").click()
        await expect(tab.page.locator("#key")).to_be_focused()
        assert await tab.context.cookies() == []


async def test_a_long_question_passes_a_proxy_that_takes_no_long_url(open_tab: OpenTab, tmp_path: Path) -> None:
    async with (
        running_engine() as engine,
        gateway_on(engine) as gateway,
        running_nginx(gateway.url, tmp_path, more=HOST) as url,
        open_tab(url) as tab,
    ):
        await tab.signed_in(gateway.key)
        await tab.answered(await tab.ask("長" * 20_000))
        assert [len(request.json["messages"][-1]["content"]) for request in engine.requests] == [20_000]


async def test_a_refusal_through_the_proxy_shows_the_gateways_reason_and_is_asked_once(
    open_tab: OpenTab, tmp_path: Path
) -> None:
    async with (
        running_engine(error(400, "no such voice")) as engine,
        gateway_on(engine) as gateway,
        running_nginx(gateway.url, tmp_path, more=HOST) as url,
        open_tab(url) as tab,
    ):
        tab.allowed.append("400 (Bad Request)")
        await tab.signed_in(gateway.key)
        turn = await tab.ask("x")
        await expect(turn.locator(".notice")).to_contain_text("no such voice")
        assert len(tab.questions) == len(engine.requests) == 1


async def test_a_proxy_that_takes_the_host_away_is_told_on_the_page(open_tab: OpenTab, tmp_path: Path) -> None:
    """The session's cookie counts for the gateway's own host alone, and that is not known then."""
    async with (
        running_engine() as engine,
        gateway_on(engine) as gateway,
        running_nginx(gateway.url, tmp_path) as url,
        open_tab(url) as tab,
    ):
        tab.allowed.append("403 (Forbidden)")
        await tab.signed_in(gateway.key)
        turn = await tab.ask("x")
        await expect(turn.locator(".notice")).to_contain_text("pass the Host header on")
        assert engine.requests == []
