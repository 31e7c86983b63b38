"""Single values: what is taken as it is, what is made of it, and that a refusal shows it and says what to write."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from hayate.config.mistakes import Told
from hayate.config.values import (
    currency_name,
    engine_address,
    engine_path,
    gpu_name,
    image_host,
    key_id,
    listed,
    page_origin,
    probe_path,
    shown_size,
)

Reads = Callable[[Any], Any]


@pytest.mark.parametrize(
    ("reads", "written", "meant"),
    [
        (engine_address, "http://gpu:8000/v1/", "http://gpu:8000"),
        (engine_address, 7, 7),
        (listed, "a, b,,c ", ["a", "b", "c"]),
        (listed, ["a,b"], ["a,b"]),
        (image_host, "cdn.example", "cdn.example"),
        (page_origin, "HTTPS://Game.Example", "https://game.example"),
        (page_origin, "*", "*"),
        (probe_path, "/health", "/health"),
        (probe_path, "none", "none"),
        (engine_path, "/v1/models?x=1", "/v1/models?x=1"),
        (shown_size, 24 * 2**30, "24 GiB"),
        (shown_size, 24 * 10**9, "22.35 GiB"),
        (shown_size, 2**20, "1 MiB"),
        (shown_size, 3 * 2**40 // 2, "1.5 TiB"),
        (key_id, "main", "main"),
        (key_id, "6b01ba977411", "6b01ba977411"),
        (currency_name, "¥", "¥"),
        (gpu_name, "host-1.gpu_0", "host-1.gpu_0"),
    ],
)
def test_what_is_meant(reads: Reads, written: object, meant: object) -> None:
    assert reads(written) == meant


@pytest.mark.parametrize(
    ("reads", "written"),
    [
        (image_host, "https://cdn.example/x"),
        (page_origin, "game"),
        (probe_path, "health"),
        (probe_path, "/a b"),
        (engine_path, "none"),
        (engine_path, "health"),
        (key_id, "game"),
        (gpu_name, ""),
        (gpu_name, "gpu 0"),
        (gpu_name, "GPU\n"),
        (gpu_name, "g" * 33),
        (currency_name, ""),
        (currency_name, "US D"),
        (currency_name, "x" * 9),
    ],
)
def test_what_is_refused(reads: Reads, written: str) -> None:
    with pytest.raises(Told) as told:
        reads(written)
    assert repr(written)[1:9] in str(told.value)
