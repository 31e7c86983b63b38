"""Pictures are taken out of items and put back."""

from __future__ import annotations

from hayate.wire.images_in_items import put_back, taken_out
from hayate.wire.items import message


def test_what_has_none_stays_as_it_is() -> None:
    item = message("user", "Hello")

    assert taken_out(item) == (item, [])
    assert put_back(item, lambda digest: None) == item
