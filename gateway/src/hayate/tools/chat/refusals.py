"""Why a talk can't go on."""

from __future__ import annotations

from hayate.tools.refusal import Refusal


class CannotChat(Refusal):
    """No gateway, no key or no such model: status 2."""


class AnswerFailed(Refusal):
    """One answer did not come, or not whole; the talk can go on. `code` is the gateway's word for it, `status` that of HTTP."""

    def __init__(self, english: str, japanese: str = "", *, code: str = "", status: int = 0) -> None:
        super().__init__(english, japanese)
        self.code = code
        self.status = status
