"""What an operator is told who names an engine that can't be loaded or unloaded."""

from __future__ import annotations

from hayate.errors import RequestError


class UnknownEngine(RequestError):
    """No deployment of this name."""

    status = 404
    code = "engine_not_found"


class NotSwitched(RequestError):
    """The gateway does not load and unload that deployment's model, or can't just now."""

    status = 409
    code = "engine_not_switched"
