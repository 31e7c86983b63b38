"""Calls on a conversation, with no engine and no client: what the history makes of them."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

from hayate.fleet.deployment import Deployment
from hayate.history.conversations import Conversations
from hayate.history.dialects import CHATS, Dialect
from hayate.history.remembered import Remembered
from hayate.history.wanted import Engines, Wanted
from hayate.policy.estimates import Estimates
from hayate.settings import History
from hayate.store.conversations import load
from hayate.telemetry.record import CallRecord
from hayate.wire.conversation_field import Named
from hayate.wire.items import text_of

USER = {"role": "user", "content": "question"}


def engines(context_tokens: int | None = None) -> Engines:
    deployment = SimpleNamespace(name="d", context_tokens=context_tokens, replicas=[], models=set(), served_model="m")
    return Engines(cast(Deployment, deployment), Estimates(), None, lambda _: None)


def wanted(conversation: str | None = None, *, dialect: Dialect = CHATS, project: str = "p", **more: Any) -> Wanted:
    """What a call wants that names a conversation, or a new one."""
    limits = more.pop("limits", History())
    named = Named(conversation, more.pop("waits", True), more.pop("regenerates", False))
    return Wanted(project, dialect, limits, more.pop("named", named), **more)


def call(conversations: Conversations, want: Wanted) -> Remembered:
    record = CallRecord("r", "chat", 0.0, deployment="d")
    record.usage.take({"prompt_tokens": 10, "completion_tokens": 5})
    record.usage.settle(whole=True)
    return Remembered(conversations, want, record)


def chat(text: str | None = "answer", finish: str | None = "stop", **more: Any) -> dict[str, Any]:
    message = {"role": "assistant", "content": text, **more}
    return {"choices": [{"index": 0, "message": message, "finish_reason": finish}]}


async def talk(
    conversations: Conversations, conversation: str | None, *messages: Any, answer: Any = None, **more: Any
) -> Remembered:
    """One call from its beginning to its end."""
    turn = call(conversations, wanted(conversation, **more))
    try:
        await turn.recall({"messages": [*(messages or (USER,))]}, engines(), 100)
        assert await turn.keep(answer or chat(), 100)
    finally:
        turn.close()
    return turn


async def said(conversations: Conversations, conversation: str, project: str = "p") -> list[str]:
    """The words of a conversation, as they are kept; with their turns."""
    found = await conversations.store.recall(lambda connection: load(connection, project, conversation, whole=True))
    return [] if found is None else [f"{each.turn} {text_of(each.body)}" for each in found.items]
