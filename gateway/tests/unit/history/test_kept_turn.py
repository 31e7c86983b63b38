"""What a call adds to a conversation."""

from __future__ import annotations

from typing import Any

import pytest

from hayate.history.along import along
from hayate.history.dialects import CHATS, OF_PATH, Said
from hayate.history.kept_turn import Answered, keeping, new_turn
from hayate.policy.fitting import Fit
from hayate.settings import History
from hayate.store.conversations import load
from hayate.store.store import Store
from hayate.store.turns import Turn
from hayate.wire.items import message, text_of
from hayate.wire.paths import RESPONSES
from hayate.wire.usage import Usage
from tests.unit.history.conversing import chat, wanted
from tests.unit.history.test_along import cached, turn_of

NEW = message("user", "new")


def turn_after(want: Any, answer: dict[str, Any], cache: Any = None, **more: Any) -> Turn:
    regenerates = want.named is not None and want.named.regenerates
    said = Said(None, [] if regenerates else [NEW])
    goes = along(want.dialect, {}, said, cache, regenerates=regenerates, adds=lambda _: None)
    usage = Usage(10, 5)
    usage.exact = True
    answered = Answered(answer, more.get("size", 9), usage, more.get("cut", False), more.get("ended", True))
    return new_turn(want, goes, answered, more.get("fit"), "conv_1")


def test_the_turn_of_a_new_conversation() -> None:
    turn = turn_after(wanted(None), chat("hi"))
    assert (turn.project, turn.conversation, turn.new_id, turn.listed) == ("p", None, "conv_1", True)
    assert (turn.items, [text_of(each) for each in turn.answer]) == ([NEW], ["hi"])
    assert (turn.tokens, turn.first_turn, turn.window, turn.response) == (15, None, None, None)


def test_the_turn_of_one_that_is_there() -> None:
    turn = turn_after(wanted("conv_1"), chat("hi"), cached(turn_of(1)), fit=Fit(3, 2, window=4096))
    assert (turn.conversation, turn.new_id, turn.goes_on, turn.replaces_answer) == ("conv_1", None, False, False)
    assert (turn.first_turn, turn.window) == (3, 4096)
    anew = turn_after(wanted("conv_1", regenerates=True), chat("hi"), cached(turn_of(1)))
    assert (anew.items, anew.goes_on, anew.replaces_answer) == ([], False, True)


def test_a_cut_answer_says_so_and_its_tokens_are_not_known() -> None:
    turn = turn_after(wanted(None), chat("hi", None), cut=True, ended=False)
    assert (turn.tokens, turn.answer[0]["status"]) == (None, "incomplete")
    turn = turn_after(wanted(None), chat("hi", "length"), cut=True)
    assert (turn.tokens, turn.answer[0]["status"]) == (15, "incomplete"), "its limit was its end"


def test_no_more_is_kept_than_an_item_may_have() -> None:
    want = wanted(None, limits=History(max_item_bytes=1024))
    assert len(text_of(turn_after(want, chat("x" * 3000), size=3100).answer[0])) == 1024


def test_a_response_is_kept_without_what_its_items_say() -> None:
    want = wanted(None, dialect=OF_PATH[RESPONSES], named=None, previous="resp_0", response_id="resp_1")
    output = [{"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "hi"}]}]
    turn = turn_after(want, {"id": "x", "status": "completed", "output": output, "model": "m"})
    assert turn.response is not None
    assert (turn.response.id, turn.response.previous) == ("resp_1", "resp_0")
    assert turn.response.body == {"status": "completed", "model": "m"}
    assert not turn.listed


@pytest.mark.anyio
async def test_it_is_kept_in_one_step(store: Store) -> None:
    kept = await store.keep(keeping(turn_after(wanted(None), chat("hi")), None))
    found = await store.recall(lambda connection: load(connection, "p", kept.conversation.id))
    assert found is not None
    assert [text_of(each.body) for each in found.items] == ["new", "hi"]
    assert CHATS.path == "/v1/chat/completions"
