"""What keys say of how their calls wait."""

from __future__ import annotations

from hayate.policy.waits import PLAIN, Waits, plain_waits


def test_keys_that_say_nothing_share_one_value() -> None:
    assert plain_waits(1, None) is PLAIN
    assert plain_waits(5, 1500) is plain_waits(5, 1500)
    assert plain_waits(5, 1500) == Waits(5, deadline_s=1.5)
