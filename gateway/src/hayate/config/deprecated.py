"""What older releases took and this one takes without effect: it is told at every start, and by check-config."""

from __future__ import annotations

from collections.abc import Iterator

from hayate.config.mistakes import Mistake
from hayate.config.models import Config
from hayate.language import Text


def deprecated(config: Config) -> Iterator[Mistake]:
    """Each with its place, and what to do about it."""
    if config.limits.burst is not None:
        yield Mistake(
            ("limits", "burst"),
            Text(
                "is ignored since 0.2: no minute lets more through than limits.requests_per_minute, "
                "however it comes; remove it",
                "0.2以降は無視されます。どの1分間でもlimits.requests_per_minuteを超えて通ることはありません。"
                "この行を取り除いてください",
            ),
        )
