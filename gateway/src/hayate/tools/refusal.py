"""Why a command can't go on. What each tool refuses is a small tree of its own under this one."""

from __future__ import annotations

from hayate.language import BilingualError


class Refusal(BilingualError):
    """A command can't go on: its text is all that a person sees, one line that says what to do. Whoever runs the command catches
    this, tells the text and ends with a status; a traceback would mean a mistake of ours.
    """
