"""A message of one line or of several."""

from __future__ import annotations

import os
import pty
import termios
from collections.abc import Callable

import pytest

from hayate.tools.chat.prompt import message, quiet_keys


def typing(*lines: str) -> Callable[[str], str]:
    left = list(lines)

    def ask(prompt: str) -> str:
        assert prompt in (">>> ", "... ")
        if not left:
            raise EOFError
        return left.pop(0)

    return ask


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        (["hello"], "hello"),
        (["  "], ""),
        (["one \\", "two\\", "three"], "one \ntwo\nthree"),
        (['"""', "一行目", "", '二行目"""'], "一行目\n\n二行目"),
        (['"""one', '"""'], "one"),
        (['"""one"""'], "one"),
        (['""""""'], ""),
        (["pasted\nlines"], "pasted\nlines"),
        (['say """ once'], 'say """ once'),
    ],
)
def test_what_was_typed_is_one_message(lines: list[str], said: str) -> None:
    assert message(typing(*lines), ">>> ") == said


@pytest.mark.parametrize("lines", [[], ["a\\"], ['"""', "a"]])
def test_the_end_of_input_is_the_end(lines: list[str]) -> None:
    with pytest.raises(EOFError):
        message(typing(*lines), ">>> ")


def test_keys_are_not_shown_while_an_answer_comes_and_are_afterwards() -> None:
    ours, theirs = pty.openpty()

    def shows() -> bool:
        return bool(termios.tcgetattr(theirs)[3] & termios.ECHO)

    assert shows()
    with quiet_keys(theirs):
        assert not shows()
    assert shows()
    with pytest.raises(KeyboardInterrupt), quiet_keys(theirs):
        raise KeyboardInterrupt
    assert shows()
    os.close(ours)
    os.close(theirs)


def test_where_there_is_no_terminal_there_is_nothing_to_hush() -> None:
    reader, writer = os.pipe()
    with quiet_keys(reader):
        pass
    os.close(reader)
    os.close(writer)
