"""A Discord bot that answers when it is mentioned, lets its answer grow while the model writes, and remembers each channel.

The gateway keeps the conversations: the bot sends what is new, and finds them again after a restart.

    pip install openai discord.py
    python examples/discord_bot.py

HAYATE_API_KEY and DISCORD_TOKEN come from the environment. In Discord's developer portal the bot needs the "Message Content" intent.
"""

import os
import re
import time
from collections.abc import AsyncIterator
from typing import Any

from openai import APIError, AsyncOpenAI

SYSTEM = "あなたはDiscordの親切な助手です。簡潔に答えてください。"
LONGEST_MESSAGE = 2000  # characters; Discord refuses more
EDIT_EVERY_S = 1.2  # Discord allows about five edits in five seconds


async def conversations_by_channel(gateway: AsyncOpenAI) -> dict[str, str]:
    """The conversations that an earlier run began, by the channel that their `metadata` names."""
    found: dict[str, str] = {}
    page: Any = {"has_more": True}
    query: dict[str, Any] = {"limit": 100, "order": "asc"}
    while page["has_more"]:
        page = await gateway.get("/conversations", cast_to=object, options={"params": query})
        found.update(
            (each["metadata"]["channel"], each["id"]) for each in page["data"] if "channel" in each["metadata"]
        )
        query["after"] = page["last_id"]
    return found


async def answer(gateway: AsyncOpenAI, conversation: str, said: str, model: str = "default") -> AsyncIterator[str]:
    """The answer to what was said, as far as it has come: each text holds all of the one before."""
    text = ""
    stream = await gateway.chat.completions.create(
        model=model,
        messages=[{"role": "system", "content": SYSTEM}, {"role": "user", "content": said}],
        stream=True,
        temperature=0.7,
        extra_body={"conversation": conversation},
    )
    async with stream:  # leaving early frees the engine
        async for chunk in stream:
            if chunk.choices and (delta := chunk.choices[0].delta.content):
                text += delta
                yield text


def split_message(text: str, limit: int = LONGEST_MESSAGE) -> list[str]:
    """`text` in pieces that Discord takes, cut at line breaks where there are any."""
    pieces = []
    while len(text) > limit:
        cut = text.rfind("\n", 1, limit) + 1 or limit
        pieces.append(text[:cut])
        text = text[cut:]
    return [*pieces, text]


def build_bot(gateway: AsyncOpenAI) -> Any:
    """The bot, ready for `run(token)`."""
    import discord

    intents = discord.Intents.default()
    intents.message_content = True
    # Model output must not be able to ping a whole server.
    bot = discord.Client(intents=intents, allowed_mentions=discord.AllowedMentions.none())
    conversations: dict[str, str] = {}

    @bot.event
    async def setup_hook() -> None:
        conversations.update(await conversations_by_channel(gateway))

    async def conversation_of(channel: str) -> str:
        if channel in conversations:
            return conversations[channel]
        made = await gateway.conversations.create(metadata={"channel": channel})
        return conversations.setdefault(channel, made.id)  # somebody else may have been faster

    @bot.event
    async def on_message(message: discord.Message) -> None:
        if message.author.bot or bot.user not in message.mentions:
            return
        channel = str(message.channel.id)
        said = re.sub(rf"<@!?{bot.user.id}>", "", message.content).strip()
        sent = await message.reply("…")
        text, shown_at = "", time.monotonic()
        try:
            async for text in answer(gateway, await conversation_of(channel), said):
                if time.monotonic() - shown_at > EDIT_EVERY_S:
                    await sent.edit(content=split_message(text)[0])
                    shown_at = time.monotonic()
        except APIError as error:
            if error.code == "conversation_not_found":  # deleted: the next message begins another
                conversations.pop(channel, None)
            await sent.edit(content=split_message(f"{text}\n⚠️ {error.message}")[0])
            return
        first, *rest = split_message(text or "（回答は空でした）")
        await sent.edit(content=first)
        for piece in rest:
            await message.channel.send(piece)

    return bot


def main() -> None:
    """Connect to Discord and stay."""
    gateway = AsyncOpenAI(
        base_url=os.environ.get("HAYATE_URL", "http://127.0.0.1:8080") + "/v1",
        api_key=os.environ["HAYATE_API_KEY"],
    )
    build_bot(gateway).run(os.environ["DISCORD_TOKEN"])


if __name__ == "__main__":
    main()
