"""What a key says of its calls is in what the engine gets, in every dialect; leave for what a call may use comes before it goes."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from hayate.access.principals import Principal
from hayate.access.terms import FREE, Defaults, Terms
from hayate.api.leave import MEDIA_TOKENS, TEMPLATE_TOKENS, admit, check_right, fill, model_of_form
from hayate.downstream.client import Client
from hayate.errors import InvalidRequest, RateLimited, UnknownModel
from hayate.relay.ticker import Ticker
from hayate.settings import Keeping, RateLimits
from hayate.store.store import Store
from hayate.wire.http1 import header
from hayate.wire.paths import CHAT, COUNT_TOKENS, EMBEDDINGS, MESSAGES, PASSTHROUGH, RESPONSES, TEXT
from tests.support.http import fetch
from tests.support.scene import CHAT_PATH, HELLO, PLAIN, scene
from tests.support.tables import table
from tests.unit.api.bare import bare_gateway
from tests.unit.api.written import Written
from tests.unit.fleet.made import spec

pytestmark = pytest.mark.anyio

EVERY_PATH = [CHAT, TEXT, *sorted(PASSTHROUGH)]
SYSTEM = "You are a game master."
MAX = "max_tokens"


def filled(defaults: Defaults, path: str = CHAT, *, most: int | None = None, **fields: Any) -> dict[str, Any]:
    fill(Terms(defaults=defaults, max_output_tokens=most), path, fields)
    return fields


# Which model.


@table("path", EVERY_PATH)
def test_a_key_s_model_stands_where_a_call_names_none(path: str) -> None:
    fast = Defaults(model="fast")
    for unsaid in ({}, {"model": None}, {"model": ""}):
        assert filled(fast, path, **unsaid)["model"] == "fast"
    assert filled(fast, path, model="smart")["model"] == "smart"
    assert "model" not in filled(Defaults(), path)


@table("path", EVERY_PATH)
def test_a_model_that_is_not_the_key_s_is_refused_before_anything_else_is_looked_at(path: str) -> None:
    terms = Terms(models=("fast", "embed"))
    for fields in ({"model": "smart"}, {"model": "qwen", "messages": 7, "n": "x"}, {}, {"model": ["fast"]}):
        with pytest.raises(UnknownModel, match="It may call: fast, embed") as told:
            fill(terms, path, dict(fields))
        assert told.value.param == "model"
        assert "使えるモデル: fast, embed" in told.value.japanese
    fill(terms, path, {"model": "embed"})


def test_a_name_of_any_length_is_told_in_a_line() -> None:
    with pytest.raises(UnknownModel) as told:
        check_right(Terms(models=("fast",)), "x" * 1_000_000)
    assert len(told.value.english) + len(told.value.japanese) < 600


def test_no_name_is_the_alias_default_and_what_is_no_text_is_left_to_its_check() -> None:
    check_right(Terms(models=("default",)), None)
    check_right(Terms(models=("default",)), 7)
    check_right(FREE, ["whatever"])
    with pytest.raises(UnknownModel, match="'default'"):
        check_right(Terms(models=("fast",)), None)


def test_a_form_has_the_key_s_model_and_rights_too() -> None:
    terms = Terms(models=("whisper",), defaults=Defaults(model="whisper"))
    assert model_of_form(terms, None) == model_of_form(terms, "") == model_of_form(terms, "whisper") == "whisper"
    with pytest.raises(UnknownModel):
        model_of_form(terms, "other")
    assert model_of_form(FREE, None) is None


# How long the answer.


@pytest.mark.parametrize(
    ("path", "name"), [(CHAT, MAX), (TEXT, MAX), (MESSAGES, MAX), (RESPONSES, "max_output_tokens")]
)
def test_a_key_s_limit_on_answers_stands_where_a_call_sets_none_under_any_of_its_names(path: str, name: str) -> None:
    short = Defaults(max_tokens=100)
    assert filled(short, path) == {name: 100}
    assert filled(short, path, most=50) == {name: 50}, "what it may have at most goes before what it has unasked"
    for said in (MAX, "max_completion_tokens", "max_output_tokens", "n_predict"):
        assert filled(short, path, **{said: 7}) == {said: 7}
        assert filled(short, path, **{said: None})[name] == 100


def test_where_no_text_is_written_no_limit_is_put() -> None:
    for path in (EMBEDDINGS, COUNT_TOKENS, "/v1/rerank", "/tokenize"):
        assert filled(Defaults(max_tokens=100), path) == {}


# What stands before the conversation.


def test_a_chat_begins_with_the_key_s_words_and_has_one_system_message() -> None:
    said = Defaults(system=SYSTEM)
    mine = {"role": "system", "content": SYSTEM}
    assert filled(said, messages=HELLO)["messages"] == [mine, *HELLO]
    theirs = {"role": "system", "content": "Be brief.", "name": "host"}
    joined = {"role": "system", "content": f"{SYSTEM}\n\nBe brief.", "name": "host"}
    assert filled(said, messages=[theirs, *HELLO])["messages"] == [joined, *HELLO]
    parts = {"role": "system", "content": [{"type": "text", "text": "Be brief."}]}
    (first, *_) = filled(said, messages=[parts, *HELLO])["messages"]
    assert first["content"] == [{"type": "text", "text": SYSTEM}, {"type": "text", "text": "Be brief."}]


def test_the_caller_s_own_list_is_not_written_to() -> None:
    theirs = [{"role": "system", "content": "Be brief."}, *HELLO]
    before = [dict(each) for each in theirs]
    filled(Defaults(system=SYSTEM), messages=theirs)
    assert theirs == before


@pytest.mark.parametrize("path", [MESSAGES, COUNT_TOKENS])
def test_a_message_s_system_prompt_begins_with_the_key_s_words(path: str) -> None:
    said = Defaults(system=SYSTEM)
    assert filled(said, path)["system"] == SYSTEM
    assert filled(said, path, system="Be brief.")["system"] == f"{SYSTEM}\n\nBe brief."
    block = {"type": "text", "text": "Be brief.", "cache_control": {"type": "ephemeral"}}
    assert filled(said, path, system=[block])["system"] == [{"type": "text", "text": SYSTEM}, block]


def test_a_response_s_instructions_begin_with_the_key_s_words() -> None:
    said = Defaults(system=SYSTEM)
    assert filled(said, RESPONSES)["instructions"] == SYSTEM
    assert filled(said, RESPONSES, instructions="Be brief.")["instructions"] == f"{SYSTEM}\n\nBe brief."


@table(
    ("path", "fields"),
    [
        (CHAT, {}),
        (CHAT, {"messages": []}),
        (CHAT, {"messages": "hello"}),
        (MESSAGES, {"system": 7}),
        (RESPONSES, {"instructions": ["x"]}),
        (TEXT, {"prompt": "Once"}),
        (EMBEDDINGS, {"input": "x"}),
    ],
)
def test_what_is_no_conversation_or_not_as_it_should_be_is_left_as_it_is(path: str, fields: dict[str, Any]) -> None:
    assert filled(Defaults(system=SYSTEM), path, **fields) == fields


@pytest.mark.parametrize("messages", [[7], [{"role": "system"}], [{"role": "system", "content": None}], [None]])
def test_odd_messages_come_to_their_check_behind_the_key_s(messages: list[Any]) -> None:
    found = filled(Defaults(system=SYSTEM), messages=messages)["messages"]
    assert found == [{"role": "system", "content": SYSTEM}, *messages]


# What it will use.


@dataclass
class Room:
    """A gateway in front of nothing, and calls that ask for leave."""

    ticker: Ticker
    store: Store
    context_tokens: int | None = 5000

    def admit(self, terms: Terms, path: str = CHAT, size: int = 100, **fields: Any) -> dict[str, str]:
        """The headers of a call's answer; a gateway of its own, so that nothing was used before."""
        gateway = bare_gateway(self.ticker, self.store, specs=[spec(context_tokens=self.context_tokens)])
        client = Client(Written(), self.ticker, 15.0)
        principal = Principal("0123456789ab", "games", terms=terms)
        grant = gateway.grants.grant(principal, gateway.settings.limits, gateway.settings.model_limits)
        admit(gateway, client, grant, path, size, fields)
        self.fields = fields
        return {name.decode(): value.decode() for name, value in client.answer_headers}

    def reserved(self, path: str, size: int = 100, **fields: Any) -> tuple[int, int]:
        """Of prompt and answer, where the most must be reserved."""
        used = []
        for name in ("input_tokens_per_minute", "output_tokens_per_minute"):
            terms = Terms(limits=RateLimits(**{name: 10**6}, strict=True), defaults=Defaults(system="s" * 50))
            used.append(10**6 - int(self.admit(terms, path, size, **fields)["x-ratelimit-remaining-tokens"]))
        return used[0], used[1]


