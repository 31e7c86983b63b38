"""Those who talk in conversations for as long as they can, now in one dialect and now in another, and know afterwards what may be
kept of it; and the engine that answers them.
"""

from __future__ import annotations

import itertools
import random
import re
from collections import Counter
from dataclasses import dataclass, field
from typing import Any, Final

from tests.support.engine_script import Request, Script, cut
from tests.support.gateway import KEY
from tests.support.http import fetch
from tests.support.talk_states import Attempt, State, Talk, agrees_with_words
from tests.support.talks import TALKS
from tests.support.tongues import ALL, CHAT, GENERATE, RESPONSES, Told, answered, asked, call, called, said_before

TOOLS: Final = [{"type": "function", "function": {"name": "look", "parameters": {}}}]
CALLS, BREAKS = "道具", "故障"
"""What makes the engine call a tool, and break off."""
ENDED: Final = "told the end"
"""Of calls that are counted."""
_WORD: Final = re.compile(r"[qo](\d\d)x\d{6}")
_MADE: Final = re.compile(r"a\d{6}")


@dataclass
class Heard:
    """What the engine was told last by one of them, and was to answer."""

    words: list[str]
    who: str
    answer: str


class Listener:
    """The engine. No answer is like another; talkers are known by their words."""

    def __init__(self) -> None:
        self.heard: dict[int, Heard] = {}
        self._count = itertools.count()

    def __call__(self, request: Request) -> Script:
        words = said_before(request)
        *_, last = _WORD.finditer(request.body.decode())
        word = f"a{next(self._count):06d}"
        is_asked = request.path == CHAT and request.json["messages"][-1]["role"] == "user"
        if CALLS in words[-1] and is_asked:
            arguments = f'{{"at": "{word}"}}'
            self.heard[int(last[1])] = Heard(words, "function_call", f"look\n{arguments}")
            return called(request, f"call_{word}", arguments)
        some = random.choices(["はい、", "そう", "です", "\n", "。", "☃"], k=random.randint(1, 8))
        pieces = [f"{word} ", *some, "終"]
        self.heard[int(last[1])] = Heard(words, "assistant", "".join(pieces))
        breaks = [cut] if BREAKS in words[-1] and request.asks_for_stream else None
        return answered(request, pieces, random.choice([0, 0.0005, 0.003]), breaks)


@dataclass
class Talker:
    """One of them. `by_response`: goes on from response to response, in no conversation that anybody sees."""

    number: int
    by_response: bool
    seen: Counter[str]
    talks: list[Talk] = field(default_factory=list)
    """Of which not all is known. In the last one is talked; a chain of responses has its last one's id."""
    words: list[tuple[str, Talk]] = field(default_factory=list)
    """What was said, and where: it will be looked for."""
    _count: int = 0

    async def talk(self, url: str, listener: Listener) -> None:
        """Without end."""
        while True:
            if not self.talks or random.random() < 0.12:
                self.talks.append(Talk())
            talk = self.talks[-1]
            if talk.id and not self.by_response and random.random() < 0.04:
                await self._delete(url, talk)
            elif self.by_response:
                await self._respond(url, listener, talk)
            else:
                await self._converse(url, listener, talk)

    async def _delete(self, url: str, talk: Talk) -> None:
        self.talks.append(Talk())
        talk.asked_gone = True
        reply = await fetch(url, f"{TALKS}/{talk.id}", method="DELETE", key=KEY)
        assert reply.status == 200, reply.text
        talk.told_gone = True

    async def _respond(self, url: str, listener: Listener, talk: Talk) -> None:
        more = {"previous_response_id": talk.id} if talk.id else {}
        body = asked(RESPONSES, self._word("q"), stream=random.random() < 0.7, **more)
        before, told, said = talk.known, Told(), (("user", body["input"]),)
        try:
            await self._call(url, listener, talk, (RESPONSES, body, told), Attempt(said))
        finally:
            if told.ended:
                talk.id = told.response
            else:
                talk.states = {before or ()}  # what has not become a response is not gone on from

    async def _converse(self, url: str, listener: Listener, talk: Talk) -> None:
        path, state, named = random.choice(ALL), talk.known, talk.id or "new"
        more: dict[str, Any] = {"conversation": named, "stream": random.random() < 0.7}
        is_call = bool(state) and state is not None and state[-1][1] == "function_call"
        if is_call and state is not None and random.random() < 0.8:
            word, call_id = self._word("o"), f"call_{_MADE.findall(state[-1][2])[0]}"
            body = {"messages": [{"role": "tool", "tool_call_id": call_id, "content": word}], "tools": TOOLS, **more}
            path, attempt = CHAT, Attempt((("function_call_output", word),), goes_on=True)
        elif state and path != GENERATE and random.random() < 0.15:
            body = asked(path, None, **{**more, "conversation": {"id": named, "regenerate": True}})
            attempt = Attempt()
        else:
            chance = random.random()
            word = self._word("q") + (CALLS if chance < 0.1 and path == CHAT else BREAKS if chance > 0.92 else "")
            body = asked(path, word, **more, **({"tools": TOOLS} if path == CHAT else {}))
            attempt = Attempt((("user", word),))
        told = Told()
        try:
            await self._call(url, listener, talk, (path, body, told), attempt)
        finally:
            talk.id = talk.id or told.conversation

    async def _call(
        self, url: str, listener: Listener, talk: Talk, made: tuple[str, dict[str, Any], Told], attempt: Attempt
    ) -> None:
        path, body, told = made
        listener.heard.pop(self.number, None)
        leaves_after = random.randint(1, 4) if random.random() < 0.06 else 0
        try:
            await call(url, path, body, told, leaves_after=leaves_after)
            assert told.status == 200 or BREAKS in str(body), f"{told.status} of {path}"
        finally:
            self._saw(talk, attempt, told, listener.heard.get(self.number))

    def _saw(self, talk: Talk, attempt: Attempt, told: Told, heard: Heard | None) -> None:
        """How a call ended: what may be kept of it, and that the engine was told what is kept."""
        self.seen[ENDED if told.ended else "not told the end"] += 1
        self.words += [(word, talk) for _, words in attempt.said for word in [_plain(words)]]
        if heard is None:
            assert not told.ended
            talk.tried(Attempt(attempt.said, attempt.goes_on, may_end=False))
            return

        def is_so(state: State) -> State | None:
            return agrees_with_words(state, attempt.prompt(state), heard.words)

        assert talk.saw(is_so), f"none of {talk.states} went along, but {heard.words}"
        self.words.append((_MADE.findall(heard.answer)[0], talk))
        if told.ended and heard.who == "assistant":
            assert told.text == heard.answer
        broke = BREAKS in heard.words[-1] and not told.ended and told.failure != ""
        answer = (heard.who, heard.answer)
        talk.tried(Attempt(attempt.said, attempt.goes_on, answer, ended=told.ended, may_end=not broke))

    def _word(self, begins: str) -> str:
        self._count += 1
        return f"{begins}{self.number:02d}x{self._count:06d}"


def _plain(words: str) -> str:
    return words.removesuffix(CALLS).removesuffix(BREAKS)
