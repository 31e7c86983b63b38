"""What a caller is told of a conversation has been kept: the end of an answer waits for it, and nothing else does."""

from __future__ import annotations

import asyncio
import json
from types import SimpleNamespace
from typing import Any, cast

import pytest

from hayate.downstream.remembering import RememberingClient
from hayate.errors import ContextTooLong, ConversationFull, GatewayError, HistoryUnavailable
from hayate.history.conversations import Conversations
from hayate.history.dialects import CHATS, OF_PATH
from hayate.history.wanted import Wanted
from hayate.relay.call import Call
from hayate.relay.pump import Pump
from hayate.settings import History
from hayate.store.conversations import load
from hayate.store.store import Store
from hayate.telemetry.record import CallRecord
from hayate.upstream_errors import UpstreamBroke
from hayate.wire import sse
from hayate.wire.error_bodies import JSON
from hayate.wire.items import text_of
from hayate.wire.paths import CHAT, MESSAGES, RESPONSES
from hayate.wire.retold_response import Retold
from tests.support.streams import chunk, event, said
from tests.unit.downstream.channel import Channel, Make
from tests.unit.history.conversing import USER, call, engines, wanted

pytestmark = pytest.mark.anyio

TEXTS = [event(said(text)).encode() for text in ("Hel", "lo", "!")]
STOP = event(said(finish="stop")).encode()
WHOLE = b'{"choices":[{"index":0,"message":{"role":"assistant","content":"Hi"},"finish_reason":"stop"}]}\n'


CALL = Call(CHAT, None, {}, record=CallRecord("r", "e", 0.0))


async def opened(_: Call) -> Any:
    return None


class Answering:
    """One call: its client, and a pump that says when the answer has ended."""

    def __init__(self, server: Channel, store: Store, want: Wanted | None = None, retold: Retold | None = None) -> None:
        self.server, self.store = server, store
        self.turn = call(Conversations(store), want or wanted(None))
        self.client = RememberingClient(server.client, self.turn, retold)
        self.pump = SimpleNamespace(finished=False, listening=None, passed=0, complete=False)
        server.body(b"{}")

    async def begin(self, fields: dict[str, Any] | None = None) -> None:
        await self.server.client.body(100)
        self.client.__enter__()
        await self.client.recall(fields or {"messages": [USER], "stream": True}, engines(), 100)
        await self.client.open(opened, CALL)

    async def stream(self, *events: bytes, last: bytes = b"") -> None:
        """Events as a pump would write them, of which the last ends the answer."""
        await self.client.start_stream()
        self.client.attach(cast(Pump, self.pump))
        write = self.client.writer()
        for each in events:
            write(each)
        if last:
            self.pump.finished = True
            write(last)
        self.client.attach(None)

    async def kept(self) -> list[str]:
        found = await self.store.recall(lambda c: load(c, "p", self.turn.id, whole=True))
        return [] if found is None else [text_of(each.body) for each in found.items]


async def test_all_but_the_end_passes_at_once_and_the_end_when_it_is_kept(channel: Make, store: Store) -> None:
    answering = Answering(channel(), store)
    await answering.begin()
    await answering.stream(TEXTS[0], TEXTS[1], last=TEXTS[2] + STOP + sse.DONE)
    await asyncio.sleep(0.01)
    assert answering.server.text.endswith(TEXTS[2] + STOP)
    assert await answering.kept() == []
    await answering.client.end_stream()
    assert answering.server.text.endswith(STOP + sse.DONE)
    assert await answering.kept() == ["question", "Hello!"]
    answering.client.__exit__()
    head = dict(answering.server.sent[0]["headers"])
    assert head[b"x-hayate-conversation"] == answering.turn.id.encode()


async def test_what_follows_the_end_waits_with_it(channel: Make, store: Store) -> None:
    answering = Answering(channel(), store)
    await answering.begin()
    await answering.client.start_stream()
    answering.client.attach(cast(Pump, answering.pump))
    write = answering.client.writer()
    write(TEXTS[0] + STOP)
    answering.pump.finished = True
    write(b"data:[DONE]\n\n: late\n\n")
    write(b": later\n\n")
    await asyncio.sleep(0.01)
    assert answering.server.text.endswith(STOP)
    await answering.client.end_stream()
    assert answering.server.text.endswith(STOP + b"data:[DONE]\n\n: late\n\n: later\n\n")
    answering.client.__exit__()


