"""GET /admin/config: the configuration as it runs, with who says each value, as `hayate config show` tells it; no secrets. Made in
a thread: of very many deployments it is much.
"""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import Any

import orjson
from pydantic import BaseModel
from starlette.requests import Request
from starlette.responses import Response

from hayate.api.gateway import Configured, Gateway, LastReload
from hayate.api.operations import JSON, described


class SettingAnswer(BaseModel):
    """One setting that holds. `source` is who says so: command line, environment, .env, file, key file or default."""

    name: str
    path: list[str]
    """The parts of the name: a deployment's may have points of its own."""
    value: Any
    """null, too, for a secret."""
    secret: bool
    """Whether there is a value, and it is not told."""
    source: str
    variable: str | None
    line: int | None


class RefusalAnswer(BaseModel):
    """Every mistake of a file that was not applied."""

    text: str
    text_ja: str


class LastReloadAnswer(BaseModel):
    """What the last try to apply a changed file came to: what it changed, or why it changed nothing."""

    at: datetime
    applied: bool
    restart_needed: list[str]
    refused: RefusalAnswer | None


class ConfigAnswer(BaseModel):
    """What holds now. `restart_needed`: settings that were changed since the start, and that only a restart applies."""

    settings: list[SettingAnswer]
    restart_needed: list[str]
    last_reload: LastReloadAnswer | None
    """null: none was tried since the start."""


@described("The configuration as it runs, without secrets, and what the last reload has said.", ConfigAnswer)
async def show_config(_: Request, gateway: Gateway) -> Response:
    """GET /admin/config."""
    return Response(await asyncio.to_thread(_answer, gateway), media_type=JSON)


def _answer(gateway: Gateway) -> bytes:
    found = gateway.configured()
    return orjson.dumps(_told(found), default=str)


def _told(found: Configured) -> dict[str, Any]:
    return {
        "settings": found.settings,
        "restart_needed": found.restart_needed,
        "last_reload": None if found.last_reload is None else _last(found.last_reload).model_dump(mode="json"),
    }


def _last(last: LastReload) -> LastReloadAnswer:
    refused = None if last.refused is None else RefusalAnswer(text=last.refused.en, text_ja=last.refused.ja)
    return LastReloadAnswer(
        at=datetime.fromtimestamp(int(last.at), UTC),
        applied=last.done is not None,
        restart_needed=[] if last.done is None else list(last.done.restart_needed),
        refused=refused,
    )