@pytest.fixture
async def room(tmp_path: Path) -> AsyncIterator[Room]:
    ticker, store = Ticker(), Store.open(tmp_path, Keeping())
    yield Room(ticker, store)
    ticker.close()
    store.close()


async def test_strictly_the_most_is_reserved_that_all_answers_to_all_prompts_can_have(room: Room) -> None:
    """A byte is a token at most; what the key puts before a conversation counts too, and what a template may add."""
    chat = 150 + TEMPLATE_TOKENS
    assert room.reserved(CHAT, max_tokens=10) == (chat, 10)
    assert room.reserved(CHAT, max_tokens=10, n=3) == (chat, 30)
    assert room.reserved(CHAT, max_tokens=10, n=2, best_of=4) == (chat, 40)
    assert room.reserved(CHAT, max_tokens=10, max_completion_tokens=20) == (chat, 20)
    assert room.reserved(CHAT, size=50_000, max_tokens=10) == (5000, 10), "no prompt is longer than the context"
    assert room.reserved(CHAT, n=2) == (chat, 10_000), "nor any answer"
    assert room.reserved(TEXT, prompt="a", max_tokens=10) == (100, 10)
    assert room.reserved(TEXT, prompt=["a", "b", "c"], max_tokens=10, n=2) == (100, 60)
    assert room.reserved(TEXT, prompt=[1, 2, 3], max_tokens=10) == (100, 10)
    assert room.reserved(TEXT, prompt=[[1, 2], [3]], max_tokens=10) == (100, 20)
    assert room.reserved(TEXT, size=90_000, prompt=["a"] * 4, max_tokens=10) == (20_000, 40)
    assert room.reserved(TEXT, prompt=[], prompt_embeds=["e", "e"], max_tokens=10) == (100, 20)
    assert room.reserved(MESSAGES, max_tokens=10) == (chat, 10)
    assert room.reserved(RESPONSES, max_output_tokens=10) == (chat, 10)
    assert room.reserved(EMBEDDINGS, size=90_000, input=["a"] * 90) == (90_000, 0), "any number of texts is read"


