"""Which turns go along with a call: what is estimated and, where that is near the limit, what an engine counts."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from hayate.fleet.deployment import Deployment
from hayate.policy.estimates import Estimates
from hayate.policy.fitting import Fit, Request

Fields = dict[str, Any]


async def fit(
    request: Request,
    deployment: Deployment,
    estimates: Estimates,
    *,
    path: str,
    model: str | None,
    fields_from: Callable[[int], Fields],
) -> Fit:
    """Which turns of a conversation go along to `deployment`. `fields_from`: the request's fields with the turns from that
    number on (and head, notes, the new turn), as they would be sent at `path`. Raises ContextTooLong.

    Asks a replica that may be called, at most a few times, and only where the limit is near; waits no longer than
    `fleet.counting.COUNT_S` each time, and goes by estimates where no answer comes.
    """
    raise NotImplementedError


def fit_again(request: Request, sent: Fit, deployment: Deployment, estimates: Estimates, *, path: str) -> Fit | None:
    """After the engine has refused what `sent` chose as too long (ContextTooLong, before any byte of an answer): with fewer
    turns. None where nothing is left to leave out, or nothing may be.
    """
    raise NotImplementedError


def size_of(value: Any) -> tuple[int, int]:
    """Of messages, items or tools as they are sent: bytes without pictures and the like, and how many of those there are."""
    raise NotImplementedError
