"""What a call wants of the history, and where it goes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from hayate.fleet.deployment import Deployment
from hayate.history.dialects import Dialect
from hayate.history.fitting_calls import Fields
from hayate.policy.estimates import Estimates
from hayate.settings import History
from hayate.store.spare import SPARE_S
from hayate.wire.conversation_field import Named


@dataclass(slots=True)
class Wanted:
    """As its fields and headers say it."""

    project: str
    dialect: Dialect
    limits: History
    named: Named | None = None
    """The conversation that it names."""
    previous: str | None = None
    """The response that it goes on from."""
    keeps: bool = True
    """Whether anything is kept of it."""
    response_id: str | None = None
    """What its response is called, if that can be asked for later."""
    truncates: bool = True
    """Whether turns may be left out."""
    state: bool = True
    """Whether the call names something that goes along. One that does not is sent as it came."""
    must: bool = True
    """False: nobody has asked for it to be kept. If it can't be, the caller gets the answer all the same."""

    @property
    def within_s(self) -> float | None:
        """How long the caller may wait until it is kept, in seconds; None: as long as anybody does."""
        return None if self.must else SPARE_S


@dataclass(slots=True)
class Engines:
    """Where a call goes: what its prompt must fit, and what is known of sizes there."""

    deployment: Deployment
    estimates: Estimates
    model: str | None
    adds: Callable[[Fields], None]
    """What comes into a request at last."""
