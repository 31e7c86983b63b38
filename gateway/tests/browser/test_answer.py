"""The page and an EventSource in a real browser receive a real engine's whole Japanese answer, character for character."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from playwright.async_api import expect

from tests.browser.tab import OpenTab
from tests.engines.launch import running_llamacpp
from tests.support.gateway import RunningGateway, running_gateway

pytestmark = [pytest.mark.anyio, pytest.mark.browser]

QUESTION = "日本語で答えて"
# What the tiny model was trained to say: characters of one to four bytes, split over tokens in many places.
ANSWER = (
    "吾が社の推論基盤は、複数の推論エンジンを一つの窓口にまとめ、負荷を均等に分け、障害が起きたときには別の複製へ切り替えます。"
    "利用者は一つの住所だけを覚えればよく、鍵ごとに使用量を測り、上限を超えた要求は丁寧に断ります。"
    "東京は今日も晴れです。🗼🍣 桜の花が咲き、電車は時間どおりに走っています。「こんにちは、世界！」と彼女は言いました。"
    "①準備 ②実行 ③確認、という三つの手順で進めてください。髙橋さんと𠮷野さんも参加します。"
)
COLLECT = """([question, temperature]) => new Promise((resolve) => {
  const source = new EventSource("/generate_stream?" + new URLSearchParams({ prompt: question, temperature }));
  const seen = { text: "", ids: [], done: null, error: null };
  source.onmessage = ({ data, lastEventId }) => { seen.text += JSON.parse(data).delta; seen.ids.push(lastEventId); };
  source.addEventListener("done", ({ data }) => { source.close(); seen.done = JSON.parse(data); resolve(seen); });
  source.onerror = ({ data }) => { source.close(); seen.error = data ?? "lost"; resolve(seen); };
})"""


@pytest.fixture
async def gateway(tmp_path: Path) -> AsyncIterator[RunningGateway]:
    """In front of a real llama.cpp."""
    with running_llamacpp(tmp_path) as engine:
        async with running_gateway(engine.env) as gateway:
            await gateway.ready()
            yield gateway


async def test_the_page_shows_the_whole_answer(gateway: RunningGateway, open_tab: OpenTab) -> None:
    async with open_tab(gateway.url, language="ja-JP") as tab:
        await tab.signed_in(gateway.key)
        await tab.set("temperature", "0")
        turn = await tab.ask(QUESTION)
        assert await tab.answered(turn) == ANSWER
        (call,) = await gateway.logged(1)
        await expect(turn.locator(".figures")).to_contain_text(
            re.compile(rf"入力\s{call['prompt_tokens']}.* · 出力\s{call['completion_tokens']} · \S+ · stop")
        )
        await expect(turn.locator(".gaps")).to_be_visible()
        raw = await tab.raw(turn, "イベント（SSE）")
        assert "content-type: text/event-stream" in raw
        assert re.search(r"\n\+\d+\.\d{3}s  data: {", raw)
        assert re.search(r'"finish_reason":"stop".*\+\d+\.\d{3}s  data: \[DONE\]\n$', raw, re.DOTALL)
        assert len(tab.questions) == 1


async def test_a_bare_eventsource_receives_the_whole_answer(gateway: RunningGateway, open_tab: OpenTab) -> None:
    async with open_tab(gateway.url) as tab:
        await tab.signed_in(gateway.key)
        seen = await tab.page.evaluate(COLLECT, [QUESTION, "0"])
        assert seen["error"] is None
        assert seen["text"] == ANSWER
        assert seen["done"]["finish_reason"] == "stop"
        assert len(set(seen["ids"])) == len(seen["ids"]) > 100
        assert all(seen["ids"])
