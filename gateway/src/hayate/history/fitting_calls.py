"""Which turns of a conversation go along with a call: what is estimated and, where that is near the limit, what an engine
counts.

    sent = await fit(request, deployment, estimates, path=CHAT, model=model, fields_from=fields_from)
    while sent is not None:
        try:
            return await relay.open(… fields_from(sent.first_turn) …)
        except ContextTooLong:                  # estimates were too low, and the engine could not count
            sent = fit_again(request, sent, deployment, estimates, path=CHAT)

Where a call may go to several deployments each is asked for its own fit: their contexts and tokenizers differ.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

from hayate.backends.base import Asked
from hayate.fleet.counting import count_prompt
from hayate.fleet.deployment import Deployment
from hayate.policy.estimates import Estimates
from hayate.policy.fitting import Fit, Request, fewer, fitting
from hayate.policy.prompt_sizes import Size
from hayate.wire.engine_json import write
from hayate.wire.without_media import without_media

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
    """Which turns go along to `deployment`. `fields_from`: the request's fields as they are sent at `path`, with the turns from
    that number on. Raises ContextTooLong.

    Where the limit is near a replica is asked, a few times at most. It is waited for no longer than `fleet.counting.COUNT_S`
    each time, and not again once it has not answered: then estimates decide.
    """
    tokens_of = partial(estimates.prompt_tokens, deployment.name, path)
    deciding = fitting(request, deployment.context_tokens, tokens_of, deployment=deployment.name)
    told: int | None = None
    asks = True
    try:
        first_turn = next(deciding)
        while True:
            told = await _count(deployment, path, model, fields_from(first_turn)) if asks else None
            asks = told is not None
            first_turn = deciding.send(told)
    except StopIteration as decided:
        found: Fit = decided.value
        return found


def fit_again(request: Request, sent: Fit, deployment: Deployment, estimates: Estimates, *, path: str) -> Fit | None:
    """Fewer turns, after the engine has refused as too long (ContextTooLong, before any byte of an answer) what `sent` chose.
    None where nothing is left that could be left out.
    """
    return fewer(request, sent, deployment.context_tokens, partial(estimates.prompt_tokens, deployment.name, path))


def size_of(parts: Iterable[Any]) -> Size:
    """Of messages, items or tools as they are sent."""
    size, media = 0, 0
    for part in parts:
        text, found = without_media(part)
        size += len(write(text)) + 1
        media += found
    return Size(size, media)


async def _count(deployment: Deployment, path: str, model: str | None, fields: Fields) -> int | None:
    """Pictures are counted by nobody before they are looked at: they need not be sent for it."""
    text = {
        name: [without_media(each)[0] for each in value] if isinstance(value, list) else value
        for name, value in fields.items()
    }
    return await count_prompt(deployment, Asked(path, model, text))