PICTURE = {"type": "image_url", "image_url": {"url": "https://pictures.example/1.png"}}


async def test_strictly_a_picture_is_as_large_as_it_can_be_however_few_bytes_name_it(room: Room) -> None:
    hello = {"type": "text", "text": "What is this?"}
    messages = [{"role": "user", "content": [hello, PICTURE]}, {"role": "user", "content": "And?"}, 7]
    assert room.reserved(CHAT, messages=messages, max_tokens=10) == (5000, 10), "all of the context"
    room.context_tokens = 10**6
    assert room.reserved(CHAT, messages=messages, max_tokens=10)[0] == 150 + TEMPLATE_TOKENS + MEDIA_TOKENS
    assert (
        room.reserved(CHAT, messages=[{"role": "user", "content": [hello]}], max_tokens=10)[0] == 150 + TEMPLATE_TOKENS
    )
    told = {"type": "tool_result", "content": [{"type": "text", "text": "x"}, {"type": "image"}]}
    shown = [{"role": "user", "content": [told, {"type": "tool_result", "content": "x"}, {"type": "tool_use"}]}]
    assert room.reserved(MESSAGES, messages=shown, max_tokens=10)[0] == 150 + TEMPLATE_TOKENS + MEDIA_TOKENS
    odd: list[Any] = [7, None, {"content": {"type": "image"}}, {"content": [None, [], "x", {"type": []}, {}]}]
    assert room.reserved(MESSAGES, messages=odd, max_tokens=10)[0] == 150 + TEMPLATE_TOKENS + 2 * MEDIA_TOKENS
    pictures = [{"role": "user", "content": [{"type": "input_image"}, {"type": "input_text"}, {"type": "input_image"}]}]
    assert room.reserved(RESPONSES, input=pictures, max_output_tokens=1)[0] == 150 + TEMPLATE_TOKENS + 2 * MEDIA_TOKENS


@pytest.mark.parametrize("path", [EMBEDDINGS, COUNT_TOKENS, "/v1/rerank", "/tokenize", "/v1/audio/transcriptions"])
async def test_where_no_text_is_written_no_answer_is_reserved_and_none_must_be_limited(room: Room, path: str) -> None:
    room.context_tokens = None
    assert room.reserved(path)[1] == 0


async def test_strictly_an_answer_without_any_end_is_refused_by_name(room: Room) -> None:
    room.context_tokens = None
    with pytest.raises(InvalidRequest, match="max_tokens") as told:
        room.admit(Terms(limits=RateLimits(tokens_per_minute=10**6, strict=True)))
    assert told.value.param == MAX


async def test_a_refusal_carries_what_is_left(room: Room) -> None:
    headers = room.admit(Terms(limits=RateLimits(tokens_per_minute=10**6)), max_tokens=10)
    assert headers["x-ratelimit-limit-tokens"] == "1000000"
    gateway = bare_gateway(room.ticker, room.store, specs=[spec()])
    principal = Principal("0123456789ab", "games", terms=Terms(limits=RateLimits(tokens_per_minute=100)))
    client = Client(Written(), room.ticker, 15.0)
    for _ in range(2):
        grant = gateway.grants.grant(principal, gateway.settings.limits, gateway.settings.model_limits)
        try:
            admit(gateway, client, grant, CHAT, 90, {MAX: 50})
        except RateLimited:
            break
    else:
        raise AssertionError("both passed")
    assert header(client.answer_headers[-3:], b"x-ratelimit-remaining-tokens") == b"19"


