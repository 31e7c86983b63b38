"""OpenAI's JavaScript SDK as it is, in a page of another origin: its headers may be sent, and it reads every answer."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.async_api import Browser

from tests.support.chromium import PATIENCE_MS
from tests.support.engine_script import Chat
from tests.support.node_examples import installed
from tests.support.other_site import other_site
from tests.support.scene import scene

pytestmark = [pytest.mark.anyio, pytest.mark.browser]

ASK = """async ([baseURL, apiKey]) => {
  const { default: OpenAI } = await import("/index.mjs");
  const openai = (key) => new OpenAI({ baseURL, apiKey: key, dangerouslyAllowBrowser: true, maxRetries: 0 });
  const question = { model: "default", messages: [{ role: "user", content: "x" }] };
  let streamed = "";
  for await (const chunk of await openai(apiKey).chat.completions.create({ ...question, stream: true })) {
    streamed += chunk.choices[0]?.delta?.content ?? "";
  }
  const { data, request_id } = await openai(apiKey).chat.completions.create(question).withResponse();
  const refused = await openai("wrong").models.list().catch((error) => error);
  return [streamed, data.choices[0].message.content, request_id, refused.status, refused.requestID];
}"""


async def test_it_streams_and_reads_answers_errors_and_names(browser: Browser, tmp_path: Path) -> None:
    package = installed(tmp_path) / "node_modules/openai"
    async with (
        other_site("", files=package) as port,
        scene(server={"cors_origins": f"http://127.0.0.1:{port}"}) as stage,
    ):
        stage.engine.script = Chat(["こん", "にちは"])
        page = await browser.new_page()
        page.set_default_timeout(PATIENCE_MS)
        sent: set[str] = set()
        page.on("request", lambda request: sent.update(request.headers if stage.url in request.url else ()))
        await page.goto(f"http://127.0.0.1:{port}/")
        streamed, whole, name, status, refused = await page.evaluate(ASK, [f"{stage.url}/v1/", stage.key])
        await page.close()
        calls = await stage.calls(2)
    assert streamed == whole == "こんにちは"
    assert name == calls[1]["request_id"]
    assert (status, bool(refused)) == (401, True)
    assert any(each.startswith("x-stainless-") for each in sent)
