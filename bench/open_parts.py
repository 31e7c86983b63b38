"""What the open loop's client and engine send, as files, so that its words stand in one place (`dialogue.py`); and both programs.

They are compiled from `open_client.c` and `open_stub.c` with the machine's `cc`. Where there is none, `open_python.py`, which takes
the same arguments, stands in for both, and the report says so: it is late itself, by more the more streams there are.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from bench.dialogue import TOKENS, Asked, closing_frames, stamped_frame
from bench.load import Target
from bench.stub import ABOUT, MODELS, NOT_ASKED, STREAM_HEAD, http_chunk, plain_response

FIRST_S, INTERVAL_S = 0.020, 0.060
"""When an engine's first token is due after it has read a request, and each other after the one before."""
PLACES = 4
"""Digits in which a number of tokens is written."""
LONGEST = 256
_SOURCES = Path(__file__).parent
_SHARED = _SOURCES / "open_common.h"
_NINES = 10**PLACES - 1


@dataclass(frozen=True, slots=True)
class Programs:
    """What starts each; `compiled` is false where Python stands in."""

    client: list[str]
    stub: list[str]
    compiled: bool


def programs(home: Path, compiler: str | None = None) -> Programs:
    """Compiles both under `home`, unless they have been from these very sources."""
    compiler = compiler or shutil.which("cc")
    found = {}
    for name in ("open_client", "open_stub"):
        source = _SOURCES / f"{name}.c"
        made_of = source.read_bytes() + _SHARED.read_bytes()
        binary = home / f"{name}-{hashlib.sha256(made_of).hexdigest()[:12]}"
        if compiler is None or not (binary.exists() or _compiled(compiler, source, binary)):
            stand_in = [sys.executable, "-m", "bench.open_python"]
            return Programs([*stand_in, "client"], [*stand_in, "stub"], compiled=False)
        found[name] = [str(binary)]
    return Programs(found["open_client"], found["open_stub"], compiled=True)


def _compiled(compiler: str, source: Path, binary: Path) -> bool:
    binary.parent.mkdir(parents=True, exist_ok=True)
    made = binary.with_suffix(".part")
    done = subprocess.run(
        [compiler, "-O2", "-std=gnu11", "-o", str(made), str(source)], capture_output=True, text=True, check=False
    )
    if done.returncode:
        print(f"  {source.name} can't be compiled: {done.stderr.strip()[-300:]}", flush=True)
        return False
    made.rename(binary)
    return True


def _write(folder: Path, parts: dict[str, bytes]) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in parts.items():
        (folder / name).write_bytes(content)
    return folder


def engine_parts(folder: Path) -> Path:
    """What the engine answers."""
    finish, usage, done = closing_frames(_NINES // 2, usage=True)
    last = b"0\r\n\r\n"
    return _write(
        folder,
        {
            "plain": plain_response(TOKENS),
            "models": MODELS,
            "about": ABOUT,
            "refusal": NOT_ASKED,
            "head": STREAM_HEAD,
            "token": http_chunk(stamped_frame(0)),
            "closing": http_chunk(finish) + http_chunk(done) + last,
            "closing_usage": b"".join(map(http_chunk, (finish, usage, done))) + last,
        },
    )


def client_parts(folder: Path, target: Target, *, history: bool) -> Path:
    """What the client asks of one contender, and a whole plain answer. With `history` every call's conversation is kept."""
    answer = plain_response(TOKENS).partition(b"\r\n\r\n")[2]
    return _write(
        folder,
        {
            "stream_request": target.post(_stream_body(history=history)),
            "plain_request": target.post(_kept(Asked(stream=False).body(), history=history)),
            "plain_answer": answer,
        },
    )


def _stream_body(*, history: bool) -> bytes:
    """A stream's request, with zeros where the number of its tokens goes."""
    fields = json.loads(Asked(stream=True, tokens=LONGEST, rate=1 / INTERVAL_S).body())
    asked = fields["messages"][-1]["content"]
    fields["messages"][-1]["content"] = asked.rpartition(":")[0] + ":" + "0" * PLACES
    return _kept(json.dumps(fields).encode(), history=history)


def _kept(body: bytes, *, history: bool) -> bytes:
    return json.dumps({**json.loads(body), "conversation": "new"}).encode() if history else body
