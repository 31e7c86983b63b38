"""Why a measurement can't be made or read."""

from __future__ import annotations

from hayate.tools.refusal import Refusal


class CannotMeasure(Refusal):
    """What was typed is wrong, a file can't be read, or nobody answers where the calls should go."""
