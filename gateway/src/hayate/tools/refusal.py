"""Why a command can't go on. What each tool refuses is a small tree of its own under this one."""

from __future__ import annotations

from hayate.language import BilingualError, Text


class Refusal(BilingualError):
    """A command can't go on: its text is all that a person sees, one line that says what to do. Whoever runs the
    command catches this, tells the text and ends with a status; a traceback would mean a mistake of ours.
    """


def out_of_range(option: str, value: object, least: object, most: object) -> Text:
    """What to say of an option's number that is too small or too large; without the stop at the end."""
    return Text(
        f"{option} {value}: from {least} to {most}", f"{option} {value}: {least}から{most}までの値にしてください"
    )
