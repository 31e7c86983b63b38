"""A browser's own EventSource that nobody closes: it connects again by itself, and no prompt is run a second time."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from tests.browser.tab import OpenTab, Tab, gateway_on
from tests.support.engine_faults import cut_mid_frame
from tests.support.engine_script import Answer, Chat
from tests.support.fake_engine import running_engine
from tests.support.gateway import RunningGateway
from tests.support.waiting import eventually

pytestmark = [pytest.mark.anyio, pytest.mark.browser]

ENDLESS = Chat(["はい。"] * 5000, gap_s=0.05)
LISTEN = """() => {
  window.seen = { codes: [], dones: 0, texts: 0 };
  window.source = new EventSource("generate_stream?prompt=x");
  source.onmessage = () => (seen.texts += 1);
  source.addEventListener("done", () => (seen.dones += 1));
  source.addEventListener("error", ({ data }) => data && seen.codes.push(JSON.parse(data).error.code));
}"""


async def until(tab: Tab, condition: str) -> None:
    async def holds() -> bool:
        return bool(await tab.page.evaluate(condition))

    await eventually(holds, every_s=0.1)


@asynccontextmanager
async def fragile(gateway: RunningGateway) -> AsyncIterator[tuple[str, list[asyncio.StreamWriter]]]:
    """The gateway through a proxy whose connections a test can cut."""
    clients: list[asyncio.StreamWriter] = []

    async def pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while (data := await reader.read(65536)) and not writer.is_closing():
                writer.write(data)
                await writer.drain()
        except ConnectionError:
            pass
        writer.close()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        clients.append(writer)
        inner, outer = await asyncio.open_connection("127.0.0.1", gateway.port)
        await asyncio.gather(pass_on(reader, outer), pass_on(inner, writer))

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/", clients
    finally:
        server.close()
        for client in clients:
            client.transport.abort()
        await server.wait_closed()


@pytest.mark.parametrize(
    ("script", "codes", "dones"),
    [(Chat(["はい。"]), [], 1), (cut_mid_frame(), ["upstream_error"], 0)],
    ids=["a whole answer", "an answer that broke"],
)
async def test_after_the_end_it_is_told_to_stop(
    open_tab: OpenTab, script: Answer, codes: list[str], dones: int
) -> None:
    async with running_engine(script) as engine, gateway_on(engine) as gateway, open_tab(gateway.url) as tab:
        await tab.signed_in(gateway.key)
        await tab.page.evaluate(LISTEN)
        await until(tab, "source.readyState === EventSource.CLOSED")
        seen = await tab.page.evaluate("seen")
        assert (seen["codes"], seen["dones"]) == (codes, dones)
        assert len(tab.questions) == 2
        assert len(engine.requests) == 1


async def test_after_a_lost_connection_it_is_told_once_and_then_to_stop(open_tab: OpenTab) -> None:
    async with (
        running_engine(ENDLESS) as engine,
        gateway_on(engine) as gateway,
        fragile(gateway) as (url, clients),
        open_tab(url) as tab,
    ):
        tab.allowed.append("net::ERR_")
        await tab.signed_in(gateway.key)
        await tab.page.evaluate(LISTEN)
        await until(tab, "seen.texts > 2")
        for client in clients:
            client.transport.abort()
        await until(tab, "source.readyState === EventSource.CLOSED")
        seen = await tab.page.evaluate("seen")
        assert (seen["codes"], seen["dones"]) == (["stream_gone"], 0)
        assert len(tab.questions) == 3
        assert len(engine.requests) == 1
