"""What the soak's engines do, by the name that the prompt has (`soak:whole`): their answers depend on nothing else."""

from __future__ import annotations

import re
from typing import Any, Final

from tests.support.engine_faults import CLOSE_BEFORE_HEADERS, GARBAGE, NO_ANSWER
from tests.support.engine_script import Answer, Chat, Request, Script, answer, cut, error, reset, silence

GOOD, FAULTY = "scripted", "faulty"
"""The deployments: an engine's faults are one's alone."""
WORDS: Final = [f"w{n} " for n in range(20)]
EMBEDDED: Final = {
    "object": "list",
    "data": [{"embedding": [0.5] * 300, "index": 0}],
    "usage": {"prompt_tokens": 3, "total_tokens": 3},
}
PIECES: Final = Chat(WORDS[:5], finish_reason=None, done=False)


def _ending(*last: Any) -> Answer:
    return Chat(WORDS[:5], finish_reason=None, done=False, last=last)


SCRIPTS: Final[dict[str, Answer]] = {
    "whole": Chat(WORDS, gap_s=0.02),
    "long": Chat(["x"] * 500, gap_s=0.05),
    "wide": Chat(["x" * 1000] * 1000),
    "embedding": answer(EMBEDDED),
    "500": error(500),
    "400": error(400),
    "503": error(503),
    "closes": CLOSE_BEFORE_HEADERS,
    "garbage": GARBAGE,
    "no JSON": answer(b"x"),
    "nothing": NO_ANSWER,
    "cut": _ending(cut),
    "reset": _ending(reset),
    "stands still": _ending(silence),
}
REFUSED: Final = {"500": 502, "400": 400, "503": 503, "closes": 502, "garbage": 502, "nothing": 504}
"""What a caller is told of an engine that gives no answer at all."""
BROKEN: Final = ("cut", "reset", "stands still")
"""What it is told in an event, when some of the stream had come."""
_NAMED: Final = re.compile(rb"soak:([a-zA-Z0-9 ]+)")


def scripted(request: Request) -> Script:
    """What the prompt asks for; a canary of the gateway's own gets a short answer."""
    found = _NAMED.search(request.body)
    script = SCRIPTS[found[1].decode()] if found else Chat()
    return script(request) if callable(script) else script


def asking(script: str, *, stream: bool = False, model: str = GOOD, **more: Any) -> dict[str, Any]:
    """A chat's body."""
    return {"model": model, "messages": [{"role": "user", "content": f"soak:{script}"}], "stream": stream, **more}
