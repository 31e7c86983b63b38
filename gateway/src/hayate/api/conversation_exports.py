"""Conversations as documents: one as JSON or Markdown, everything that a project has as lines of JSON. They are read in parts,
each when the client has taken the one before it, and nothing is held open in between: whoever reads slowly keeps nobody
waiting, and what is deleted meanwhile is not in what is still to come.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from typing import Any, Final

import orjson
from starlette.requests import Request
from starlette.responses import Response

from hayate.api.conversation_shapes import said_of
from hayate.api.gateway import Gateway
from hayate.api.kept import BY_ID, MAY_FAIL, ONE, conversation_in, kept, once, project_of
from hayate.api.operations import JSON, TEXT, described
from hayate.api.streamed import Streamed
from hayate.errors import InvalidRequest, RateLimited
from hayate.language import Language
from hayate.store.conversations import Conversation
from hayate.store.exports import Part, all_of, one_of
from hayate.store.kept_responses import KeptResponse
from hayate.wire.error_bodies import language_of
from hayate.wire.exported import KIND, VERSION
from hayate.wire.item_schemas import KEPT_ITEM
from hayate.wire.item_shapes import Item
from hayate.wire.items_markdown import markdown_of, title_of
from hayate.wire.metadata import TITLE

MARKDOWN: Final = "text/markdown"
LINES: Final = "application/x-ndjson"
EXPORT: Final = {
    "type": "object",
    "required": ["object", "version", "conversation", "items"],
    "properties": {
        "object": {"const": KIND},
        "version": {"const": VERSION},
        "conversation": {"type": "object"},
        "items": {"type": "array", "items": KEPT_ITEM},
        "responses": {
            "type": "array",
            "items": {"type": "object"},
            "description": "What is kept of them beside their items.",
        },
    },
    "description": "A conversation with all that was said in it; POST /v1/conversations/import takes it.",
}


@described(
    "A conversation as a document.",
    EXPORT,
    errors=ONE,
    query={
        "format": {"enum": ["json", "md"], "default": "json"},
        "lang": {"enum": ["en", "ja"], "description": "Of the headings of Markdown; else what Accept-Language says."},
    },
    answers={200: {JSON: EXPORT, MARKDOWN: TEXT}},
    **BY_ID,
)
async def export_conversation(request: Request, gateway: Gateway) -> Response:
    """GET /v1/conversations/{id}/export?format=json|md&lang=en|ja: with all its items, those of its head too."""
    kept(gateway)
    wanted, project = conversation_in(request), project_of(request)
    form, language = _one_of(request, "format", ("json", "md"), "json"), _language(request)
    parts = await _begun(one_of(gateway.store, project, wanted))
    if form == "md":
        return Streamed(_markdown(parts, language), MARKDOWN, f"{wanted}.md")
    return Streamed(_documents(parts), JSON, f"{wanted}.json")


@described(
    "Everything that the project has, a conversation a line, those that only hold responses too.",
    errors=(*MAY_FAIL, RateLimited),
    answers={200: {LINES: TEXT}},
)
async def export_conversations(request: Request, gateway: Gateway) -> Response:
    """GET /v1/conversations/export: once at a time for each project."""
    kept(gateway)
    project = project_of(request)
    once(gateway.exporting, project, "Everything is being exported", "全体のエクスポートを実行中です")
    return Streamed(
        _once(gateway, project, _documents(await _begun(all_of(gateway.store, project)))), LINES, "conversations.ndjson"
    )


async def _once(gateway: Gateway, project: str, pieces: AsyncGenerator[bytes]) -> AsyncGenerator[bytes]:
    gateway.exporting.add(project)
    try:
        async with aclosing(pieces):
            async for each in pieces:
                yield each
    finally:
        gateway.exporting.discard(project)


async def _begun(parts: AsyncIterator[Part]) -> AsyncGenerator[Part]:
    """The same, of which the first is there: what is wrong with the whole is raised while the answer still has a status."""
    first = await anext(parts, None)

    async def rest() -> AsyncGenerator[Part]:
        if first is not None:
            yield first
            async for each in parts:
                yield each

    return rest()


async def _documents(parts: AsyncIterator[Part]) -> AsyncGenerator[bytes]:
    """Each conversation as JSON on a line of its own."""
    items = responses = 0
    async for part in parts:
        pieces = []
        if part.begins:
            of = part.conversation
            about = {**said_of(of), "object": "conversation", "listed": of.listed}
            head = {"object": KIND, "version": VERSION, "conversation": about}
            pieces.append(orjson.dumps(head)[:-1] + b',"items":[')
            items = responses = 0
        for each in part.items:
            pieces.append((b"," if items else b"") + orjson.dumps(each.body))
            items += 1
        for response in part.responses:
            pieces.append((b"," if responses else b'],"responses":[') + orjson.dumps(_said(response)))
            responses += 1
        if part.ends:
            pieces.append(b"]}\n" if responses else b'],"responses":[]}\n')
        yield b"".join(pieces)


def _said(response: KeptResponse) -> dict[str, Any]:
    """What is kept of a response beside its items, which are in the conversation."""
    about = {"id": response.id, "object": "response", "created_at": response.created_ms // 1000}
    return {**response.body, **about, "previous_response_id": response.previous}


async def _markdown(parts: AsyncIterator[Part], language: Language) -> AsyncGenerator[bytes]:
    """What a person reads, in as many pieces."""
    speaker, begun = "", False
    async for part in parts:
        bodies = [each.body for each in part.items]
        if not bodies:
            continue
        if not begun and (title := _title(part.conversation, bodies)):
            yield f"# {title}\n".encode()
            begun = True
        # Whoever goes on to speak in the next piece has a heading already.
        text = markdown_of(bodies, language).removeprefix(f"{speaker}\n\n")
        yield (f"\n{text}" if begun else text).encode()
        speaker, begun = markdown_of(bodies[-1:], language).partition("\n")[0], True


def _title(of: Conversation, bodies: list[Item]) -> str:
    """On one line: what it is called, else the first words."""
    return " ".join(of.metadata.get(TITLE, "").split()) or title_of(bodies)


def _language(request: Request) -> Language:
    language = _one_of(request, "lang", ("en", "ja"), language_of(request.scope["headers"]))
    return "ja" if language == "ja" else "en"


def _one_of(request: Request, name: str, allowed: tuple[str, ...], default: str) -> str:
    value = request.query_params.get(name, default)
    if value not in allowed:
        raise InvalidRequest(
            f"'{name}' must be one of {', '.join(allowed)}.",
            f"'{name}' は{'、'.join(allowed)}のいずれかにしてください。",
            param=name,
        )
    return value
