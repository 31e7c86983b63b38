"""What is shown of an answer, on a terminal and where there is none."""

from __future__ import annotations

import contextlib
import io
import re
from collections.abc import Iterator

from hayate.language import Text
from hayate.terminal import Paint
from hayate.tools.chat.call import Begun
from hayate.tools.chat.events import Queues, Said, Waits
from hayate.tools.chat.screen import CLEAR, Screen, Telling


class Captured(io.StringIO):
    def fileno(self) -> int:
        return -1


@contextlib.contextmanager
def written() -> Iterator[tuple[Captured, Captured]]:
    """What comes on standard output and on standard error."""
    out, err = Captured(), Captured()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        yield out, err


def live(on: bool = True) -> Screen:
    return Screen("en", True, Paint(on))


def test_what_is_waited_for_gives_way_to_the_answer() -> None:
    with written() as (out, _):
        telling = Telling(live(False))
        for event in (Waits("smart", 1, None), Waits("smart", 2, None), Begun("conv_1", ""), Said("Hel"), Said("lo")):
            telling.take(event)
        telling.end()
        assert out.getvalue().startswith(
            f"{CLEAR}smart is being loaded: 1 s{CLEAR}smart is being loaded: 2 s{CLEAR}Hello\n"
        )
        assert re.fullmatch(r"\d\.\d s\n", out.getvalue().rpartition("Hello\n")[2])


def test_thoughts_are_dim_and_the_answer_begins_below_them() -> None:
    with written() as (out, _):
        telling = Telling(live())
        for event in (Said("", "Hm"), Said("", "m"), Said("Yes."), Said("", tokens=4)):
            telling.take(event)
        assert out.getvalue() == "\x1b[2mHmm\x1b[0m\nYes."
        assert (telling.text, telling.thought, telling.tokens) == ("Yes.", "Hmm", 4)
        telling.broke_off()
        assert out.getvalue().endswith("Yes.\n")


def test_an_answer_that_broke_off_in_its_thoughts_leaves_no_colour() -> None:
    with written() as (out, _):
        telling = Telling(live())
        telling.take(Said("", "Hm\x1b[2J"))
        telling.broke_off()
        assert out.getvalue() == "\x1b[2mHm\\x1b[2J\x1b[0m\n"


def test_turns_that_were_left_out_are_told() -> None:
    with written() as (out, _):
        Telling(live(False)).take(Begun("conv_1", "12"))
        assert out.getvalue().startswith("12 older turns")


def test_without_a_terminal_there_is_the_answer_alone() -> None:
    with written() as (out, err):
        telling = Telling(Screen("ja", False, Paint()))
        for event in (Queues(2, None), Queues(1, None), Said("", "Hm"), Said("はい"), Said("", finish="length")):
            telling.take(event)
        telling.end()
        assert out.getvalue() == "はい\n"
        assert err.getvalue() == "順番待ち: 2番目\n"
        telling.screen.say(Text("a", "b"))
        assert err.getvalue().endswith("b\n")


def test_a_silent_one_writes_nothing() -> None:
    with written() as (out, _):
        telling = Telling(Screen("en", False, Paint()), silent=True)
        telling.take(Said("Hello"))
        telling.end()
        telling.broke_off()
        assert (out.getvalue(), telling.text) == ("", "Hello")
