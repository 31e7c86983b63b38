"""GET /admin/log: the last events of the gateway's own log (`telemetry.recent_events`); of an engine's see `api.engine_log`."""

from __future__ import annotations

from datetime import UTC, datetime

from pydantic import BaseModel
from starlette.requests import Request
from starlette.responses import Response

from hayate.api.bodies import json_answer, whole_of
from hayate.api.engine_log import LINES
from hayate.api.gateway import Gateway
from hayate.api.operations import described
from hayate.telemetry.log import recent_events
from hayate.telemetry.recent_events import MAX_EVENTS, Level


class EventAnswer(BaseModel):
    """One event, as a sentence in both languages and as the log's line for programs."""

    at: datetime
    event: str
    level: Level
    text: str
    text_ja: str
    line: str


class LogAnswer(BaseModel):
    """The latest last."""

    data: list[EventAnswer]


@described(
    "The last events of the gateway's log; calls are in /admin/calls.",
    LogAnswer,
    query={"lines": {"type": "integer", "minimum": 1, "maximum": MAX_EVENTS, "default": LINES}},
)
async def show_recent_log(request: Request, _: Gateway) -> Response:
    """GET /admin/log?lines=100: of this process alone, since its start."""
    found = recent_events.last(whole_of(request, "lines", LINES, MAX_EVENTS))
    return json_answer(
        LogAnswer(
            data=[
                EventAnswer(
                    at=datetime.fromtimestamp(round(each.at, 3), UTC),
                    event=each.event,
                    level=each.level,
                    text=each.text.en,
                    text_ja=each.text.ja,
                    line=each.line,
                )
                for each in found
            ]
        )
    )
