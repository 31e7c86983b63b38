"""What `hayate top --json` says, field by field."""

from __future__ import annotations

from hayate.tools.top.look import read_look
from hayate.tools.top.values import values_of, values_without
from tests.unit.tools.top.told import CEILING, LANE, call, calls, deployment

AT = 1_790_000_000.0
URL = "http://127.0.0.1:8080"


def test_every_field_is_told_and_the_speed_beside_them() -> None:
    look = read_look(1.0, {"deployments": [deployment(LANE)]}, calls(call(2.5)))
    values = values_of(look, {"qwen": 250.04}, URL, AT)
    assert {name: values[name] for name in ("url", "error", "at", "call_count")} == {
        "url": URL,
        "error": None,
        "at": "2026-09-21T14:13:20.000Z",
        "call_count": 1,
    }
    [qwen] = values["deployments"]
    assert qwen == {**deployment(LANE), "ceilings": [CEILING], "lanes": [LANE], "tokens_per_s": 250.0}
    assert values["calls"] == [
        {
            "id": "req-2.5",
            "key": "6b01ba977411",
            "project": "batch",
            "model": "fast",
            "replica": "qwen/0",
            "stream": True,
            "running_s": 2.5,
        }
    ]


def test_what_could_not_be_told_is_null_and_the_fields_are_the_same() -> None:
    look = read_look(1.0, {"deployments": [deployment(LANE)]}, None)
    told = values_of(look, {}, URL, AT)
    assert (told["calls"], told["call_count"], told["deployments"][0]["tokens_per_s"]) == (None, None, None)
    nothing = values_without("nobody there", None, AT)
    assert set(nothing) == set(told)
    assert (nothing["error"], nothing["url"], nothing["deployments"]) == ("nobody there", None, [])
