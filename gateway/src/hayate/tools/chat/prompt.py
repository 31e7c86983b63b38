"""One message typed at a terminal, of one line or several.

The line is edited by GNU readline, which counts wide characters as the terminal does and takes what an input method hands
over; what is pasted with several lines stays one message.
"""

from __future__ import annotations

import contextlib
import locale
import termios
from collections.abc import Callable, Iterator
from typing import Final

QUOTE: Final = '"""'
GOES_ON: Final = "\\"
MORE: Final = "... "


def prepare() -> None:
    """Has lines edited, where the interpreter was built with readline, and read as UTF-8 whatever the locale."""
    if locale.nl_langinfo(locale.CODESET).replace("-", "").lower() != "utf8":
        # Readline would take each byte of a Japanese character for one.
        with contextlib.suppress(locale.Error):
            locale.setlocale(locale.LC_CTYPE, "C.UTF-8")
    with contextlib.suppress(ImportError):
        import readline

        readline.parse_and_bind("set enable-bracketed-paste on")


@contextlib.contextmanager
def quiet_keys(fd: int) -> Iterator[None]:
    """What is typed meanwhile is not shown in the middle of an answer: it stands at the next prompt."""
    try:
        before = termios.tcgetattr(fd)
    except termios.error:
        yield
        return
    quiet = [*before]
    quiet[3] = before[3] & ~termios.ECHO
    try:
        termios.tcsetattr(fd, termios.TCSADRAIN, quiet)
        yield
    finally:
        termios.tcsetattr(fd, termios.TCSADRAIN, before)


def message(ask: Callable[[str], str], prompt: str) -> str:
    """What was typed, without the marks of several lines. `ask` shows a prompt and gives a line. Raises EOFError and
    KeyboardInterrupt as it does.
    """
    line = ask(prompt)
    if line.strip().startswith(QUOTE):
        return _quoted(ask, line.strip()[len(QUOTE) :])
    lines = []
    while line.endswith(GOES_ON):
        lines.append(line[: -len(GOES_ON)])
        line = ask(MORE)
    return "\n".join([*lines, line]).strip()


def _quoted(ask: Callable[[str], str], begun: str) -> str:
    lines = [begun]
    while not lines[-1].rstrip().endswith(QUOTE):
        lines.append(ask(MORE))
    lines[-1] = lines[-1].rstrip()[: -len(QUOTE)]
    return "\n".join(lines).strip()
