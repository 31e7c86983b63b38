"""What a chat's answer amounts to as items of a response: messages and pieces of reasoning (calls of tools are in
`call_items`), each written as the events by which OpenAI tells of it.

An item is opened, grows by deltas, and is closed with its whole content said once more. Text is kept in pieces and joined
at its end, so that an answer of any length costs time by its length.
"""

from __future__ import annotations

from typing import Any, Final

from hayate.wire.engine_json import write

Logprobs = list[dict[str, Any]]
"""Of tokens, as a chat's `logprobs.content` has them."""
Status = str
"""`in_progress`, `completed` or `incomplete`."""

_WORDS: Final = {
    "output_text": ("response.output_text", "text"),
    "refusal": ("response.refusal", "refusal"),
    "reasoning_text": ("response.reasoning_text", "text"),
}
"""Of each kind of content: how its events are called, and which field holds its text."""


class Events:
    """Writes and numbers a response's events. One per call; a `quiet` one writes none, for a client who wants the whole alone."""

    __slots__ = ("number", "quiet")

    def __init__(self, *, quiet: bool = False) -> None:
        self.quiet = quiet
        self.number = 0
        """The next event's."""

    def event(self, kind: str, fields: dict[str, Any]) -> bytes:
        """An event with these fields beside its type and its number."""
        return b"" if self.quiet else self.written(kind, write(fields)[1:-1])

    def written(self, kind: str, fields: bytes) -> bytes:
        """The same, of fields that are JSON already, without its braces."""
        name = kind.encode()
        return self.numbered(b'event: %b\ndata: {"type":"%b",%b' % (name, name, fields))

    def numbered(self, begun: bytes) -> bytes:
        """An event that lacks its number and its end."""
        number, self.number = self.number, self.number + 1
        return b'%b,"sequence_number":%d}\n\n' % (begun, number)


class _Part:
    """One content part of a message or of reasoning."""

    __slots__ = ("head", "kind", "logprobs", "pieces")

    def __init__(self, kind: str, place: dict[str, Any]) -> None:
        name = f"{_WORDS[kind][0]}.delta".encode()
        self.kind = kind
        self.head = b'event: %b\ndata: {"type":"%b",%b,"delta":' % (name, name, write(place)[1:-1])
        self.pieces: list[str] = []
        self.logprobs: Logprobs = []

    def whole(self) -> dict[str, Any]:
        """The part as it is in its item."""
        part: dict[str, Any] = {"type": self.kind, _WORDS[self.kind][1]: "".join(self.pieces)}
        return {**part, "annotations": [], "logprobs": self.logprobs} if self.kind == "output_text" else part


class TextItem:
    """A message, or with `reasoning` a piece of it, on its way."""

    __slots__ = ("_events", "_part", "_parts", "_place", "_reasoning", "item_id", "status")

    def __init__(self, events: Events, item_id: str, index: int, *, reasoning: bool) -> None:
        self._events = events
        self._reasoning = reasoning
        self._place = {"item_id": item_id, "output_index": index}
        self._parts: list[_Part] = []
        self._part: _Part | None = None
        self.item_id = item_id
        self.status: Status = "in_progress"

    def open(self) -> bytes:
        """Tells of the item, which is empty yet."""
        item = {"output_index": self._place["output_index"], "item": self.whole()}
        return self._events.event("response.output_item.added", item)

    def say(self, kind: str, text: str, logprobs: Logprobs) -> bytes:
        """Adds to the part of this kind that is last, else to a new one."""
        out, part = b"", self._part
        if part is None or part.kind != kind:
            out = self._end_part()
            part = self._part = _Part(kind, self._in_part(len(self._parts)))
            out += self._events.event(
                "response.content_part.added", {**self._in_part(len(self._parts)), "part": part.whole()}
            )
            self._parts.append(part)
        part.pieces.append(text)
        part.logprobs += logprobs
        if self._events.quiet:
            return b""
        said = part.head + write(text)
        if kind == "output_text":
            said += b',"logprobs":' + write(_in_events(logprobs)) if logprobs else b',"logprobs":[]'
        return out + self._events.numbered(said)

    def close(self, status: Status) -> bytes:
        """Says what it came to."""
        out = self._end_part()
        self.status = status
        item = {"output_index": self._place["output_index"], "item": self.whole()}
        return out + self._events.event("response.output_item.done", item)

    def whole(self) -> dict[str, Any]:
        """The item as the response has it."""
        content = [part.whole() for part in self._parts]
        if self._reasoning:
            return {
                "id": self.item_id,
                "type": "reasoning",
                "summary": [],
                "content": content,
                "encrypted_content": None,
                "status": self.status,
            }
        return {
            "id": self.item_id,
            "type": "message",
            "role": "assistant",
            "content": content,
            "status": self.status,
        }

    def _in_part(self, index: int) -> dict[str, Any]:
        return {**self._place, "content_index": index}

    def _end_part(self) -> bytes:
        part, self._part = self._part, None
        if part is None or self._events.quiet:
            return b""
        name, field = _WORDS[part.kind]
        place, whole = self._in_part(len(self._parts) - 1), part.whole()
        said = {**place, field: whole[field]}
        if part.kind == "output_text":
            said["logprobs"] = _in_events(part.logprobs)
        out = self._events.event(f"{name}.done", said)
        return out + self._events.event("response.content_part.done", {**place, "part": whole})


def tokens_of(logprobs: Any) -> Logprobs:
    """A chunk's log probabilities, each token with all its members; what has another shape says nothing."""
    listed = logprobs.get("content") if isinstance(logprobs, dict) else None
    if not isinstance(listed, list):
        return []
    return [
        {**_token(each), "top_logprobs": [_token(top) for top in each.get("top_logprobs") or () if _is_token(top)]}
        for each in listed
        if _is_token(each)
    ]


def _token(given: dict[str, Any]) -> dict[str, Any]:
    token = given["token"]
    return {
        "token": token,
        "logprob": given.get("logprob"),
        "bytes": given.get("bytes") or list(token.encode("utf-8", "replace")),
    }


def _is_token(given: Any) -> bool:
    return isinstance(given, dict) and isinstance(given.get("token"), str)


def _in_events(logprobs: Logprobs) -> list[dict[str, Any]]:
    """Events have of each token less than the item."""
    return [
        {
            "token": each["token"],
            "logprob": each["logprob"],
            "top_logprobs": [{"token": top["token"], "logprob": top["logprob"]} for top in each["top_logprobs"]],
        }
        for each in logprobs
    ]
