"""OpenAI-shaped streams, engine to client: chat.completion.chunk and text_completion events.

The rule: an event that carries nothing but text passes as the bytes it arrived in, unread. How that is known without
parsing: such an event has `"finish_reason":null`, and neither usage nor an error, before or after its text
(`plain_event`). Everything else (the first events, the last ones, usage, errors, engines that space their JSON) is
parsed.

What becomes of an event depends on the events before it and on nothing else: not on the packets in which it came, nor
on which of the ways here it took.

What an engine may do wrong is set right here: an error event followed by `[DONE]` becomes a failure,
`finish_reason:"abort"` becomes a failure, a stream that stops without a finish becomes a failure, usage that only we
asked for is taken out, and events that carry nothing (`data: null`, an empty `data:`), which some clients stumble over,
are left out.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar, Final

from hayate.errors import GatewayError
from hayate.wire import sse
from hayate.wire.decoder import DecoderState
from hayate.wire.engine_errors import engine_error
from hayate.wire.engine_json import Unreadable, read, write
from hayate.wire.faults import UNREADABLE, given_up, too_early, unreadable
from hayate.wire.finish import Finish
from hayate.wire.plain_event import BACKSLASH, NO_SHAPE, PLAIN, Reader, Shape, is_plain, text_in

_LONGEST_DONE_BYTES: Final = 16
_LOOKS: Final = 3
"""How often a run of plain events is looked for in one read: behind a stream's first events."""
_FEW: Final = 4
"""So many events are looked at one by one sooner than a run is found: the last text, the finish, the usage and `[DONE]`, say."""
_BROKEN_OFF: Final = ("abort", "error")
_WITHOUT_CONTENT: Final = frozenset({"id", "object", "created", "model", "choices", "usage", "system_fingerprint"})


