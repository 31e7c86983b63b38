"""RELIABILITY: two gateways on one data folder keep the same conversations. What one has kept, the other knows at once; what one
has deleted is nowhere; and of calls at both at the same time none takes from the other what its caller saw the end of.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable
from dataclasses import dataclass
from typing import Any

import pytest

from tests.reliability.test_two_gateways import Two, two_gateways
from tests.support.engine_script import Request, Script, until
from tests.support.gateway import KEY
from tests.support.http import Reply, fetch
from tests.support.remembered import line_of
from tests.support.talks import TALKS
from tests.support.tongues import ALL, CHAT, RESPONSES, Told, answered, asked, call, called, said_before
from tests.support.waiting import eventually

pytestmark = pytest.mark.anyio

WAITS, CALLS = "待", "道具"
"""What makes the engine wait before it ends its answer, and call a tool."""


@dataclass
class Both:
    """The two, and the engine behind them."""

    two: Two
    go: asyncio.Event
    answers: int = 0

    @property
    def urls(self) -> tuple[str, str]:
        return self.two.first.url, self.two.second.url

    def answer(self, request: Request) -> Script:
        self.answers += 1
        words = said_before(request)[-1]
        if CALLS in words and request.json["messages"][-1]["role"] == "user":
            return called(request, f"call_{self.answers}", "{}")
        steps = [*answered(request, ["re: ", words, f" {self.answers}"])]
        if WAITS in words:
            steps.insert(6 if request.asks_for_stream else 0, until(self.go))
        return steps

    async def say(self, at: int, words: str | None, path: str = CHAT, **more: Any) -> Told:
        """One call at one of them, which must go well."""
        told = await self.tried(at, words, path, **more)
        assert told.ended, told
        return told

    async def tried(self, at: int, words: str | None, path: str = CHAT, **more: Any) -> Told:
        told = Told()
        await call(self.urls[at], path, asked(path, words, **more), told)
        return told

    async def begun(self, saying: Awaitable[Told]) -> asyncio.Task[Told]:
        """A call whose answer has begun; it does not end before `go`."""
        self.go.clear()
        before = self.two.engine.open
        task = asyncio.ensure_future(saying)
        await eventually(lambda: self.two.engine.open > before or task.done())
        return task

    async def get(self, at: int, path: str, method: str = "GET", body: Any = None) -> Reply:
        return await fetch(self.urls[at], path, body, method=method, key=KEY)

    async def lines(self, conversation: str) -> list[tuple[str, str]]:
        """Who has said what, as both of them tell it."""
        replies = [await self.get(at, f"{TALKS}/{conversation}/items?order=asc&limit=100") for at in (0, 1)]
        first, second = ([line_of(0, item)[1:] for item in each.json["data"]] for each in replies)
        assert first == second
        return first


@pytest.fixture(scope="module")
async def shared_both(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Both]:
    async with two_gateways(tmp_path_factory.mktemp("two") / "data") as two:
        yield Both(two, asyncio.Event())


@pytest.fixture
def both(shared_both: Both) -> Both:
    shared_both.two.engine.script = shared_both.answer
    shared_both.go.set()
    return shared_both


@pytest.mark.parametrize("path", ALL)
async def test_a_conversation_is_gone_on_with_now_here_and_now_there(both: Both, path: str) -> None:
    conversation, said = "new", list[str]()
    for number in range(6):
        told = await both.say(number % 2, f"{number}", path, conversation=conversation, stream=number % 3 > 0)
        conversation = told.conversation
        assert said_before(both.two.engine.requests[-1]) == [*said, f"{number}"]
        said += [f"{number}", told.text]
    assert [words for _, words in await both.lines(conversation)] == said
    again = {"id": conversation, "regenerate": True}
    if path == CHAT:
        told = await both.say(0, None, conversation=again)
        assert [words for _, words in await both.lines(conversation)] == [*said[:-1], told.text]
        await both.say(1, "6", conversation=conversation)
        assert said_before(both.two.engine.requests[-1]) == [*said[:-1], told.text, "6"]


async def test_what_is_changed_at_one_holds_at_the_other(both: Both) -> None:
    conversation = (await both.say(0, "0", conversation="new")).conversation
    await both.say(1, "1", conversation=conversation)
    items = (await both.get(1, f"{TALKS}/{conversation}/items?order=asc")).json["data"]
    for item in items[:2]:
        assert (await both.get(1, f"{TALKS}/{conversation}/items/{item['id']}", "DELETE")).status == 200
    await both.say(0, "2", conversation=conversation)
    assert (await both.lines(conversation))[0] == ("user", "1")
    assert said_before(both.two.engine.requests[-1])[0] == "1"
    added = {"items": [{"type": "message", "role": "user", "content": "3"}]}
    assert (await both.get(0, f"{TALKS}/{conversation}/items", "POST", added)).status == 200
    await both.say(1, "4", conversation=conversation)
    assert said_before(both.two.engine.requests[-1])[-2:] == ["3", "4"]


async def test_what_is_deleted_at_one_is_gone_at_the_other(both: Both) -> None:
    conversation = (await both.say(0, "0", conversation="new")).conversation
    for _ in range(2):  # both know it by now
        await both.say(1, "1", conversation=conversation)
        await both.say(0, "1", conversation=conversation)
    assert (await both.get(0, f"{TALKS}/{conversation}", "DELETE")).status == 200
    for path in ALL:
        told = await both.tried(1, "2", path, conversation=conversation)
        assert (told.status, told.ended) == (404, False)
    assert (await both.get(1, f"{TALKS}/{conversation}")).status == 404


@pytest.mark.parametrize("streams", [False, True])
async def test_what_is_deleted_in_the_middle_of_an_answer_is_told_and_stays_gone(both: Both, streams: bool) -> None:
    conversation = (await both.say(1, "0", conversation="new")).conversation
    saying = await both.begun(both.tried(1, WAITS, conversation=conversation, stream=streams))
    assert (await both.get(0, f"{TALKS}/{conversation}", "DELETE")).status == 200
    both.go.set()
    told = await saying
    assert (told.status, told.ended) == (200 if streams else 404, False)
    assert "conversation_not_found" in told.failure
    assert (await both.get(1, f"{TALKS}/{conversation}")).status == 404


async def test_two_at_once_are_both_kept_whole(both: Both) -> None:
    conversation = (await both.say(0, "0", conversation="new")).conversation
    for number in range(5):
        saying = await both.begun(both.say(0, f"{WAITS}{number}", conversation=conversation, stream=True))
        there = await both.say(1, f"there {number}", conversation=conversation)
        both.go.set()
        here = await saying
        assert (await both.lines(conversation))[-4:] == [
            ("user", f"there {number}"), ("assistant", there.text), ("user", f"{WAITS}{number}"), ("assistant", here.text),
        ]  # fmt: skip


@pytest.mark.parametrize("streams", [False, True])
async def test_an_answer_made_anew_takes_the_place_of_no_other(both: Both, streams: bool) -> None:
    first = await both.say(0, WAITS, conversation="new")
    conversation = first.conversation
    saying = await both.begun(
        both.tried(0, None, conversation={"id": conversation, "regenerate": True}, stream=streams)
    )
    there = await both.say(1, "there", conversation=conversation)
    both.go.set()
    told = await saying
    assert (told.status, told.ended) == (200 if streams else 409, False)
    assert "conversation_locked" in told.failure
    assert await both.lines(conversation) == [
        ("user", WAITS), ("assistant", first.text), ("user", "there"), ("assistant", there.text),
    ]  # fmt: skip


async def test_what_a_tool_returned_is_put_behind_no_other_turn(both: Both) -> None:
    tools = [{"type": "function", "function": {"name": "look", "parameters": {}}}]
    conversation = (await both.say(0, CALLS + WAITS, conversation="new", tools=tools)).conversation
    call_id = f"call_{both.answers}"
    output = {"role": "tool", "tool_call_id": call_id, "content": "晴れ"}
    told = Told()
    body = {"messages": [output], "tools": tools, "conversation": conversation, "stream": True}

    async def answer() -> Told:
        await call(both.urls[0], CHAT, body, told)
        return told

    saying = await both.begun(answer())
    there = await both.say(1, "there", conversation=conversation)
    both.go.set()
    await saying
    assert not told.ended
    assert "conversation_locked" in told.failure
    assert [words for who, words in await both.lines(conversation) if who != "function_call"] == [
        CALLS + WAITS, "there", there.text,
    ]  # fmt: skip


async def test_a_response_is_gone_on_from_now_here_and_now_there(both: Both) -> None:
    previous, said = dict[str, str](), list[str]()
    for number in range(6):
        told = await both.say(number % 2, f"{number}", RESPONSES, stream=number % 3 > 0, **previous)
        assert said_before(both.two.engine.requests[-1]) == [*said, f"{number}"]
        said += [f"{number}", told.text]
        previous = {"previous_response_id": told.response}
    deleted = await both.get(0, f"{RESPONSES}/{told.response}", "DELETE")
    assert deleted.status == 200
    assert (await both.tried(1, "x", RESPONSES, **previous)).status == 404


async def test_going_on_at_both_from_one_response_makes_two_branches(both: Both) -> None:
    first = (await both.say(0, "0", RESPONSES)).response
    previous = {"previous_response_id": first}
    saying = await both.begun(both.say(0, WAITS, RESPONSES, stream=True, **previous))
    there = await both.say(1, "there", RESPONSES, **previous)
    both.go.set()
    here = await saying
    for told, words in ((here, WAITS), (there, "there")):
        for at in (0, 1):
            await both.say(at, "more", RESPONSES, previous_response_id=told.response)
            assert said_before(both.two.engine.requests[-1])[2:] == [words, told.text, "more"]
