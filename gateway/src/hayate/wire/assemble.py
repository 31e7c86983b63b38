"""Stream to answer: completion chunks in, one completion out.

Needed where an engine must be asked for a stream although the client was not (llama.cpp notices a client that leaves only
in streams). Deltas are joined by rules, not by names, so that fields nobody knew of survive: strings are joined, lists whose
items carry an `index` are joined item by item, other lists are appended, objects are merged, and the rest is replaced.
"""

from __future__ import annotations

from typing import Any

_REPLACED = frozenset({"role", "id", "type", "index", "finish_reason", "stop_reason", "name"})
_LAST_WORD = frozenset({"usage", "choices", "object"})


class Assembler:
    """One per call. `add` every chunk, then `answer`. Text completions have `text` where chats have `delta`."""

    __slots__ = ("_chat", "_choices", "_top")

    def __init__(self, *, chat: bool = True) -> None:
        self._chat = chat
        self._top: dict[str, Any] = {}
        self._choices: dict[int, dict[str, Any]] = {}

    def add(self, chunk: dict[str, Any]) -> None:
        """Takes one parsed chunk."""
        for key, value in chunk.items():
            if key not in _LAST_WORD and value is not None:
                self._top[key] = value
        if chunk.get("usage"):
            self._top["usage"] = chunk["usage"]
        for part in chunk.get("choices") or ():
            choice = self._choices.setdefault(part.get("index", 0), self._blank())
            if self._chat:
                merge(choice["message"], part.get("delta") or {})
            merge(choice, {key: value for key, value in part.items() if key not in ("delta", "index")})

    def answer(self) -> dict[str, Any]:
        """The whole chat.completion or text_completion."""
        choices = []
        for index in sorted(self._choices):
            choice = self._choices[index]
            for call in (choice.get("message") or {}).get("tool_calls") or ():
                call.pop("index", None)
            choices.append({"index": index, **choice})
        usage = {"usage": self._top.pop("usage")} if "usage" in self._top else {}
        return {
            **self._top,
            "object": "chat.completion" if self._chat else "text_completion",
            "choices": choices,
            **usage,
        }

    def _blank(self) -> dict[str, Any]:
        if self._chat:
            return {"finish_reason": None, "message": {"role": "assistant", "content": None}}
        return {"finish_reason": None, "text": ""}


def merge(into: dict[str, Any], delta: dict[str, Any]) -> None:
    """Joins one delta onto what came before."""
    for key, value in delta.items():
        old = into.get(key)
        if value is None:
            into.setdefault(key, None)
        elif old is None or key in _REPLACED:
            into[key] = _fresh(value)
        elif isinstance(old, str) and isinstance(value, str):
            into[key] = old + value
        elif isinstance(old, dict) and isinstance(value, dict):
            merge(old, value)
        elif isinstance(old, list) and isinstance(value, list):
            _extend(old, value)
        else:
            into[key] = value


def _extend(old: list[Any], new: list[Any]) -> None:
    for item in new:
        index = item.get("index") if isinstance(item, dict) else None
        same = (
            next((each for each in old if isinstance(each, dict) and each.get("index") == index), None)
            if isinstance(index, int)
            else None
        )
        if same is None:
            old.append(_fresh(item))
        else:
            merge(same, item)


def _fresh(value: Any) -> Any:
    """A value of our own to join onto: one delta's list may hold two parts of the same tool call."""
    if isinstance(value, dict):
        own: dict[str, Any] = {}
        merge(own, value)
        return own
    if isinstance(value, list):
        items: list[Any] = []
        _extend(items, value)
        return items
    return value
