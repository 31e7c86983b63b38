"""Stream to answer: completion chunks in, one completion out.

Needed where an engine must be asked for a stream although the client was not (llama.cpp notices a client that leaves
only in streams). Deltas are joined by rules, not by names, so that fields nobody knew of survive: strings are joined,
lists whose items carry an `index` are joined item by item, other lists are appended, objects are merged, and the rest
is replaced. However long the answer and however small its pieces, the work grows with the bytes: pieces are kept, and
joined once at the end.
"""

from __future__ import annotations

from typing import Any

from hayate.wire.usage import count

_REPLACED = frozenset({"role", "id", "type", "index", "finish_reason", "stop_reason", "name"})
_LAST_WORD = frozenset({"usage", "choices", "object"})


class _Text(list[str]):
    """A text in pieces."""


class _Items(list[Any]):
    """A list, and where in it the items with an `index` are."""

    def __init__(self) -> None:
        super().__init__()
        self.at: dict[int, dict[str, Any]] = {}


class Assembler:
    """One per call. `add` every chunk, then `answer`. Text completions have `text` where chats have `delta`.

    `prefix` is what every answer begins with and no chunk repeats.
    """

    __slots__ = ("_chat", "_choices", "_prefix", "_told", "_top")

    def __init__(self, *, chat: bool = True, prefix: str = "") -> None:
        self._chat = chat
        self._prefix = prefix
        self._told: int | None = None
        self._top: dict[str, Any] = {}
        self._choices: dict[int, dict[str, Any]] = {}

    def add(self, chunk: Any) -> None:
        """Takes one parsed chunk; what has another shape carries nothing."""
        if not isinstance(chunk, dict):
            return
        for key, value in chunk.items():
            if key not in _LAST_WORD and value is not None:
                self._top[key] = value
        if chunk.get("usage"):
            self._top["usage"] = chunk["usage"]
        parts = chunk.get("choices")
        if not self._chat and isinstance(timings := chunk.get("timings"), dict) and _has_text(parts):
            self._told = count(timings.get("predicted_n"))
        for part in parts if isinstance(parts, list) else ():
            if not isinstance(part, dict):
                continue
            index = part.get("index")
            choice = self._choices.setdefault(index if isinstance(index, int) else 0, self._blank())
            delta = part.get("delta")
            if self._chat and isinstance(delta, dict):
                merge(choice["message"], delta)
            merge(choice, {key: value for key, value in part.items() if key not in ("delta", "index")})

    def left_out(self, answer: dict[str, Any]) -> int:
        """How many tokens at the end of a cut answer no chunk had, where the chunks count them (llama.cpp's `timings`)."""
        choices, usage = answer["choices"], answer.get("usage")
        if (
            self._chat
            or len(choices) != 1
            or choices[0].get("finish_reason") != "length"
            or not isinstance(usage, dict)
        ):
            return 0
        made = count(usage.get("completion_tokens"))
        counts = self._told is not None or not choices[0].get("text")
        return max(0, made - (self._told or 0)) if made is not None and counts else 0

    def answer(self) -> dict[str, Any]:
        """The whole chat.completion or text_completion."""
        choices = []
        for index in sorted(self._choices):
            choice = plain(self._choices[index])
            for call in (choice.get("message") or {}).get("tool_calls") or ():
                if isinstance(call, dict):
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
            return {"finish_reason": None, "message": {"role": "assistant", "content": self._prefix or None}}
        return {"finish_reason": None, "text": self._prefix}


def _has_text(parts: Any) -> bool:
    return isinstance(parts, list) and any(isinstance(part, dict) and part.get("text") for part in parts)


def merge(into: dict[str, Any], delta: dict[str, Any]) -> None:
    """Joins one delta onto what came before; `plain` makes an ordinary value of the result."""
    for key, value in delta.items():
        old = into.get(key)
        if value is None:
            into.setdefault(key, None)
        elif old is None or key in _REPLACED:
            into[key] = _fresh(value)
        elif isinstance(value, str) and isinstance(old, str):
            into[key] = _Text((old, value))
        elif isinstance(value, str) and isinstance(old, _Text):
            old.append(value)
        elif isinstance(old, dict) and isinstance(value, dict):
            merge(old, value)
        elif isinstance(old, _Items) and isinstance(value, list):
            _extend(old, value)
        else:
            into[key] = _fresh(value)


def plain(value: Any) -> Any:
    """What was merged, its texts joined."""
    if isinstance(value, _Text):
        return "".join(value)
    if isinstance(value, dict):
        return {key: plain(each) for key, each in value.items()}
    if isinstance(value, list):
        return [plain(each) for each in value]
    return value


def _extend(old: _Items, new: list[Any]) -> None:
    for item in new:
        index = item.get("index") if isinstance(item, dict) else None
        same = old.at.get(index) if isinstance(index, int) else None
        if same is not None:
            merge(same, item)
            continue
        fresh = _fresh(item)
        old.append(fresh)
        if isinstance(index, int):
            old.at[index] = fresh


def _fresh(value: Any) -> Any:
    """A value of our own to join onto: one delta's list may hold two parts of the same tool call."""
    if isinstance(value, dict):
        own: dict[str, Any] = {}
        merge(own, value)
        return own
    if isinstance(value, list):
        items = _Items()
        _extend(items, value)
        return items
    return value
