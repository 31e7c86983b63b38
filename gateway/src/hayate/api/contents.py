"""What was said in one call, for the operator, where `record.content` has it kept."""

from __future__ import annotations

from datetime import UTC, datetime
from time import time

from pydantic import BaseModel
from starlette.requests import Request
from starlette.responses import Response

from hayate.api.bodies import json_answer
from hayate.api.gateway import Gateway
from hayate.api.operations import described
from hayate.errors import StoreGone, UnknownCall
from hayate.store.contents import said_in

MAX_ID_CHARS = 19


class ContentAnswer(BaseModel):
    """A request's body and what the client was sent, as text; what was longer than `record.max_content_bytes` is cut."""

    id: str
    kept_until: datetime
    prompt: str
    prompt_cut: bool
    answer: str
    answer_cut: bool


@described(
    "What was said in one call, where that is kept.",
    ContentAnswer,
    errors=(UnknownCall, StoreGone),
    path={"call": "The call's id."},
)
async def show_content(request: Request, gateway: Gateway) -> Response:
    """GET /admin/calls/{id}/content: `id` is that of /admin/calls. Raises UnknownCall."""
    wanted: str = request.path_params["call"]
    found = None
    if wanted.isascii() and wanted.isdigit() and len(wanted) <= MAX_ID_CHARS and int(wanted) < 2**63:
        gateway.calls.flush()
        found = await gateway.store.read(lambda c: said_in(c, int(wanted), time()))
    if found is None:
        shown = wanted[: MAX_ID_CHARS + 1]
        raise UnknownCall(
            f"Of no call with the id {shown!r} are prompt and answer kept (record.content).",
            f"ID {shown!r} の呼び出しの内容は保存されていません（record.content）。",
        )
    return json_answer(
        ContentAnswer(
            id=wanted,
            kept_until=datetime.fromtimestamp(found.until, UTC),
            prompt=found.prompt.decode(errors="replace"),
            prompt_cut=found.prompt_cut,
            answer=found.answer.decode(errors="replace"),
            answer_cut=found.answer_cut,
        )
    )
