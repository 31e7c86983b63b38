"""The door of a deployment whose model comes and goes: who need not wait, and what those are told that do."""

from __future__ import annotations

from time import monotonic

import pytest

from hayate.engines.base import LoadFailed
from hayate.errors import Overloaded
from hayate.fleet.door import LATER_S, Door
from hayate.reasons import Reason

OUT_OF_MEMORY = LoadFailed("smart needs more.", "smartには足りません。", Reason.OUT_OF_MEMORY)


def door() -> Door:
    return Door("smart", 600.0, lambda: None)


def test_calls_wait_outside_unless_it_is_known_to_be_in_vain() -> None:
    shut = door()
    shut.check(10.0)
    shut.barred, shut.retry_at = OUT_OF_MEMORY, 40.0
    with pytest.raises(Overloaded) as refused:
        shut.check(10.0)
    assert refused.value.retry_after_s == 30.0
    assert "smart can't be used at the moment: its engine is out of memory" in refused.value.english
    assert "エンジンのメモリーが不足しています" in refused.value.japanese
    shut.check(40.0)  # it is tried again as soon as somebody asks


def test_who_is_told_of_a_failure_afterwards_may_ask_again_soon() -> None:
    shut = door()
    shut.barred, shut.retry_at = OUT_OF_MEMORY, 40.0
    assert shut.refusal(39.9).retry_after_s == 1.0
    assert shut.refusal(50.0).retry_after_s == LATER_S


def test_who_asks_for_what_never_fits_is_told_no_time() -> None:
    shut = door()
    shut.barred = LoadFailed("smart is large.", "smartは大きすぎます。", Reason.TOO_LARGE)
    refused = shut.refusal(10.0)
    assert refused.retry_after_s is None
    assert refused.english == "smart can't be used: it does not fit into memory. Tell whoever runs this gateway."


def test_a_stream_is_told_what_it_waits_for() -> None:
    shut = door()
    assert shut.comment() == b": waiting model=smart\n"
    shut.last_load_s = 12.34
    assert shut.comment() == b": waiting model=smart last_load_s=12.3\n"
    shut.loading_since = monotonic() - 3.0
    assert shut.comment().startswith(b": loading model=smart for_s=3.")
    shut.loaded = True
    assert shut.comment() == b""
