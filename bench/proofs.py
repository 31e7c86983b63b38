"""That Hayate did all its work while it was measured: keys checked, calls logged, tokens counted. Read from its own records."""

from __future__ import annotations

import json
import re
import time
import urllib.error
import urllib.request
from dataclasses import dataclass
from pathlib import Path

from bench.dialogue import Asked
from bench.load import Target

LATE_S = 10.0
"""So long the call log is waited for."""
_OUTPUT_TOKENS = re.compile(rb'^hayate_tokens_total\{.*type="output".*\} (\S+)$', re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Proof:
    """One claim, and whether the records bear it out."""

    text: str
    holds: bool


def prove(target: Target, call_log: Path, answers: int) -> list[Proof]:
    """What the gateway at `target` has recorded of the `answers` that the client has seen whole."""
    status = _status_without_key(target)
    counted = _read_metrics(target)
    calls, tokens = _read_call_log(call_log, counted)
    return [
        Proof(f"without the key: {status}", status == 401),
        Proof(f"call log: {calls:,} finished calls for {answers:,} whole answers", calls >= answers > 0),
        Proof(f"metrics: {counted:,} output tokens, {tokens:,} in the call log", counted == tokens > 0),
    ]


def _status_without_key(target: Target) -> int:
    url = f"http://{target.host}:{target.port}/v1/chat/completions"
    request = urllib.request.Request(url, Asked(stream=False).body(), {"content-type": "application/json"})
    try:
        with urllib.request.urlopen(request, timeout=10) as response:  # noqa: S310  our own loopback URL
            return int(response.status)
    except urllib.error.HTTPError as error:
        with error:
            return error.code


def _read_call_log(path: Path, counted: int) -> tuple[int, int]:
    """Calls that ended with 200, and the output tokens of all calls, once all that were `counted` are there: lines are written
    together, a moment after their calls.
    """
    until_s = time.monotonic() + LATE_S
    while (found := _in_call_log(path))[1] < counted and time.monotonic() < until_s:
        time.sleep(0.1)
    return found


def _in_call_log(path: Path) -> tuple[int, int]:
    calls = tokens = 0
    for line in path.read_bytes().rpartition(b"\n")[0].splitlines():
        fields = json.loads(line)
        if fields.get("event") == "call":
            calls += fields["status"] == 200
            tokens += fields["completion_tokens"] or 0
    return calls, tokens


def _read_metrics(target: Target) -> int:
    """The output tokens that /metrics counts."""
    headers = {"authorization": f"Bearer {target.key}"}
    request = urllib.request.Request(f"http://{target.host}:{target.port}/metrics", headers=headers)
    with urllib.request.urlopen(request, timeout=10) as response:  # noqa: S310
        return int(sum(float(value) for value in _OUTPUT_TOKENS.findall(response.read())))
