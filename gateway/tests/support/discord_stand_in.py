"""Discord, as far as a bot's first message goes: its REST paths and its gateway (a WebSocket), on one loopback port.

Written from Discord's API documentation (v10). One guild with one text channel, one person who mentions the bot as
soon as it is there; `messages` is what the channel shows, every edit included.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import hashlib
import json
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

BOT: dict[str, Any] = {"id": "100", "username": "hayate", "discriminator": "0", "avatar": None, "bot": True}
PERSON: dict[str, Any] = {"id": "200", "username": "someone", "discriminator": "0", "avatar": None}
CHANNEL, GUILD, APPLICATION = "300", "400", "500"
WHEN = "2026-01-01T00:00:00+00:00"
_MAGIC = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"


def _message(identity: str, author: dict[str, Any], content: str, **more: Any) -> dict[str, Any]:
    lists: dict[str, Any] = {name: [] for name in ("mentions", "mention_roles", "attachments", "embeds", "components")}
    facts = {"id": identity, "channel_id": CHANNEL, "author": author, "content": content, "timestamp": WHEN, "type": 0}
    return {
        **facts,
        **lists,
        "edited_timestamp": None,
        "tts": False,
        "mention_everyone": False,
        "pinned": False,
        **more,
    }


def _guild() -> dict[str, Any]:
    channel = {"id": CHANNEL, "type": 0, "name": "general", "position": 0, "permission_overwrites": [], "nsfw": False}
    everyone = {"id": GUILD, "name": "@everyone", "permissions": "0", "position": 0, "color": 0, "hoist": False}
    members = [
        {"user": each, "roles": [], "joined_at": WHEN, "deaf": False, "mute": False, "flags": 0}
        for each in (BOT, PERSON)
    ]
    empty: dict[str, Any] = {
        name: [] for name in ("emojis", "stickers", "features", "threads", "presences", "voice_states")
    }
    numbers = dict.fromkeys(("verification_level", "default_message_notifications", "explicit_content_filter"), 0)
    numbers |= dict.fromkeys(("mfa_level", "premium_tier", "nsfw_level", "system_channel_flags"), 0)
    role = {**everyone, "managed": False, "mentionable": False, "flags": 0}
    return {
        "id": GUILD,
        "name": "test",
        "owner_id": PERSON["id"],
        "channels": [channel],
        "roles": [role],
        "members": members,
        "member_count": len(members),
        "large": False,
        "unavailable": False,
        "preferred_locale": "ja",
        **empty,
        **numbers,
    }


class Discord:
    """What bots talk to."""

    def __init__(self, token: str, question: str) -> None:
        self.token = token
        self.question = question
        self.port = 0
        self.messages: dict[str, list[str]] = {}
        """By id, the texts that each of the bot's messages has had."""
        self.mistakes: list[str] = []

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection: requests, or a bot that stays."""
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
                method, path, _ = head[0].split(" ")
                headers = {
                    name.lower(): value for name, _, value in (line.partition(": ") for line in head[1:] if line)
                }
                if "sec-websocket-key" in headers:
                    await self._socket(headers["sec-websocket-key"], reader, writer)
                    break
                body = await reader.readexactly(int(headers.get("content-length", 0)))
                self._answer(writer, *self._rest(method, path, headers, body))
                await writer.drain()
        writer.close()

    def _answer(self, writer: asyncio.StreamWriter, status: int, found: Any) -> None:
        body = json.dumps(found).encode()
        head = f"HTTP/1.1 {status} X\r\ncontent-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n"
        writer.write(head.encode() + body)

    def _rest(self, method: str, path: str, headers: dict[str, str], body: bytes) -> tuple[int, Any]:
        if headers.get("authorization") != f"Bot {self.token}":
            return 401, {"message": "401: Unauthorized", "code": 0}
        match method, *path.partition("?")[0].removeprefix("/api/v10/").split("/"):
            case "GET", "users", "@me":
                return 200, BOT
            case "GET", *where if where in (["oauth2", "applications", "@me"], ["applications", "@me"]):
                facts = {"id": APPLICATION, "name": "hayate", "icon": None, "description": "", "verify_key": ""}
                return 200, {**facts, "bot_public": True, "bot_require_code_grant": False, "owner": PERSON, "flags": 0}
            case "POST", "channels", channel, "messages" if channel == CHANNEL:
                identity = str(1000 + len(self.messages))
                return 200, self._written(identity, json.loads(body))
            case "PATCH", "channels", channel, "messages", identity if channel == CHANNEL and identity in self.messages:
                return 200, self._written(identity, json.loads(body))
        self.mistakes.append(f"{method} {path}")
        return 404, {"message": "404: Not Found", "code": 0}

    def _written(self, identity: str, asked: dict[str, Any]) -> dict[str, Any]:
        content = str(asked.get("content") or "")
        if not 0 < len(content) <= 2000:
            self.mistakes.append(f"a message of {len(content)} characters")
        self.messages.setdefault(identity, []).append(content)
        return _message(identity, BOT, content)

    async def _socket(self, key: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        accepted = base64.b64encode(hashlib.sha1((key + _MAGIC).encode(), usedforsecurity=False).digest()).decode()
        upgrade = "HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: upgrade\r\n"
        writer.write(f"{upgrade}sec-websocket-accept: {accepted}\r\n\r\n".encode())
        _send(writer, {"op": 10, "d": {"heartbeat_interval": 41250}})
        sequence = 0

        def dispatch(event: str, data: dict[str, Any]) -> None:
            nonlocal sequence
            sequence += 1
            _send(writer, {"op": 0, "t": event, "s": sequence, "d": data})

        while (told := await _receive(reader)) is not None:
            if told["op"] == 1:
                _send(writer, {"op": 11})
            elif told["op"] == 2:
                if told["d"]["token"] != self.token:
                    break
                ready = {"v": 10, "user": BOT, "guilds": [{"id": GUILD, "unavailable": True}], "session_id": "s"}
                application = {"id": APPLICATION, "flags": 0}
                resume = f"ws://127.0.0.1:{self.port}"
                dispatch("READY", {**ready, "resume_gateway_url": resume, "application": application})
                dispatch("GUILD_CREATE", _guild())
                mention = _message("900", PERSON, f"<@{BOT['id']}> {self.question}", guild_id=GUILD)
                dispatch("MESSAGE_CREATE", {**mention, "mentions": [{**BOT, "member": _guild()["members"][0]}]})


def _send(writer: asyncio.StreamWriter, told: dict[str, Any]) -> None:
    """One text frame; a server's are not masked."""
    body = json.dumps(told).encode()
    size = struct.pack("!B", len(body)) if len(body) < 126 else struct.pack("!BH", 126, len(body))
    writer.write(b"\x81" + size + body)


