"""What must be known of an engine's whole answer that is too dense to be read: its usage and how it ended, found by
searching.

Log probabilities of twenty tokens beside each one, or embeddings by the thousand, hold more values than may be parsed
on the event loop, and nothing in them is for us: the answer passes as it came. Inside a string a quote is escaped, so a
name between two quotes is a name.
"""

from __future__ import annotations

import re
from typing import Any, Final

from hayate.wire.engine_json import Unreadable, read

_USAGE: Final = b'"usage"'
_LONGEST_USAGE_BYTES: Final = 4096
_OBJECT: Final = re.compile(rb"\s*:\s*(\{[^{}]*(?:\{[^{}]*\}[^{}]*)*\})")
_CHOICES: Final = b'"choices"'
_MESSAGE: Final = b'"message"'
_CONTENT: Final = re.compile(rb'"content"\s*:\s*("[^"\\]*(?:\\.[^"\\]*)*")', re.DOTALL)
_CALLS: Final = re.compile(rb'"tool_calls"\s*:\s*\[\s*\{')
_REASON: Final = re.compile(rb'"finish_reason"\s*:\s*"([a-z_]{1,40})"')


def usage_in(raw: bytes) -> dict[str, Any] | None:
    """The last `usage` object of an answer."""
    at = raw.rfind(_USAGE)
    found = _OBJECT.match(raw[at + len(_USAGE) : at + _LONGEST_USAGE_BYTES]) if at >= 0 else None
    if found is None:
        return None
    try:
        usage = read(found[1])
    except Unreadable:
        return None
    return usage if isinstance(usage, dict) else None


def chat_in(raw: bytes) -> dict[str, Any] | None:
    """What a whole chat answer says in words; its first choice, without the rest. None where no words are found."""
    at = raw.find(_MESSAGE)
    found = _CONTENT.search(raw, at) if at >= 0 else None
    if found is None:
        return None
    try:
        content = read(found[1])
    except Unreadable:
        return None
    calls = _CALLS.search(raw, at) is not None
    reason = "length" if calls else next(iter(reasons_in(raw) or ()), None)  # what is not all of it counts as cut
    return {"choices": [{"index": 0, "message": {"role": "assistant", "content": content}, "finish_reason": reason}]}


def reasons_in(raw: bytes) -> list[str] | None:
    """The reasons for which a completion's choices ended; None for what is no completion."""
    if raw.lstrip()[:1] != b"{" or _CHOICES not in raw:
        return None
    return list(dict.fromkeys(each.decode() for each in _REASON.findall(raw)))
