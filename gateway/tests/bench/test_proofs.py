"""That the gateway did its work while it was measured is read from its own records, once all of them are there."""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest
from bench.load import Target
from bench.proofs import prove

from bench import proofs
from tests.support.threaded import threaded_server


def line(status: int, tokens: int) -> str:
    return json.dumps({"event": "call", "status": status, "completion_tokens": tokens}) + "\n"


@pytest.fixture
def call_log(tmp_path: Path) -> Path:
    path = tmp_path / "stdout"
    path.write_text(line(200, 64) + line(499, 6) + '{"event": "started"}\n' + line(401, 0), encoding="utf-8")
    return path


def proved(call_log: Path, counted: int, answers: int, later: str = "") -> dict[str, bool]:
    """What a gateway proves that counts so many tokens, and writes `later` when it was asked how many."""

    class Gateway(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.send_response(401)
            self.end_headers()

        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b'hayate_tokens_total{model="a",type="output"} %d\n' % counted)
            threading.Timer(0.3, _append, (call_log, later)).start()

    with threaded_server(Gateway) as url:
        host, _, port = url.removeprefix("http://").partition(":")
        return {each.text: each.holds for each in prove(Target(int(port), "sk-bench", host), call_log, answers)}


def _append(path: Path, later: str) -> None:
    with path.open("a", encoding="utf-8") as log:
        log.write(later)


def test_lines_that_are_written_a_moment_after_their_calls_are_waited_for(call_log: Path) -> None:
    assert proved(call_log, 80, 2, later=line(200, 10)) == {
        "without the key: 401": True,
        "call log: 2 finished calls for 2 whole answers": True,
        "metrics: 80 output tokens, 80 in the call log": True,
    }


def test_what_is_in_no_record_is_told(call_log: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(proofs, "LATE_S", 0.0)
    assert proved(call_log, 80, 2) == {
        "without the key: 401": True,
        "call log: 1 finished calls for 2 whole answers": False,
        "metrics: 80 output tokens, 70 in the call log": False,
    }