async def _receive(reader: asyncio.StreamReader) -> dict[str, Any] | None:
    """What the bot says next; None when it closes."""
    while True:
        first, second = await reader.readexactly(2)
        size = second & 0x7F
        if size == 126:
            (size,) = struct.unpack("!H", await reader.readexactly(2))
        mask = await reader.readexactly(4)
        body = bytes(each ^ mask[at % 4] for at, each in enumerate(await reader.readexactly(size)))
        if first & 0x0F == 8:
            return None
        if first & 0x0F == 1:
            told: dict[str, Any] = json.loads(body)
            return told


@asynccontextmanager
async def running_discord(token: str, question: str) -> AsyncIterator[Discord]:
    """A Discord that listens for the length of the block."""
    discord = Discord(token, question)
    server = await asyncio.start_server(discord.serve, "127.0.0.1", 0)
    discord.port = server.sockets[0].getsockname()[1]
    try:
        yield discord
    finally:
        server.close()


SITE_CUSTOMIZE = """
import discord.gateway, discord.http, yarl
discord.http.Route.BASE = "http://127.0.0.1:{port}/api/v10"
discord.gateway.DiscordWebSocket.DEFAULT_GATEWAY = yarl.URL("ws://127.0.0.1:{port}")
"""
"""What a `sitecustomize.py` on the bot's path holds, so that the bot itself stays as it is."""
