"""What OPTIONS answers, and which refusals the operator is told of."""

from __future__ import annotations

import json

import pytest

from hayate.api.options import MAX_TOLD, Options
from hayate.errors import NotAllowed
from hayate.wire.http1 import Headers
from hayate.wire.origins import Origins


def asks(origin: bytes) -> Headers:
    return [(b"origin", origin), (b"access-control-request-method", b"POST")]


def test_a_path_names_its_methods_and_no_path_has_none() -> None:
    answer = Options(Origins()).answer([], ["GET", "OPTIONS"])
    assert answer is not None
    assert (answer.status_code, answer.headers["allow"], answer.body) == (204, "GET, OPTIONS", b"")
    assert Options(Origins()).answer([], []) is None


@pytest.mark.parametrize("methods", [["POST", "OPTIONS"], []])
def test_a_listed_origin_may_ask_of_any_path(methods: list[str]) -> None:
    answer = Options(Origins(["https://game.example"])).answer(asks(b"https://game.example"), methods)
    assert answer is not None
    assert answer.status_code == 204
    assert "POST" in answer.headers["access-control-allow-methods"]


def test_a_refusal_names_the_setting_in_both_languages() -> None:
    with pytest.raises(NotAllowed) as refused:
        Options(Origins()).answer(asks(b"https://game.example"), ["POST"])
    assert refused.value.status == 403
    for text in (refused.value.english, refused.value.japanese):
        assert "https://game.example" in text
        assert "server.cors_origins" in text


def test_the_log_tells_of_an_origin_once_and_of_so_many(capfd: pytest.CaptureFixture[str]) -> None:
    options = Options(Origins())
    for number in range(MAX_TOLD + 10):
        for _ in range(3):
            with pytest.raises(NotAllowed):
                options.answer(asks(b"https://game-%d.example" % number), ["POST"])
    with pytest.raises(NotAllowed):
        options.answer(asks(b"x" * 10_000), ["POST"])
    lines = [json.loads(line) for line in capfd.readouterr().err.splitlines()]
    assert [line["origin"] for line in lines] == [f"https://game-{number}.example" for number in range(MAX_TOLD)]
    assert {(line["event"], line["setting"]) for line in lines} == {("origin_refused", "server.cors_origins")}
