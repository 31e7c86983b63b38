"""An answer that came compressed is expanded as it arrives, within bounds, whatever its bytes."""

from __future__ import annotations

import contextlib
import gzip
import zlib
from collections.abc import Callable
from functools import partial

import brotli
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hayate.upstream_errors import UpstreamBroke
from hayate.wire.expand import MAX_AT_ONCE_BYTES, Expander
from tests.support.compress import flushed_zstd
from tests.support.tables import table

PLAIN = b'data: {"n":1}\n\n' * 500
PACKED: dict[str, Callable[[bytes], bytes]] = {
    "gzip": gzip.compress,
    "x-gzip": gzip.compress,
    "GZIP": gzip.compress,
    "deflate": zlib.compress,
    "br": brotli.compress,
    "zstd": flushed_zstd,
}
QUICKLY = {"br": partial(brotli.compress, quality=1)}
"""For what is large."""


def expander(coding: str) -> Expander:
    found = Expander.of(coding.encode())
    assert found is not None
    return found


@pytest.mark.parametrize("coding", PACKED)
@given(st.integers(1, 200))
def test_content_does_not_depend_on_how_it_arrives(coding: str, size: int) -> None:
    raw, one = PACKED[coding](PLAIN), expander(coding)
    pieces = [raw[at : at + size] for at in range(0, len(raw), size)]
    out = b"".join(one.feed(piece, last=n == len(pieces)) for n, piece in enumerate(pieces, 1))
    assert out == PLAIN
    assert one.complete


@pytest.mark.parametrize("coding", [b"", b" identity "])
def test_nothing_to_expand(coding: bytes) -> None:
    assert Expander.of(coding) is None


@pytest.mark.parametrize("coding", [b"compress", b"gzip, br", b"\x1b[31m", b"x" * 999])
def test_a_coding_nobody_knows_is_named(coding: bytes) -> None:
    with pytest.raises(UpstreamBroke) as told:
        Expander.of(coding)
    assert told.value.english.isprintable()
    assert len(told.value.english) < 300


@table("coding", PACKED)
def test_an_end_too_early_is_an_error(coding: str) -> None:
    one = expander(coding)
    with pytest.raises(UpstreamBroke, match="end is missing"):
        one.feed(PACKED[coding](PLAIN)[:-5], last=True)


@pytest.mark.parametrize("coding", ["gzip", "deflate", "br", "zstd"])
def test_what_expands_out_of_all_proportion_is_given_up(coding: str) -> None:
    one = expander(coding)
    with pytest.raises(UpstreamBroke, match="far too much"):
        one.feed(QUICKLY.get(coding, PACKED[coding])(bytes(8 * MAX_AT_ONCE_BYTES)), last=True)


@pytest.mark.parametrize("coding", ["gzip", "deflate", "br", "zstd"])
@given(st.binary(min_size=1, max_size=300))
def test_garbage_is_an_error_or_content(coding: str, garbage: bytes) -> None:
    with contextlib.suppress(UpstreamBroke):
        assert len(expander(coding).feed(garbage, last=True)) <= MAX_AT_ONCE_BYTES


@table("coding", PACKED)
def test_an_answer_without_a_body_is_whole(coding: str) -> None:
    one = expander(coding)
    assert one.feed(b"", last=True) == b""
    assert one.complete
