"""What an engine's stream may do wrong, in words: the failures that decoders of every dialect set."""

from __future__ import annotations

from typing import Final

from hayate.upstream_errors import UpstreamBroke

UNREADABLE: Final = (ValueError, TypeError, AttributeError, LookupError, ArithmeticError, RecursionError)
"""What reading an event may raise that has another shape than its dialect's."""


def unreadable() -> UpstreamBroke:
    """An event that is not the dialect's."""
    return UpstreamBroke("The engine sent an event that can't be read.", "エンジンが読み取れないイベントを送りました。")


def too_early() -> UpstreamBroke:
    """The body's end came before the answer's."""
    return UpstreamBroke(
        "The engine ended its answer before it was complete. Ask again.",
        "エンジンが回答の途中で終了しました。もう一度お試しください。",
    )


def given_up(reason: object) -> UpstreamBroke:
    """A finish that is none: `abort` of an engine that shuts down, `error` of one that failed."""
    if reason == "abort":
        return UpstreamBroke(
            "The engine stopped in the middle of its answer (it is shutting down). Ask again.",
            "エンジンが停止したため、回答が途中で終わりました。もう一度お試しください。",
        )
    return UpstreamBroke(
        f"The engine gave up on the answer ({reason}). Ask again.",
        f"エンジンが回答を打ち切りました（{reason}）。もう一度お試しください。",
    )