async def test_a_stream_that_could_not_be_kept_has_no_end(channel: Make, store: Store) -> None:
    answering = Answering(channel(), store)
    await answering.begin()
    await answering.stream(*TEXTS, last=STOP + sse.DONE)
    store.writer.close(5)
    with pytest.raises(HistoryUnavailable):
        await answering.client.end_stream()
    assert sse.DONE not in answering.server.text
    answering.client.__exit__()


async def test_a_stream_that_nobody_can_read_is_told_so(channel: Make, store: Store) -> None:
    want = wanted(None, dialect=OF_PATH[MESSAGES])
    answering = Answering(channel(), store, want)
    await answering.begin()
    await answering.stream(last=event({"type": "message_stop"}, name="message_stop").encode())
    with pytest.raises(UpstreamBroke):
        await answering.client.end_stream()
    answering.client.__exit__()
    assert await answering.kept() == []


async def test_plain_text_passes_unread_and_is_gathered(channel: Make, store: Store) -> None:
    answering = Answering(channel(), store)
    await answering.begin()
    passed: list[bytes] = []
    answering.server.client._stream.raw_writer = lambda: passed.append  # type: ignore[method-assign]
    await answering.client.start_stream()
    answering.client.attach(cast(Pump, answering.pump))
    raw = answering.client.raw_writer()
    assert raw is not None
    assert answering.pump.listening is not None, "what passes unread is heard of"
    for each in TEXTS:
        raw(chunk(each))
    assert passed == [*map(chunk, TEXTS)]
    answering.client.__exit__()
    await store.keep(lambda _: None)
    assert await answering.kept() == ["question", "Hello!"], "cut, and kept as far as it went"


async def test_a_whole_answer_is_told_when_it_is_kept_and_names_its_conversation(channel: Make, store: Store) -> None:
    answering = Answering(channel(), store)
    await answering.begin({"messages": [USER]})
    await answering.client.respond(200, JSON, WHOLE)
    answering.client.__exit__()
    assert json.loads(answering.server.text) == {**json.loads(WHOLE), "conversation": {"id": answering.turn.id}}
    assert await answering.kept() == ["question", "Hi"]


async def test_whole_messages_are_told_as_they_came(channel: Make, store: Store) -> None:
    body = b'{"type":"message","role":"assistant","content":[{"type":"text","text":"Hi"}],"stop_reason":"end_turn"}'
    answering = Answering(channel(), store, wanted(None, dialect=OF_PATH[MESSAGES]))
    await answering.begin({"messages": [USER]})
    await answering.client.start_stream(200, JSON)  # in pieces, as large ones come
    assert answering.client.raw_writer() is None
    write = answering.client.writer()
    write(body[:20])
    write(body[20:])
    assert answering.server.sent == []
    await answering.client.end_stream()
    answering.client.__exit__()
    assert answering.server.text == body
    assert await answering.kept() == ["question", "Hi"]


@pytest.mark.parametrize("body", [b"no json", b"[]", b'{"choices":[{"message":7}]}'])
async def test_a_whole_answer_that_is_none_is_an_error(channel: Make, store: Store, body: bytes) -> None:
    answering = Answering(channel(), store)
    await answering.begin({"messages": [USER]})
    with pytest.raises(UpstreamBroke):
        await answering.client.respond(200, JSON, body)
    answering.client.__exit__()
    assert await answering.kept() == []


async def test_an_answer_too_dense_to_be_read_is_kept_in_its_words(channel: Make, store: Store) -> None:
    odds = {"content": [{"token": "x", "logprob": -1.5, "top_logprobs": [{"token": "y", "logprob": -2.5}] * 20}] * 900}
    answer = {
        "choices": [
            {
                "index": 0,
                "message": {"role": "assistant", "content": 'H "i"'},
                "logprobs": odds,
                "finish_reason": "stop",
            }
        ]
    }
    answering = Answering(channel(), store)
    await answering.begin({"messages": [USER]})
    await answering.client.respond(200, JSON, json.dumps(answer).encode())
    answering.client.__exit__()
    assert json.loads(answering.server.text)["choices"] == answer["choices"]
    assert await answering.kept() == ["question", 'H "i"']


