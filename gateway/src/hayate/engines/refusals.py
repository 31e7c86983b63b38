"""What an operator is told who names an engine that can't be loaded or unloaded.

RequestError
├── UnknownEngine   404   names those there are
└── NotSwitched     409   the gateway does not load that one, or can't just now
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Final

from hayate.errors import RequestError

MAX_NAME_CHARS: Final = 100
"""Of a name that is told back."""


class UnknownEngine(RequestError):
    """No deployment of this name."""

    status = 404
    code = "engine_not_found"


class NotSwitched(RequestError):
    """The gateway does not load and unload that deployment's model, or can't just now."""

    status = 409
    code = "engine_not_switched"


def refusal_of(name: str, known: Collection[str]) -> UnknownEngine | NotSwitched:
    """For a deployment that has no engine to load: there is none of that name, or its model does not come and go."""
    if name in known:
        return NotSwitched(
            f"{name} is not loaded and unloaded by the gateway: it has no `run`, and no `memory` on one of `gpus`.",
            f"{name}はゲートウェイの切り替え対象ではありません（`run`も、`gpus`のGPUに対する`memory`もありません）。",
        )
    shown = name if len(name) <= MAX_NAME_CHARS else name[:MAX_NAME_CHARS] + "…"
    return UnknownEngine(
        f"There is no deployment named {shown!r}. There are: {', '.join(known)}.",
        f"デプロイメント {shown!r} はありません。あるのは {'、'.join(known)} です。",
    )
