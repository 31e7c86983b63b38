"""Who calls: what a key says of whoever brings it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from hayate.settings import RateLimits


class Role(Enum):
    """What a principal is for."""

    CALLER = "caller"
    """Calls models."""
    OPERATOR = "operator"
    """Runs the gateway (/admin), and calls nothing."""


@dataclass(frozen=True, slots=True)
class Principal:
    """One caller. `id` stands for it in logs and is no secret; what it uses is its `project`'s."""

    id: str
    project: str
    role: Role = Role.CALLER
    limits: RateLimits | None = None
    """Its own; None: those of the configuration."""


OWNER = Principal("main", "default")
"""Who brings the gateway's one key for calls (HAYATE_API_KEY)."""
SESSION = Principal("session", "default")
"""A browser that was signed in with that key."""
OPERATOR = Principal("admin", "default", Role.OPERATOR)
"""Who brings the operator's key (HAYATE_ADMIN_KEY)."""
