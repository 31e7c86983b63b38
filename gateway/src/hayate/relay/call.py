"""One call on its way to an engine."""

from __future__ import annotations

from dataclasses import dataclass, field

from hayate.backends.base import Asked
from hayate.telemetry.record import CallRecord
from hayate.wire.http1 import Headers
from hayate.wire.paths import COMPLETIONS


@dataclass(slots=True)
class Call(Asked):
    """What a client asks for, as an adapter is given it, and the record of how it fares."""

    record: CallRecord = field(kw_only=True)
    answer_headers: Headers | None = field(default=None, kw_only=True)
    """What the head of the answer says beside what the engine says, if anybody is to be told what an adapter leaves out."""

    @property
    def takes_additions(self) -> bool:
        """Whether an adapter may have added to the fields what the caller has not sent: if that is refused, the call is not."""
        return self.path in COMPLETIONS and not self.fields.get("stream_options")