async def test_a_key_without_limits_is_told_nothing(room: Room) -> None:
    assert room.admit(FREE) == {}
    assert room.admit(Terms(models=("default",))) == {}


async def test_no_answer_is_longer_than_the_key_allows_whatever_the_limit_is_called(room: Room) -> None:
    most = Terms(max_output_tokens=50)
    for path, name in ((CHAT, MAX), (TEXT, MAX), (MESSAGES, MAX), (RESPONSES, "max_output_tokens")):
        room.admit(most, path)
        assert room.fields == {name: 50}
        unset: dict[str, Any] = {name: None}
        room.admit(most, path, **unset)
        assert room.fields == {name: 50}
        room.admit(most, path, **{name: 50})
        for said in (MAX, "max_completion_tokens", "n_predict"):
            with pytest.raises(InvalidRequest, match="at most 50 tokens") as told:
                room.admit(most, path, **{name: 1, said: 51})
            assert told.value.param == said
    room.admit(most, EMBEDDINGS)
    assert room.fields == {}


@pytest.mark.parametrize("terms", [Terms(max_output_tokens=50), Terms(limits=RateLimits(tokens_per_minute=10**6))])
async def test_a_limit_under_a_name_that_engines_may_pass_over_is_told_under_one_that_they_go_by(
    room: Room, terms: Terms
) -> None:
    for path, other, name in (
        (CHAT, "n_predict", MAX),
        (CHAT, "max_output_tokens", MAX),
        (TEXT, "max_completion_tokens", MAX),
        (MESSAGES, "max_completion_tokens", MAX),
        (RESPONSES, MAX, "max_output_tokens"),
    ):
        room.admit(terms, path, **{other: 7})
        assert room.fields == {other: 7, name: 7}
    room.admit(terms, CHAT, max_completion_tokens=7)
    assert room.fields == {"max_completion_tokens": 7}
    room.admit(terms, EMBEDDINGS, max_tokens=7)
    assert room.fields == {MAX: 7}
    room.admit(FREE, RESPONSES, max_tokens=7)
    assert room.fields == {MAX: 7}, "who counts nothing changes nothing"


# On the wire.


async def test_every_dialect_comes_to_the_engine_with_what_the_key_says() -> None:
    async with scene(others={"embed": {}}) as stage:
        defaults = {"model": "embed", "system": SYSTEM, "max_tokens": 33}
        key = (await stage.new_key(models=["embed"], defaults=defaults))["key"]
        asked: list[tuple[str, Any]] = [
            (CHAT_PATH, PLAIN),
            ("/generate_stream", {"prompt": "hi"}),
            ("/generate_stream?prompt=hi", None),
            (TEXT, {"prompt": "Once"}),
            (MESSAGES, {"messages": HELLO}),
            (RESPONSES, {"input": "hi"}),
            (EMBEDDINGS, {"input": "hi"}),
        ]
        for path, body in asked:
            await fetch(stage.url, path, body, key=key)
            sent = stage.engine.requests[-1].json
            assert sent["model"] == "scripted", path
            limit = [sent[name] for name in (MAX, "max_output_tokens", "max_completion_tokens") if name in sent]
            assert limit == ([] if path == EMBEDDINGS else [33]), path
            assert (SYSTEM in str(sent)) == (path not in (TEXT, EMBEDDINGS)), path
        assert {call["deployment"] for call in await stage.calls(len(asked))} == {"embed"}


async def test_an_alias_of_the_key_s_covers_its_fallbacks_and_their_own_names_stay_closed() -> None:
    nobody = {"replicas": ["http://127.0.0.1:9"]}
    async with scene(others={"first": nobody}, aliases={"fast": ["first", "scripted"]}) as stage:
        key = (await stage.new_key(models=["fast", "ghost"]))["key"]
        assert (await fetch(stage.url, CHAT_PATH, {**PLAIN, "model": "fast"}, key=key)).status == 200
        assert (await stage.call())["deployment"] == "scripted"
        for name in ("scripted", "first", "default", "nothing", "ghost"):
            for path, body in ((CHAT_PATH, PLAIN), (EMBEDDINGS, {"input": "x"}), ("/generate_stream", {"prompt": "x"})):
                reply = await fetch(stage.url, path, {**body, "model": name}, key=key)
                assert (reply.status, reply.json["error"]["code"]) == (404, "model_not_found"), (path, name)
                said = reply.json["error"]["message"]
                assert "It may call: fast, ghost" in said
                assert not any(other in said for other in {"scripted", "first", "default"} - {name}), said
