"""Why a command can't go on. What each tool refuses is a small tree of its own under this one."""

from __future__ import annotations

from hayate.language import BilingualError, Text, reason_of


class Refusal(BilingualError):
    """A command can't go on: its text is all that a person sees, one line that says what to do. Whoever runs the
    command catches this, tells the text and ends with a status; a traceback would mean a mistake of ours.
    """


def out_of_range(option: str, value: object, least: object, most: object) -> Text:
    """What to say of an option's number that is too small or too large; without the stop at the end."""
    return Text(
        f"{option} {value}: from {least} to {most}", f"{option} {value}: {least}から{most}までの値にしてください"
    )


def unreadable(path: object, error: OSError | UnicodeDecodeError) -> Text:
    """What to say of a file that can't be read, and why."""
    if isinstance(error, UnicodeDecodeError):
        return Text(
            f"{path}: is not in UTF-8; save the file as UTF-8", f"{path}: UTF-8ではありません。UTF-8で保存してください"
        )
    why = reason_of(error)
    return Text(f"{path}: can't be read ({why.en})", f"{path}: 読み取れません（{why.ja}）")
