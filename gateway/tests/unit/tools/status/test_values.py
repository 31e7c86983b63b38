"""The status for programs: the fields that stay."""

from __future__ import annotations

from hayate.tools.status.answer import read_answer
from hayate.tools.status.values import values_of, values_without
from tests.unit.tools.loading.told import SLEEPS
from tests.unit.tools.status.answers import DOWN, WELL, deployment

FIELDS = {"status", "url", "error", "version", "uptime_s", "aliases", "deployments"}
OF_A_DEPLOYMENT = {"name", "engine", "model", "state", "in_flight", "queued", "replicas", "loading"}
OF_A_REPLICA = {"url", "state", "ready", "reason", "in_flight", "last_error"}


def test_every_field_is_there_in_whatever_state() -> None:
    values = values_of(read_answer({"deployments": [deployment(WELL, DOWN)]}), "http://h:1")
    assert set(values) >= FIELDS
    [one] = values["deployments"]
    assert set(one) >= OF_A_DEPLOYMENT
    assert [set(each) >= OF_A_REPLICA for each in one["replicas"]] == [True, True]
    assert (values["status"], one["state"], values["error"]) == ("degraded", "degraded", None)
    assert one["replicas"][1]["last_error"] == {"text": "nothing listens there", "at": "2026-09-21T14:13:10.000Z"}
    assert one["loading"] is None
    rests = values_of(read_answer({"deployments": [deployment(DOWN, name="smart")], "engines": [SLEEPS]}), "http://h:1")
    [smart] = rests["deployments"]
    assert (rests["status"], smart["state"], smart["loading"]["why"]) == ("ready", "unloaded", "gave_way")
    without = values_without("why", None)
    assert set(without) == set(values)
    assert (without["status"], without["error"], without["url"]) == ("unreachable", "why", None)
