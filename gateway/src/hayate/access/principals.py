"""Who calls: what a key says of whoever brings it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from hayate.access.terms import FREE, Terms


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
    terms: Terms = FREE
    version: int = 0
    """Goes up with every change of its key: sessions of an older one are over."""
    expires_at: float | None = None
    """In seconds since 1970."""


OWNER = Principal("main", "default")
"""Who brings the gateway's first key (HAYATE_API_KEY)."""
OPERATOR = Principal("admin", "default", Role.OPERATOR)
"""Who brings the operator's key (HAYATE_ADMIN_KEY)."""
