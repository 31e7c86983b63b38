"""Figures are found by their whole names, whatever stands around them, and nothing that is said there costs much."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from hayate.wire.gauges import MOST_LINES, samples
from tests.support.tables import table

VLLM = b"""# HELP vllm:num_requests_waiting Number of requests waiting to be processed.
# TYPE vllm:num_requests_waiting gauge
vllm:num_requests_waiting{engine="0",model_name="tiny-qwen2"} 3.0
vllm:num_requests_waiting{engine="1",model_name="a} 9"} 4.0
# TYPE vllm:num_requests_waiting_by_reason gauge
vllm:num_requests_waiting_by_reason{engine="0",reason="capacity"} 99.0
vllm:kv_cache_usage_perc{engine="0"} 0.25
llamacpp:requests_deferred 2
"""


def test_a_figure_is_found_by_its_whole_name_with_any_labels() -> None:
    assert samples(VLLM, b"vllm:num_requests_waiting") == [3.0, 4.0]
    assert samples(VLLM, b"vllm:kv_cache_usage_perc") == [0.25]
    assert samples(VLLM, b"llamacpp:requests_deferred") == [2.0]
    assert samples(VLLM, b"num_requests_waiting") == []


@table(
    ("text", "found"),
    [
        (b"", []),
        (b"g", []),
        (b"g ", []),
        (b"g 1", [1.0]),
        (b'g 1e1 1700000000000\ng{a="b"} 2', [10.0, 2.0]),
        (b"g NaN\ng +Inf\ng -1\ng many\ng{} 0", [0.0]),
        (b"g" + b" 9" * 40, [9.0]),
        (b"g " + b"9" * 999, []),
        (b"xg 1\n g 2\ngg 3\ng\t4", []),
    ],
)
def test_what_is_no_figure_is_none(text: bytes, found: list[float]) -> None:
    assert samples(text, b"g") == found


def test_there_is_an_end_to_them() -> None:
    assert len(samples(b"g 1\n" * 100_000, b"g")) == MOST_LINES
    assert samples(b"g" * 1_000_000, b"g") == []
    assert samples(b"\ngg" * 300_000, b"g") == []
    assert samples(b'g{a="' + b"x" * 1_000_000 + b'"} 1\ng 2', b"g") == [2.0]


@given(st.binary(max_size=200))
def test_any_bytes_are_read(text: bytes) -> None:
    assert all(each >= 0 for each in samples(text, b"g"))
    assert samples(text + b"\ng 7", b"g")[-1] == 7.0
