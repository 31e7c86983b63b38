"""How the planner's properties are tried: as many examples as usual, without a limit on the time of one."""

from __future__ import annotations

from hypothesis import settings

settings.register_profile("unhurried", deadline=None)
settings.load_profile("unhurried")
