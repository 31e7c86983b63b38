"""What a gateway tells of its engines is read, of whatever version it is."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from hayate.language import Text
from hayate.tools.loading.answer import read_engines, read_gpus, tokens_per_s
from tests.unit.tools.loading.told import CUDA, CUDA_JA, ELSEWHERE, FAILED, GIB, GPU, READY, SLEEPS

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from([*READY, "text"]), inner),
    max_leaves=20,
)


def test_all_that_is_told_is_read() -> None:
    fast, smart, broken, remote = read_engines({"engines": [READY, SLEEPS, FAILED, ELSEWHERE], "new": 1})
    assert (fast.name, fast.backend, fast.how, fast.state, fast.why) == ("fast", "vllm", "run", "ready", "asked")
    assert (fast.gpus, fast.memory_bytes, fast.pid, fast.has_log) == (["gpu0"], 9 * GIB + GIB // 2, 4242, True)
    assert (fast.in_flight, smart.waiting, remote.idle_s, fast.last_load_s) == (2, 1, 12.3, 34.2)
    assert (broken.last_error, broken.retry_in_s) == (Text(CUDA, CUDA_JA), 8.0)
    assert [each.failed for each in (fast, smart, broken, remote)] == [False, False, True, False]


def test_what_is_not_told_is_left_open() -> None:
    [lone] = read_engines({"engines": [{"last_error": {"text": "oh"}}]})
    assert (lone.name, lone.state, lone.how, lone.memory_bytes, lone.since_s) == ("?", "?", None, None, None)
    assert lone.last_error == Text("oh", "oh")
    assert read_engines({}) == []


def test_what_the_models_share_is_read() -> None:
    gpu, lone = read_gpus({"gpus": [{**GPU, "used_bytes": 0}, {"used_bytes": -1}, 3]})
    assert (gpu.name, gpu.memory_bytes, gpu.used_bytes) == ("gpu0", 23 * GIB, 0)
    assert (lone.name, lone.memory_bytes, lone.used_bytes) == ("?", None, None)


@given(st.dictionaries(st.sampled_from(["engines", "gpus"]), JSON))
def test_anything_may_be_told(values: dict[str, Any]) -> None:
    read_engines(values)
    read_gpus(values)


def test_the_speed_lies_between_two_looks() -> None:
    def made(tokens: int | None, name: str = "fast") -> list[Any]:
        return read_engines({"engines": [{**READY, "name": name, "output_tokens": tokens}]})

    assert tokens_per_s(made(1000), made(1500), 2.0) == {"fast": 250.0}
    assert tokens_per_s(made(1000), made(20), 2.0) == {"fast": 0.0}
    for later in (made(None), made(1500, "other")):
        assert tokens_per_s(made(1000), later, 2.0) == {}
    assert tokens_per_s(made(1000), made(1500), 0.0) == {}
