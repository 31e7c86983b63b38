"""What the Hub's library raises, as ours; and whether another try may mend it."""

from __future__ import annotations

import errno
from types import SimpleNamespace

import httpx2
import pytest
from huggingface_hub.errors import HFValidationError, OfflineModeIsEnabled

from hayate.tools.download import Passing
from hayate.tools.hub_trouble import BadName, HubTrouble, Lost, NotGiven, NotKept, translated


def with_status(status: int) -> OSError:
    error = OSError("refused")
    error.response = SimpleNamespace(status_code=status)  # type: ignore[attr-defined]  # as the library's errors have it
    return error


@pytest.mark.parametrize(
    ("raised", "kind"),
    [
        (HFValidationError("a/.."), BadName),
        (OSError(errno.ENOSPC, "No space left on device"), NotKept),
        (httpx2.ReadTimeout("slow"), Lost),
        (httpx2.RemoteProtocolError("cut"), Lost),
        (ConnectionResetError(errno.ECONNRESET, "reset"), Lost),
        (OfflineModeIsEnabled("offline"), Lost),
        (with_status(503), Lost),
        (with_status(429), Lost),
        (with_status(403), NotGiven),
        (KeyError("siblings"), NotGiven),
    ],
)
def test_each_is_of_its_kind(raised: Exception, kind: type[HubTrouble]) -> None:
    with pytest.raises(HubTrouble) as found, translated():
        raise raised
    assert type(found.value) is kind
    assert isinstance(found.value, Passing) == (kind is Lost)


def test_what_is_no_trouble_of_the_hubs_stays_what_it_is() -> None:
    with pytest.raises(ZeroDivisionError), translated():
        raise ZeroDivisionError
