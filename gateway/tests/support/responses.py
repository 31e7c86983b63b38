"""A response's stream as OpenAI's own types and order have it: what a strict client would trip over fails here.

`followed` reads every event with the `openai` package's model of that type, strictly: a member that is missing, of another type or
unknown is an error, optional ones included where OpenAI always says them. And it follows the order: what is opened is closed, what
is closed says what its deltas said, numbers count, and the last event holds what all the others told.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final, get_args

import pydantic
from openai.types.responses import Response, ResponseStreamEvent

SAID: Final = frozenset(
    {
        "id", "object", "created_at", "status", "background", "completed_at", "error", "incomplete_details", "instructions",
        "max_output_tokens", "max_tool_calls", "metadata", "model", "output", "parallel_tool_calls", "previous_response_id",
        "prompt_cache_key", "reasoning", "safety_identifier", "service_tier", "store", "temperature", "text", "tool_choice",
        "tools", "top_logprobs", "top_p", "truncation", "usage", "user",
    }
)  # fmt: skip
"""The members of every response of OpenAI's."""
NEWER: Final = {
    "ResponseFunctionCallArgumentsDoneEvent": {"name"},
    "Response": {"store"},
    "ResponseCustomToolCall": {"status"},
}
"""What OpenAI says and the package has no member for."""
_EVENTS: Final = {
    get_args(model.model_fields["type"].annotation)[0]: model for model in get_args(get_args(ResponseStreamEvent)[0])
}
_TEXTS: Final = {
    "response.output_text": ("output_text", "text"),
    "response.refusal": ("refusal", "refusal"),
    "response.reasoning_text": ("reasoning_text", "text"),
}

_CALLED: Final = {"response.function_call_arguments": "arguments", "response.custom_tool_call_input": "input"}
_CALLS: Final = {"function_call": "arguments", "custom_tool_call": "input"}


def strict(model: type[Any], value: dict[str, Any]) -> Any:
    """`value` as the package's model. Raises for what is missing, of another type, or unknown."""
    read = model.model_validate(value, strict=True)
    _look(read)
    return read


def whole(value: dict[str, Any]) -> Response:
    """A whole response, read strictly."""
    missing = SAID - value.keys()
    assert not missing, f"a response without {sorted(missing)}"
    read: Response = strict(Response, value)
    assert (read.usage is None) == (read.status == "in_progress")
    assert (read.completed_at is not None) == (read.status == "completed")
    assert (read.incomplete_details is not None) == (read.status == "incomplete")
    return read


def _look(read: Any) -> None:
    if isinstance(read, pydantic.BaseModel):
        unknown = set(read.model_extra or ()) - NEWER.get(type(read).__name__, set())
        assert not unknown, f"{type(read).__name__} has no {sorted(unknown)}"
        for name in type(read).model_fields:
            _look(getattr(read, name))
    elif isinstance(read, list):
        for each in read:
            _look(each)


class Followed:
    """A stream of events, followed from its beginning."""

    def __init__(self) -> None:
        self.kinds: list[str] = []
        self.items: list[dict[str, Any]] = []
        self.final: Response | None = None
        self._open: dict[int, dict[str, Any]] = {}
        self._said: dict[tuple[str, int | None], str] = {}
        self._parts: dict[str, dict[str, Any]] = {}

    def take(self, event: dict[str, Any]) -> None:
        """The next event."""
        kind = event["type"]
        assert self.final is None, f"{kind} after the end"
        assert event["sequence_number"] == len(self.kinds)
        strict(_EVENTS[kind], event)
        expected = ["response.created", "response.in_progress"]
        assert len(self.kinds) >= 2 or kind == expected[len(self.kinds)]
        self.kinds.append(kind)
        if "response" in event:
            self._response(event)
        elif kind == "response.output_item.added":
            self._added(event)
        elif kind == "response.output_item.done":
            self._item_done(event)
        elif kind.startswith(tuple(_CALLED)):
            self._called(event)
        else:
            self._part(event)

    def _response(self, event: dict[str, Any]) -> None:
        read, kind = whole(event["response"]), event["type"].removeprefix("response.")
        assert read.status == ("in_progress" if kind == "created" else kind)
        if kind in ("created", "in_progress"):
            assert not read.output
            return
        assert not self._open, "an item that was not closed"
        assert event["response"]["output"] == self.items
        self.final = read

    def _added(self, event: dict[str, Any]) -> None:
        item, index = event["item"], event["output_index"]
        assert index == len(self.items), "items are numbered as they begin"
        assert item["status"] == "in_progress"
        assert not item.get("content")
        assert not item.get("arguments")
        assert not item.get("input")
        assert item["id"] not in [each["id"] for each in self.items]
        self.items.append(item)
        self._open[index] = item

    def _item_done(self, event: dict[str, Any]) -> None:
        item, index = event["item"], event["output_index"]
        begun = self._open.pop(index)
        assert (item["id"], item["type"]) == (begun["id"], begun["type"])
        assert item["status"] in ("completed", "incomplete")
        assert item["id"] not in self._parts, "a part that was not closed"
        if item["type"] in _CALLS:
            assert item[_CALLS[item["type"]]] == self._said.get((item["id"], None), "")
            assert (item["name"], item.get("namespace")) == (begun["name"], begun.get("namespace"))
        else:
            for n, part in enumerate(item["content"]):
                assert part.get("text", part.get("refusal")) == _joined(self._said[item["id"], n])
        self.items[index] = item

    def _called(self, event: dict[str, Any]) -> None:
        item, kind = self._open[event["output_index"]], event["type"].rpartition(".")[0]
        assert (item["id"], _CALLS[item["type"]]) == (event["item_id"], _CALLED[kind])
        key = (event["item_id"], None)
        if event["type"].endswith(".delta"):
            assert event["delta"], "an empty delta"
            self._said[key] = self._said.get(key, "") + event["delta"]
        else:
            assert event[_CALLED[kind]] == self._said.get(key, "")

    def _part(self, event: dict[str, Any]) -> None:
        kind, item_id, n = event["type"], event["item_id"], event["content_index"]
        assert self._open[event["output_index"]]["id"] == item_id
        if kind == "response.content_part.added":
            assert item_id not in self._parts
            assert (item_id, n) not in self._said
            assert n == 0 or (item_id, n - 1) in self._said
            self._parts[item_id] = event["part"]
            self._said[item_id, n] = ""
        elif kind == "response.content_part.done":
            del self._parts[item_id]
            assert event["part"].get("text", event["part"].get("refusal")) == _joined(self._said[item_id, n])
        else:
            name, _, what = kind.rpartition(".")
            part, field = _TEXTS[name]
            assert self._parts[item_id]["type"] == part
            if what == "delta":
                assert event["delta"], "an empty delta"
                self._said[item_id, n] += event["delta"]
            else:
                assert event[field] == _joined(self._said[item_id, n])


def _joined(text: str) -> str:
    """Two halves of a character that stood in two events are one."""
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def followed(events: Iterable[dict[str, Any]]) -> Followed:
    """All events of a stream that came to its end."""
    seen = Followed()
    for event in events:
        seen.take(event)
    assert seen.final is not None, "a stream without its last event"
    return seen
