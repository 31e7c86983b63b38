"""RELIABILITY: no request leaves for a URL a caller names, and fields that can hurt an engine are capped or refused."""

from __future__ import annotations

from typing import Any

import pytest

from hayate.wire.caps import RISKY_FIELDS
from tests.support.scene import HELLO, PLAIN, Stage

pytestmark = pytest.mark.anyio

INSIDE = "http://169.254.169.254/latest/meta-data"


def says(part: dict[str, Any]) -> list[dict[str, Any]]:
    return [{"role": "user", "content": [{"type": "text", "text": "look"}, part]}]


FETCHES: dict[str, tuple[str, dict[str, Any]]] = {
    "chat image": ("/v1/chat/completions", {"messages": says({"type": "image_url", "image_url": {"url": INSIDE}})}),
    "chat image, bare": ("/v1/chat/completions", {"messages": says({"type": "image_url", "image_url": INSIDE})}),
    "chat file": (
        "/v1/chat/completions",
        {"messages": says({"type": "image_url", "image_url": {"url": "file:///etc/passwd"}})},
    ),
    "chat upper case": (
        "/v1/chat/completions",
        {"messages": says({"type": "image_url", "image_url": {"url": INSIDE.upper()}})},
    ),
    "chat video": ("/v1/chat/completions", {"messages": says({"type": "video_url", "video_url": {"url": INSIDE}})}),
    "chat audio": ("/v1/chat/completions", {"messages": says({"type": "audio_url", "audio_url": {"url": INSIDE}})}),
    "responses": (
        "/v1/responses",
        {"input": [{"role": "user", "content": [{"type": "input_image", "image_url": INSIDE}]}]},
    ),
    "messages": (
        "/v1/messages",
        {"max_tokens": 5, "messages": says({"type": "image", "source": {"type": "url", "url": INSIDE}})},
    ),
}


@pytest.mark.parametrize("name", FETCHES)
async def test_an_engine_never_fetches_what_a_caller_names(stage: Stage, name: str) -> None:
    path, body = FETCHES[name]

    reply = await stage.post({"model": "default", **body}, path)

    assert reply.status == 400, reply.text
    assert stage.engine.requests == []


@pytest.mark.parametrize("name", sorted(RISKY_FIELDS))
async def test_a_risky_field_is_refused_by_name(stage: Stage, name: str) -> None:
    reply = await stage.post({**PLAIN, name: "x"})

    assert reply.status == 400
    assert reply.json["error"]["param"] == name
    assert stage.engine.requests == []


@pytest.mark.parametrize(
    ("name", "value"), [("n", 5), ("n", 0), ("best_of", 100), ("temperature", -1), ("max_tokens", 0)]
)
async def test_a_field_beyond_its_cap_is_refused_by_name(stage: Stage, name: str, value: object) -> None:
    reply = await stage.post({**PLAIN, name: value})

    assert reply.status == 400
    assert reply.json["error"]["param"] == name
    assert stage.engine.requests == []


async def test_more_output_than_the_whole_context_is_refused(stage: Stage) -> None:
    await stage.gateway.ready()

    reply = await stage.post({**PLAIN, "max_tokens": 4097})

    assert (reply.status, reply.json["error"]["param"]) == (400, "max_tokens")


async def test_media_that_comes_along_reaches_the_engine(stage: Stage) -> None:
    messages = says({"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBORw0KGgo="}})

    assert (await stage.post({"messages": messages})).status == 200
    assert stage.engine.requests[0].json["messages"] == messages


async def test_errors_are_told_in_japanese_to_who_reads_it(stage: Stage) -> None:
    for asked, language in (("ja,en;q=0.8", "ja"), ("en-US,en;q=0.9,ja;q=0.8", "en"), ("de", "en"), ("ja-JP", "ja")):
        reply = await stage.post({"messages": []}, headers={"accept-language": asked})
        told = reply.json["error"]["message"]
        assert ("メッセージ" in told) == (language == "ja"), asked


async def test_a_model_the_engine_names_itself_is_asked_for_by_that_name(stage: Stage) -> None:
    await stage.gateway.ready()

    await stage.post({"messages": HELLO, "model": stage.engine.model})

    assert stage.engine.requests[0].json["model"] == stage.engine.model
