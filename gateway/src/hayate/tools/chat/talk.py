"""What has been said, and the request for the next answer. Pure: words in, fields out.

The gateway keeps the conversation where it does that for this key, and each call says only what is new. Where it does not,
or no longer, all of it goes along with each call: so it is held here as well.
"""

from __future__ import annotations

from typing import Any, Final

LOST: Final = ("conversation_not_found", "conversation_full", "history_unavailable")
"""What a gateway calls a conversation that can't be gone on with there."""
UNHEARD: Final = (400, 403, 404, 422, 501)
ABOUT: Final = ("conversation", "history")
"""With which statuses, and which words, a server refuses the first call that keeps no conversations, or none for this key."""


class Talk:
    """One conversation; `kept` None: whether the gateway keeps it is not known yet."""

    def __init__(self, model: str, system: str = "", *, keep: bool = True) -> None:
        self.model = model
        self.system = system
        self._keeps = keep
        self.kept: bool | None = None if keep else False
        self._id: str | None = None
        self._before: list[dict[str, str]] = []
        self._said = ""
        """What the answer under way is to."""
        self._again = False
        """Whether it takes the place of one that there was."""

    def anew(self) -> None:
        """Nothing has been said yet; model and system prompt stay."""
        self.kept, self._id = None if self._keeps else False, None
        self._before.clear()
        self._said, self._again = "", False

    def ask(self, said: str) -> None:
        """The next question."""
        self._said, self._again = said, False

    def ask_again(self) -> bool:
        """The last question once more: its answer is replaced, if there was one. False where nothing has been asked."""
        if self._said:
            return True  # it had no answer
        if len(self._before) < 2:
            return False
        self._said, self._again = self._before[-2]["content"], True
        return True

    @property
    def fields(self) -> dict[str, Any]:
        """Of the request for the answer to it."""
        system = [{"role": "system", "content": self.system}] if self.system else []
        asked = [{"role": "user", "content": self._said}]
        found: dict[str, Any] = {"model": self.model, "stream": True, "stream_options": {"include_usage": True}}
        if self.kept is False:
            before = self._before[:-2] if self._again else self._before
            return {**found, "messages": [*system, *before, *asked]}
        if self._id is None:
            return {**found, "messages": [*system, *asked], "conversation": "new"}
        if self._again:
            return {**found, "messages": system, "conversation": {"id": self._id, "regenerate": True}}
        return {**found, "messages": [*system, *asked], "conversation": self._id}

    def began(self, conversation: str | None) -> None:
        """An answer begins, and the gateway has named the conversation that it is kept in, or none."""
        self.kept = conversation is not None
        self._id = conversation

    def answered(self, text: str) -> None:
        """So far it went, whole or not."""
        if self._again:
            del self._before[-2:]
        self._before += [{"role": "user", "content": self._said}, {"role": "assistant", "content": text}]
        self._said, self._again = "", False

    def goes_on_without(self, status: int, code: str, message: str) -> bool:
        """Whether the call that was refused so is to be made once more, with all that was said and nobody who keeps it."""
        refused = status in UNHEARD and any(word in message for word in ABOUT)
        if self.kept is False or not (code in LOST or (self.kept is None and refused)):
            return False
        self._keeps = code in LOST
        self.kept, self._id = False, None
        return True
