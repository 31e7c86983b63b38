"""Fast path equals slow path: what becomes of a stream depends on its bytes, never on how packets cut them.

HAYATE_SPLITS and HAYATE_SPLITS_SEED set how many random splits are tried, a fifth of them in a quick run, and which.
"""

from __future__ import annotations

import asyncio
import os

import pytest

from tests.support.quick import slow
from tests.support.splits import Relay, chunk_ends, cut, try_splits
from tests.support.streams import STREAMS

COUNT = int(os.environ.get("HAYATE_SPLITS", "20000"))
SEED = int(os.environ.get("HAYATE_SPLITS_SEED", "34"))


@pytest.mark.parametrize("count", [COUNT // 20, *slow(COUNT)])
def test_no_split_changes_a_byte_a_count_or_an_ending(count: int) -> None:
    wrong, framed = asyncio.run(try_splits(count, SEED))
    assert not wrong, f"seed {SEED}: " + "\n".join(wrong)
    assert framed > count / 4, "the short way was hardly taken"


@pytest.mark.parametrize("name", ["plain", "index null", "vllm/chat_stream_usage", "llamacpp/chat_stream_usage"])
def test_as_an_engine_writes_it_most_of_a_stream_takes_the_short_way(name: str) -> None:
    async def framed() -> int:
        relay = Relay()
        await relay.stream(STREAMS[name], cut(STREAMS[name].http, chunk_ends(STREAMS[name].http)))
        return relay.framed

    texts = STREAMS[name].http.count(b'"content":"') - STREAMS[name].http.count(b'"content":""')
    assert asyncio.run(framed()) >= texts - 2