class OpenAIStream(DecoderState):
    """Engine bytes in, client events out. One per call; holds that call's state.

    `keep_usage`: the client asked for usage itself, so usage stays in the stream.
    After each `feed`, `failure` may be set: what `feed` returned still goes out, then the failure, then nothing.
    """

    _mends: ClassVar[bool] = False
    """The first events must be read, because something may be missing in them: `_chunk` adds it."""
    _read_if: ClassVar[tuple[bytes, ...]] = (b'"error":',)
    """What an event that passes unread has nowhere but in its text."""

    __slots__ = ("_choices", "_finish", "_keep_usage", "_known", "_splitter", "_unfinished")

    def __init__(self, *, keep_usage: bool, choices: int = 1) -> None:
        super().__init__()
        self._splitter: sse.FrameSplitter | None = None
        """There once an event came in pieces."""
        self._keep_usage = keep_usage
        self._choices = choices
        self._unfinished: set[int] = set()
        self._finish = Finish()
        self._known = NO_SHAPE

    def feed(self, data: bytes) -> bytes:
        """What of `data` may go to the client now: whole events only."""
        splitter = self._splitter
        # The common read is whole events: known here, without a call.
        if data.endswith(b"\n\n") and (splitter is None or not splitter.tail):
            whole = data
        else:
            if splitter is None:
                splitter = self._splitter = sse.FrameSplitter()
            whole = splitter.feed(data)
        if not whole:
            return whole
        known = self._known
        looked_at = whole.endswith(known.after) and whole.startswith(known.before)
        if looked_at:
            plain = known.events_in(whole)
            if plain:
                self.usage.seen(plain)
                return whole
        if whole.find(b"\n\n") == len(whole) - 2 and b"\r" not in whole:  # one event
            return self._read_each((whole,))
        if whole.count(b"\n\n") <= _FEW:
            return self._read_each(sse.frames(whole))
        return self._read_mixed(whole, looked_at=looked_at)

    @property
    def plain_reader(self) -> Reader:
        """Itself: it knows which events are plain, and that none is where something is missing."""
        return self

    @property
    def between_events(self) -> bool:
        """Whether all that came has been taken."""
        return self._splitter is None or not self._splitter.tail

    def plain_shape(self, event: bytes) -> Shape | None:
        """The shape of `event` if these bytes are one event with nothing but text, before which nothing was missing: it
        may pass.

        Who passes it on counts it.
        """
        return None if self._splitter is not None and self._splitter.tail else self._shape(event)

    def end(self) -> bytes:
        """The engine's body has ended. Returns what the client is still owed; sets `failure` if that was too early."""
        if self.finished or self.failure:
            return b""
        left = () if self._splitter is None else self._splitter.rest()
        rest = [each for each in left if sse.data_of(each) is not None or each.startswith(b"{")]
        out = self._read_each(rest, last=True) + self.release()
        if self.finished or self.failure:
            return out
        if self.finish_reason is None or self._unfinished:
            self.failure = too_early()
            return out
        self.finished = True
        return out + sse.DONE

    def release(self) -> bytes:
        """The finish, where it is still held back for what may come with the usage."""
        return self._finish.release()

    def _shape(self, event: bytes) -> Shape | None:
        if self._choices > 1 or self.finish_reason is not None or (self._mends and not self.has_output):
            return None
        if self._known.holds(event):
            return self._known
        found = text_in(event)
        if found is None:
            return None
        start, end = found
        before, after = event[:start], event[end:]
        if not is_plain(before + after, self._read_if):
            return None
        shape = Shape(before, after, lasts=event[end - 1] != BACKSLASH)
        if shape.lasts:
            self._known = shape
        self.has_output = True
        return shape

    def _read_mixed(self, whole: bytes, *, looked_at: bool) -> bytes:
        """Runs of plain events, and what stands before and after them: a stream's first event, its last ones.
        `looked_at`: it is known that no run begins it.
        """
        if b"\r" in whole or b"\n\n\n" in whole:
            return self._read_each(sse.frames(whole))
        kept: list[bytes] = []
        for _ in range(_LOOKS):
            end, plain = (0, 0) if looked_at else self._known.run_in(whole)
            looked_at = False
            if plain:
                self.usage.seen(plain)
                kept.append(whole[:end])
                whole = whole[end:]
                break
            end = whole.find(b"\n\n") + 2
            kept.append(self._read_each([whole[:end]]))
            whole = whole[end:]
            if not whole or self.finish_reason is not None or self.failure:
                break
        if whole:
            kept.append(self._read_each(sse.frames(whole)))
        return b"".join(kept)

    def _read_each(self, frames: Sequence[bytes], *, last: bool = False) -> bytes:
        """Reads event by event. `last`: these are what the body's end cut off or ended."""
        if self.finished or self.failure:
            return b""
        kept: list[bytes] = []
        try:
            for each in frames:
                frame = each.lstrip(b"\r\n")  # empty lines more end nothing
                if not frame:
                    continue
                if self.finish_reason is None and PLAIN in frame and self._shape(frame) is not None:
                    self.usage.seen(1)
                    kept.append(frame)
                    continue
                kept.append(self._frame(frame))
                if self.finished or self.failure:
                    break
        except GatewayError as error:
            self.failure = error
        except UNREADABLE:  # an engine may write anything
            self.failure = too_early() if last else unreadable()
        return b"".join(kept)

    def _frame(self, frame: bytes) -> bytes:
        if frame.startswith(b"data: {") and frame.find(b"\n") == len(frame) - 2:  # nearly all of them
            event = read(frame[6:-2])
            if type(event) is dict and not event.get("error"):
                return self._event(event, frame)
        elif frame == sse.DONE:
            return self._done(frame)
        return self._odd_frame(frame)

    def _odd_frame(self, frame: bytes) -> bytes:
        """An event that is an error, or isn't written as nearly all are."""
        data = sse.data_of(frame)
        if data is None:
            data = frame.strip()
            if not data.startswith(b"{"):  # a comment; but an error may come without its `data:`
                return frame
        if len(data) < _LONGEST_DONE_BYTES:
            data = data.strip()
            if data == b"[DONE]":
                return self._done(frame)
            if not data:
                return b""
        event = read(data)
        named_error = b"event:" in frame and sse.event_of(frame) == b"error"
        if named_error or (isinstance(event, dict) and event.get("error")):
            self.failure = engine_error(500, event)
            return self.release()
        return self._event(event, frame) if isinstance(event, dict) else b""  # anything else carries nothing

    def _done(self, frame: bytes) -> bytes:
        self.finished = True
        self._known = NO_SHAPE
        return self.release() + frame

    def _event(self, event: dict[str, Any], frame: bytes) -> bytes:
        usage, given = event.get("usage"), event.get("choices")
        if usage:
            self.usage.take(usage)
        listed = given if given is not None else []
        choices = listed if len(listed) == 1 and type(listed[0]) is dict else _choices_in(listed) if listed else []
        if not choices:
            if usage:
                return frame if self._keep_usage else self._finish.with_rest_of(event)
            empty = given != [] and _WITHOUT_CONTENT.issuperset(event)
            return b"" if empty else self.release() + frame
        held = self._finish.release() if self._finish.frame else b""
        for choice in choices:
            self._choice(choice)
            if self.failure:
                return held
        if len(choices) != len(listed):
            event["choices"] = choices
            frame = sse.render(write(event))
        if usage and not self._keep_usage:
            del event["usage"]
            frame = sse.render(write(event))
        if self._mends:
            frame = self._chunk(event, frame)
        if self.finish_reason is not None and not self._unfinished and not self._keep_usage:
            self._finish.hold(event, frame)
            return held
        return held + frame

    def _choice(self, choice: dict[str, Any]) -> None:
        reason = choice.get("finish_reason")
        if reason in _BROKEN_OFF:
            self.failure = given_up(reason)
            return
        if reason:
            self.finish_reason = reason if isinstance(reason, str) else str(reason)
            self._known = NO_SHAPE
        if self._choices > 1:
            (self._unfinished.discard if reason else self._unfinished.add)(self._index(choice))
        if _says_something(choice):
            self.has_output = True
            self.usage.seen(1)

    def _index(self, choice: dict[str, Any]) -> int:
        """Which of the answers a choice belongs to. Where there is one, engines may leave that unsaid."""
        index = choice.get("index")
        return index if self._choices > 1 and isinstance(index, int) else 0

    def _chunk(self, event: dict[str, Any], frame: bytes) -> bytes:
        """The bytes of an event that was read, for engines whose chunks need mending (`_mends`)."""
        return frame


def _choices_in(listed: Any) -> list[dict[str, Any]]:
    """Those of the list that are not null. Raises Unreadable for what is no list of choices."""
    choices = [each for each in listed if each is not None]
    if not isinstance(listed, list) or not all(isinstance(each, dict) for each in choices):
        raise Unreadable("choices that are none")
    return choices


def _says_something(choice: dict[str, Any]) -> bool:
    """Whether a choice holds text, thought or a tool call: what counts as output, and as a token where nobody counts them."""
    delta = choice.get("delta")
    if not delta or not isinstance(delta, dict):
        return bool(choice.get("text"))
    return bool(
        delta.get("content")
        or delta.get("reasoning")
        or delta.get("reasoning_content")
        or delta.get("tool_calls")
        or choice.get("text")
    )
