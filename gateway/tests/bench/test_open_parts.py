"""What the open loop's client and engine send, and the programs."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from bench.dialogue import MODEL, TOKENS, Asked, complaint_about, parse_asked
from bench.load import Target
from bench.open_parts import INTERVAL_S, client_parts, engine_parts, programs


@pytest.mark.parametrize("history", [False, True])
def test_a_request_asks_for_as_many_tokens_as_are_put_in(tmp_path: Path, history: bool) -> None:
    parts = client_parts(tmp_path, Target(80, "key"), history=history)
    body = (parts / "stream_request").read_bytes().replace(b":0000", b":0064").partition(b"\r\n\r\n")[2]

    asked = parse_asked(body)

    assert asked is not None
    assert (asked.stream, asked.tokens, asked.usage) == (True, 64, True)
    assert asked.rate == pytest.approx(1 / INTERVAL_S, rel=1e-3)
    assert json.loads(body).get("conversation") == ("new" if history else None)
    plain = json.loads((parts / "plain_request").read_bytes().partition(b"\r\n\r\n")[2])
    assert ("stream" in plain, plain.get("conversation")) == (False, "new" if history else None)


def test_the_length_that_a_request_names_is_its_own(tmp_path: Path) -> None:
    for name in ("stream_request", "plain_request"):
        head, _, body = (
            (client_parts(tmp_path, Target(80, "key"), history=True) / name).read_bytes().partition(b"\r\n\r\n")
        )
        assert b"content-length: %d\r\n" % len(body) in head + b"\r\n"


def test_the_plain_answer_that_is_expected_is_the_one_that_the_engine_gives(tmp_path: Path) -> None:
    engine, client = engine_parts(tmp_path / "engine"), client_parts(tmp_path / "client", Target(1, ""), history=False)
    answer = (client / "plain_answer").read_bytes()

    assert (engine / "plain").read_bytes().endswith(answer)
    assert complaint_about(Asked(stream=False, tokens=TOKENS), answer) is None
    assert MODEL in (engine / "models").read_text()


def test_without_a_compiler_or_with_one_that_fails_python_stands_in(tmp_path: Path) -> None:
    stand_in = programs(tmp_path, "/bin/false")

    assert not stand_in.compiled
    assert stand_in.client[-2:] == ["bench.open_python", "client"]
    assert stand_in.stub[-2:] == ["bench.open_python", "stub"]
