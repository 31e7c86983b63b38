"""Why a measurement can't be made or read."""

from __future__ import annotations

from pathlib import Path

from hayate.language import reason_of
from hayate.tools.refusal import Refusal


class CannotMeasure(Refusal):
    """What was typed is wrong, a file can't be read, or nobody answers where the calls should go."""


def unreadable(path: Path, error: OSError) -> CannotMeasure:
    """A file that is not there, or not ours to read."""
    why = reason_of(error)
    return CannotMeasure(f"{path} can't be read: {why.en}.", f"{path}を読み取れません（{why.ja}）。")


def too_large(path: Path, most_bytes: int) -> CannotMeasure:
    """A file that is surely not what was meant, before it fills the memory."""
    mib = most_bytes // 2**20
    return CannotMeasure(f"{path} is over {mib} MiB.", f"{path} が{mib} MiBを超えています。")
