"""Work on a long body with pauses, in which the event loop goes on with what waits.

A request of ten megabytes takes a tenth of a second to parse and nearly as long to look through and write anew: a pause
stands between them.
"""

from __future__ import annotations

import asyncio
from typing import Final

LONG_BODY_BYTES: Final = 256 * 1024
"""A body is long from here on."""
_PAUSE_S: Final = 0.001
"""A moment, not zero: in one turn of the loop each of the others has one step, and a call has several to go."""


async def others_first() -> None:
    """Between two steps of work on a long body: everybody else's turn."""
    await asyncio.sleep(_PAUSE_S)