async def test_an_error_before_any_answer_names_no_conversation(channel: Make, store: Store) -> None:
    answering = Answering(channel(), store)

    async def broken(_: Call) -> Any:
        raise ContextTooLong("too long")

    await answering.server.client.body(100)
    with pytest.raises(ContextTooLong), answering.client:  # noqa: PT012  the call as its handler makes it
        await answering.client.recall({"messages": [USER]}, engines(), 9)
        assert answering.server.client.answer_headers
        await answering.client.open(broken, CALL)
    assert answering.server.client.answer_headers == []


def response(kind: str, **more: Any) -> bytes:
    return event({"type": f"response.{kind}", "response": {"id": "theirs", **more}}, name=f"response.{kind}").encode()


PARTS = [{"type": "output_text", "text": "Hi"}]
OUTPUT = [{"type": "message", "id": "msg_1", "role": "assistant", "status": "completed", "content": PARTS}]


def of_response(*, must: bool, keeps: bool = True) -> tuple[Wanted, Retold]:
    ours = "resp_ours" if keeps else None
    want = wanted(None, dialect=OF_PATH[RESPONSES], named=None, response_id=ours, keeps=keeps, state=False, must=must)
    return want, Retold(ours, previous=None, conversation=None)


def told(text: bytes) -> list[dict[str, Any]]:
    return [json.loads(sse.data_of(frame) or b"")["response"] for frame in sse.frames(text)]


@pytest.mark.parametrize("gone", [False, True])
async def test_a_response_that_nobody_asked_to_be_kept_is_told_whatever_becomes_of_it(
    channel: Make, store: Store, gone: bool
) -> None:
    answering = Answering(channel(), store, *of_response(must=False))
    await answering.begin({"input": "question", "stream": True})
    await answering.stream(response("created"), last=response("completed", status="completed", output=OUTPUT))
    if gone:
        store.writer.close(5)
    await answering.client.end_stream()
    answering.client.__exit__()
    created, completed = told(answering.server.text)
    assert (created["id"], created["store"]) == ("resp_ours", True)
    assert (completed["id"], completed["store"]) == ("resp_ours", not gone)


async def test_a_response_that_was_to_be_kept_is_an_error_when_it_is_not(channel: Make, store: Store) -> None:
    answering = Answering(channel(), store, *of_response(must=True))
    await answering.begin({"input": "question"})
    store.writer.close(5)
    with pytest.raises(GatewayError):
        await answering.client.respond(
            200, JSON, json.dumps({"id": "x", "status": "completed", "output": OUTPUT}).encode()
        )
    answering.client.__exit__()


async def test_a_response_that_is_not_kept_waits_for_nothing(channel: Make, store: Store) -> None:
    answering = Answering(channel(), store, *of_response(must=True, keeps=False))
    await answering.begin({"input": "question", "stream": True})
    last = response("completed", status="completed", output=OUTPUT)
    await answering.stream(response("created"), last=last)
    await asyncio.sleep(0.01)
    assert [each["store"] for each in told(answering.server.text)] == [False, False]
    await answering.client.end_stream()
    answering.client.__exit__()
    assert await answering.kept() == []


async def test_a_body_that_is_no_response_passes(channel: Make, store: Store) -> None:
    answering = Answering(channel(), store, *of_response(must=False))
    await answering.begin({"input": "question"})
    await answering.client.respond(200, JSON, b'{"object":"list"}')
    answering.client.__exit__()
    assert answering.server.text == b'{"object":"list"}'


async def test_other_statuses_pass(channel: Make, store: Store) -> None:
    answering = Answering(channel(), store)
    await answering.begin({"messages": [USER]})
    await answering.client.respond(204, [], b"")
    answering.client.__exit__()
    assert await answering.kept() == []


async def test_no_room_is_an_error(channel: Make, store: Store) -> None:
    want = Wanted("p", CHATS, History(max_conversation_bytes=1024), wanted(None).named)
    answering = Answering(channel(), store, want)
    await answering.begin({"messages": [{"role": "user", "content": "x" * 3000}]})
    with pytest.raises(ConversationFull):
        await answering.client.respond(200, JSON, WHOLE)
    answering.client.__exit__()
    assert answering.server.sent == []


async def test_what_readers_without_headers_are_told(channel: Make, store: Store) -> None:
    answering = Answering(channel(), store)
    assert answering.client.told() == {"conversation": answering.turn.id, "turns_omitted": 0}
