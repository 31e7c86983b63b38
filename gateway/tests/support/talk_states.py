"""What a conversation may be, after calls of which nobody knows whether they were kept: each call leads from every state that was
possible to those that are possible then, and what is seen of the conversation leaves those that agree.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final

from tests.support.remembered import Line

State = tuple[Line, ...]
"""What is kept of a conversation. What is incomplete ends in an ellipsis, as in `Line`; where its length is not known, in two."""
CUT: Final = "…"
UNKNOWN: Final = "……"


@dataclass(frozen=True)
class Attempt:
    """One call, as who made it saw it."""

    said: tuple[tuple[str, str], ...] = ()
    """Who, and the words: of a question, or of what a tool returned; nothing where the last answer was to be made anew."""
    goes_on: bool = False
    """It belongs to the last turn."""
    answer: tuple[str, str] = ("assistant", "")
    """Who, and the words: all that the engine was to say."""
    ended: bool = False
    """Whether the client was told that this was all."""
    may_end: bool = True
    """Whether there was an end at all that could have been kept."""

    def outcomes(self, before: State) -> Iterable[State]:
        """What may have become of the conversation."""
        who, words = self.answer
        whole = (*self._stem(before), (self._turn(before), who, words))
        if self.ended:
            yield whole
            return
        yield before
        if self.may_end:
            yield whole
        if who == "assistant":
            yield (*self._stem(before), (self._turn(before), who, words + UNKNOWN))

    def prompt(self, before: State) -> State:
        """What goes along with the call."""
        return self._stem(before)

    def _turn(self, before: State) -> int:
        last = before[-1][0] if before else 0
        return last if self.goes_on or not self.said else last + 1

    def _stem(self, before: State) -> State:
        if not self.said:
            return without_answer(before)
        return (*before, *((self._turn(before), who, words) for who, words in self.said))


def without_answer(state: State) -> State:
    """Without what an engine said last."""
    end = len(state)
    while end and state[end - 1][1] in ("assistant", "function_call"):
        end -= 1
    return state[:end]


@dataclass
class Talk:
    """A conversation, as far as anybody can know."""

    id: str = ""
    """Empty as long as nobody was told."""
    first: str = ""
    """The words that it began with."""
    states: set[State] = field(default_factory=lambda: {()})
    asked_gone: bool = False
    """Whether somebody asked for it to be deleted."""
    told_gone: bool = False
    """Whether that was told to be done."""

    def tried(self, attempt: Attempt) -> None:
        """After one more call."""
        self.first = self.first or attempt.said[0][1]
        self.states = {after for before in self.states for after in attempt.outcomes(before)}

    def saw(self, is_so: Callable[[State], State | None]) -> bool:
        """Leaves the states that `is_so` finds to agree with what was seen, as it finds them; whether there are any."""
        self.states = {found for each in self.states if (found := is_so(each)) is not None}
        return bool(self.states)

    @property
    def known(self) -> State | None:
        """What it is, where that is known."""
        return next(iter(self.states)) if len(self.states) == 1 else None


def agrees(state: State, seen: Sequence[Line]) -> State | None:
    """The state as it was seen, None where it is another one."""
    if len(state) != len(seen):
        return None
    found = tuple(_agree(one, other) for one, other in zip(state, seen, strict=True))
    return None if None in found else tuple(each for each in found if each is not None)


def _agree(line: Line, seen: Line) -> Line | None:
    (turn, who, words), (seen_turn, seen_who, seen_words) = line, seen
    if (turn, who) != (seen_turn, seen_who):
        return None
    if not words.endswith(UNKNOWN):
        return seen if words == seen_words else None
    said = seen_words.removesuffix(CUT)
    is_part = seen_words.endswith(CUT) and said and words.removesuffix(UNKNOWN).startswith(said)
    return seen if is_part else None


def spoken(state: State) -> list[Line]:
    """What of it an engine is told as words: the questions and the answers, whole or not."""
    return [(turn, who, words) for turn, who, words in state if who in ("user", "assistant")]


def agrees_with_words(state: State, prompt: State, words: Sequence[str]) -> State | None:
    """The state, where `prompt`, which begins with it or with all of it but the last answer, is what an engine was told."""
    told = spoken(prompt)
    if len(told) != len(words):
        return None
    known = dict[Line, Line]()
    for line, said in zip(told, words, strict=True):
        is_cut = line[2].endswith(CUT)
        found = _agree(line, (line[0], line[1], said + CUT if is_cut else said))
        if found is None:
            return None
        known[line] = found
    return tuple(known.get(each, each) for each in state)
