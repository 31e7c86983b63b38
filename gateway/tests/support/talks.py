"""Somebody with a key of a project of their own, and what they ask of conversations."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from time import time
from typing import Any

from hayate.store.kept_responses import NewResponse
from hayate.store.sqlite import connect
from hayate.store.turns import Kept, Turn, keep
from tests.support.http import Reply, fetch
from tests.support.scene import Stage

TALKS = "/v1/conversations"
UNKNOWN = "conv_" + "0" * 32
"""The id of no conversation."""


def said(text: str, role: str = "user") -> dict[str, Any]:
    """An item as OpenAI's documentation writes it."""
    return {"type": "message", "role": role, "content": text}


@dataclass
class Talker:
    """Their key is for one gateway."""

    stage: Stage
    key: str
    project: str

    async def ask(self, method: str, path: str, body: object = None, language: str = "en") -> Reply:
        """With their key; paths that don't begin with a slash are below /v1/conversations."""
        if not path.startswith("/"):
            path = f"{TALKS}/{path}" if path and path[0] != "?" else f"{TALKS}{path}"
        headers = {"accept-language": language}
        return await fetch(self.stage.url, path, body, method=method, key=self.key, headers=headers)

    async def got(self, method: str, path: str, body: object = None) -> Any:
        """The same for what must succeed: its JSON."""
        reply = await self.ask(method, path, body)
        assert reply.status == 200, reply.text
        return reply.json

    async def talk(self, *texts: str, **more: Any) -> str:
        """The id of a conversation in which a user and an assistant have said this in turn; however much it is."""
        made: str = (await self.got("POST", "", more))["id"]
        items = [said(text, "assistant" if n % 2 else "user") for n, text in enumerate(texts)]
        for first in range(0, len(items), 20):
            await self.got("POST", f"{made}/items", {"items": items[first : first + 20]})
        return made

    async def texts(self, talk: str, query: str = "order=asc&limit=100") -> list[str]:
        """What was said in it."""
        return [text_in(each) for each in (await self.got("GET", f"{talk}/items?{query}"))["data"]]

    def keep(self, texts: Sequence[str] = ("question", "answer"), **turn: Any) -> Kept:
        """A turn as a call keeps it, put into the store beside the gateway; with a response, unless it is told otherwise."""
        response = NewResponse(f"resp_{secrets.token_hex(16)}", {"model": "scripted", "status": "completed"})
        question = {**said(texts[0]), "status": "completed", "content": [{"type": "input_text", "text": texts[0]}]}
        part = {"type": "output_text", "text": texts[1], "annotations": []}
        answer = {**said(texts[1], "assistant"), "status": "completed", "content": [part]}
        fields = {"project": self.project, "conversation": None, "response": response, **turn}
        with closing(connect(self.stage.gateway.data / "hayate.db")) as connection:
            connection.execute("BEGIN IMMEDIATE")
            kept = keep(connection, Turn(items=[question], answer=[answer], **fields), time())
            connection.execute("COMMIT")
        return kept

    def read(self, statement: str, *values: object) -> Any:
        """The first value of the first row in the store beside the gateway."""
        with closing(connect(self.stage.gateway.data / "hayate.db", readonly=True)) as connection:
            return connection.execute(statement, values).fetchone()[0]


def text_in(item: dict[str, Any]) -> str:
    """What a message says."""
    return "".join(part["text"] for part in item["content"])


async def talker(stage: Stage, project: str | None = None) -> Talker:
    """Somebody new."""
    project = project or f"project-{secrets.token_hex(6)}"
    return Talker(stage, (await stage.new_key(project=project))["key"], project)
