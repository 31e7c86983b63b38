"""The Discord bot's answers, without Discord; its Discord part is built where discord.py is installed."""

from __future__ import annotations

import importlib.machinery
import importlib.util
import types
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from openai import APIError, AsyncOpenAI

from tests.support.engine_faults import cut_mid_frame
from tests.support.engine_script import Chat
from tests.support.fake_engine import FakeEngine, running_engine
from tests.support.gateway import running_gateway
from tests.support.waiting import eventually

pytestmark = pytest.mark.anyio

EXAMPLES = Path(__file__).parents[3] / "examples"
SAID = "疾風とは？"


@pytest.fixture(scope="module")
def bot() -> Any:
    """examples/discord_bot.py as a module."""
    loader = importlib.machinery.SourceFileLoader("discord_bot", str(EXAMPLES / "discord_bot.py"))
    module = types.ModuleType("discord_bot")
    loader.exec_module(module)
    return module


@pytest.fixture
async def engine() -> AsyncIterator[FakeEngine]:
    async with running_engine(Chat(["速い", "風", "です。"])) as engine:
        yield engine


@pytest.fixture
async def client(engine: FakeEngine) -> AsyncIterator[AsyncOpenAI]:
    """OpenAI's SDK on a gateway in front of `engine`."""
    settings = {"LLM_BACKEND": "vllm", "BACKEND_URL": engine.url, "MODEL": engine.model}
    async with (
        running_gateway(settings) as gateway,
        AsyncOpenAI(base_url=f"{gateway.url}/v1", api_key=gateway.key, max_retries=0) as client,
    ):
        yield client


async def test_the_answer_grows_and_is_remembered(bot: Any, client: AsyncOpenAI, engine: FakeEngine) -> None:
    conversation = (await client.conversations.create(metadata={"channel": "300"})).id
    for said in (SAID, "それで？"):
        assert [text async for text in bot.answer(client, conversation, said)] == ["速い", "速い風", "速い風です。"]
    assert engine.requests[-1].json["messages"] == [
        {"role": "system", "content": bot.SYSTEM},
        {"role": "user", "content": SAID},
        {"role": "assistant", "content": "速い風です。"},
        {"role": "user", "content": "それで？"},
    ]


async def test_a_bot_that_starts_again_finds_its_channels(bot: Any, client: AsyncOpenAI) -> None:
    made = {
        str(number): (await client.conversations.create(metadata={"channel": str(number)})).id for number in range(101)
    }
    await client.conversations.create(metadata={"title": "nobody's channel"})
    assert await bot.conversations_by_channel(client) == made


async def test_an_answer_that_breaks_off_is_an_error(bot: Any, client: AsyncOpenAI, engine: FakeEngine) -> None:
    engine.script = cut_mid_frame()
    answer = bot.answer(client, "new", SAID)
    assert [await anext(answer), await anext(answer)] == ["こん", "こんにち"]
    with pytest.raises(APIError):
        await anext(answer)


async def test_an_answer_nobody_waits_for_frees_the_engine(bot: Any, client: AsyncOpenAI, engine: FakeEngine) -> None:
    engine.script = Chat(["はい。"] * 1000, gap_s=0.05)
    answer = bot.answer(client, "new", SAID)
    await anext(answer)
    await answer.aclose()
    await eventually(lambda: engine.open == 0)


@pytest.mark.parametrize("text", ["", "短い", "一行目\n" * 900, "切れ目なし" * 900])
def test_long_answers_are_split_into_messages_discord_takes(bot: Any, text: str) -> None:
    pieces = bot.split_message(text)
    assert "".join(pieces) == text
    assert all(len(piece) <= bot.LONGEST_MESSAGE for piece in pieces)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # discord.py's own, on newer Pythons
async def test_the_bot_cannot_ping_everyone(bot: Any) -> None:
    if importlib.util.find_spec("discord") is None:
        pytest.skip("discord.py is not installed")
    async with AsyncOpenAI(base_url="http://127.0.0.1:1/v1", api_key="unused") as client:
        discord_client = bot.build_bot(client)
    assert discord_client.allowed_mentions.to_dict() == {"parse": []}
    assert discord_client.intents.message_content
