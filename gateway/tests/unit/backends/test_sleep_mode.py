"""What vLLM is asked and told, and how its answers are read."""

from __future__ import annotations

import json

import pytest

from hayate.backends.options import OptionError
from hayate.backends.registry import Wanted, check_options, make_backend
from hayate.backends.sleep_mode import SleepMode
from tests.support.tables import table

METRICS = b"""# HELP vllm:engine_sleep_state Engine sleep state
# TYPE vllm:engine_sleep_state gauge
vllm:engine_sleep_state{engine="0",model_name="m",sleep_state="awake"} 0.0
vllm:engine_sleep_state{engine="0",model_name="m",sleep_state="weights_offloaded"} %b
vllm:engine_sleep_state{engine="0",model_name="m",sleep_state="discard_all"} %b
"""
DEEP = ["/wake_up?tags=weights", "/collective_rpc", "/wake_up?tags=kv_cache"]


@table(
    ("status", "body", "loaded"),
    [
        (200, {"is_sleeping": False}, True),
        (200, {"is_sleeping": True}, False),
        (200, {"is_sleeping": "yes"}, None),
        (200, [], None),
        (404, {"detail": "Not Found"}, None),
        (500, {"is_sleeping": False}, None),
        (0, None, None),
    ],
)
def test_it_says_whether_it_sleeps(status: int, body: object, loaded: bool | None) -> None:
    control, raw = SleepMode(), json.dumps(body).encode()
    assert (control.ask().method, control.ask().path) == (b"GET", "/is_sleeping")
    assert control.read(status, raw) is loaded
    assert control.sleeps(status, raw) is (loaded is False)


def test_it_waits_for_calls_under_way_before_it_sleeps() -> None:
    assert [each.path for each in SleepMode().unload()] == ["/sleep?level=1&mode=wait"]
    assert [each.path for each in SleepMode(2).unload()] == ["/sleep?level=2&mode=wait"]
    assert [each.path for each in SleepMode(2).unload(at_once=True)] == ["/sleep?level=2&mode=abort"]


def test_one_that_has_its_weights_is_woken_at_once() -> None:
    assert SleepMode().look() is not None
    for seen in (b"", METRICS % (b"1.0", b"0.0"), METRICS % (b"0.0", b"0.0"), b"no metrics at all\n" * 9):
        assert [each.path for each in SleepMode().load(seen)] == ["/wake_up"]


def test_one_that_has_lost_its_weights_reads_them_before_it_takes_up_calls() -> None:
    for control, seen in (
        (SleepMode(2), b""),
        (SleepMode(1), METRICS % (b"0.0", b"1.0")),
        (SleepMode(1), METRICS % (b"0", b"1")),
    ):
        steps = control.load(seen)
        assert [each.path for each in steps] == DEEP
        assert json.loads(steps[1].body) == {"method": "reload_weights"}
    assert SleepMode(2).look() is None


def test_the_operator_chooses_the_level() -> None:
    for level in (2, "2"):
        wanted = Wanted("vllm", options={"sleep_level": level}, told_to_load=True)
        assert not list(check_options(wanted))
        assert make_backend(wanted).control(None) == SleepMode(2)
    assert make_backend(Wanted("vllm")).control(None) == SleepMode(1)


def test_there_is_no_level_for_an_engine_that_is_never_put_to_sleep() -> None:
    wanted = Wanted("vllm", options={"sleep_level": 2})
    [mistake] = check_options(wanted)
    assert (mistake.key, "write gpu and memory too" in mistake.english) == ("sleep_level", True)
    with pytest.raises(OptionError, match="write gpu and memory too"):
        make_backend(wanted)


@table("level", [0, 3, "deep", True])
def test_there_are_no_other_levels(level: object) -> None:
    [mistake] = check_options(Wanted("vllm", options={"sleep_level": level}, told_to_load=True))
    assert mistake.key == "sleep_level"
    assert "one of 1, 2" in mistake.english


@table("backend", ["llamacpp", "openai", "sglang", "trtllm", "ollama"])
def test_other_engines_have_no_levels(backend: str) -> None:
    [mistake] = check_options(Wanted(backend, options={"sleep_level": 1}))
    assert "is not an option of this backend" in mistake.english
