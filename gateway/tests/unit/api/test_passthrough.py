"""Paths that pass through: only the model's name is changed, and only what could hurt is refused."""

from __future__ import annotations

import json
from typing import Any

import pytest

from hayate.wire.paths import PASSTHROUGH
from tests.support.engine_script import SSE, Request, Script, answer, body, cut, end, error, frame, head
from tests.support.scene import HELLO, Stage, scene

pytestmark = pytest.mark.anyio

ANSWER = {"object": "list", "data": [{"embedding": [0.5]}], "usage": {"prompt_tokens": 5, "total_tokens": 5}, "x": None}
JSON_PATHS = sorted(path for path in PASSTHROUGH if not path.startswith("/v1/audio/tr"))


@pytest.mark.parametrize("path", JSON_PATHS)
async def test_a_body_and_its_answer_pass_with_another_models_name(stage: Stage, path: str) -> None:
    stage.engine.script = answer(ANSWER, headers={"x-secret-of-the-engine": "1"})
    fields = {"model": "default", "input": "こんにちは", "store": False, "a_field_of_tomorrow": {"x": [1, None]}}
    reply = await stage.post(fields, path)
    assert (reply.status, reply.json) == (200, ANSWER)
    assert stage.engine.requests[0].path == path
    assert stage.engine.requests[0].json == {**fields, "model": "scripted"}
    assert "x-secret-of-the-engine" not in reply.headers
    assert (await stage.call())["prompt_tokens"] == 5


async def test_an_error_of_the_engine_keeps_its_status_and_words(stage: Stage) -> None:
    stage.engine.script = error(422, "no such voice")
    reply = await stage.post({"input": "x"}, "/v1/audio/speech")
    assert reply.status == 422
    assert "no such voice" in reply.json["error"]["message"]


async def test_what_an_engine_has_not_is_told_in_the_callers_dialect(stage: Stage) -> None:
    stage.engine.script = answer({"detail": "Not Found"}, 404)
    for path, kind in (("/v1/embeddings", "not_supported"), ("/v1/messages", "not_found_error")):
        reply = await stage.post({"input": "x", "messages": HELLO}, path)
        found = reply.json["error"]
        assert reply.status == 501
        assert kind in (found.get("code"), found["type"])


async def test_a_sound_passes_as_it_is(stage: Stage) -> None:
    sound = bytes(range(256)) * 400
    stage.engine.script = [head(headers={"content-type": "audio/mpeg"}), body(sound[:7]), body(sound[7:]), end]
    reply = await stage.post({"input": "x", "voice": "y"}, "/v1/audio/speech")
    assert (reply.headers["content-type"], reply.body) == ("audio/mpeg", sound)


@pytest.mark.parametrize("status", [204, 304])
@pytest.mark.parametrize("path", ["/v1/embeddings", "/v1/responses", "/v1/audio/speech"])
async def test_an_answer_without_a_body_leaves_the_connection_in_order(stage: Stage, path: str, status: int) -> None:
    engines = [f"HTTP/1.1 {status} Scripted\r\ncontent-type: text/plain\r\n\r\n".encode()]
    async with stage.connect() as client:
        for _ in range(3):
            stage.engine.then(engines, answer(ANSWER))
            await client.send(stage.request({"input": "x"}, path) * 2)
            head_ = await client.read_head()
            assert head_.status == status
            assert not {"transfer-encoding", "content-length"} & head_.headers.keys()
            reply = await client.read_reply()
            assert (reply.status, reply.json) == (200, ANSWER)


def form(*parts: tuple[str, bytes]) -> bytes:
    written = b"".join(
        b"--edge\r\ncontent-disposition: form-data; %b\r\n\r\n%b\r\n" % (n.encode(), v) for n, v in parts
    )
    return written + b"--edge--\r\n"


FORM = {"content-type": "multipart/form-data; boundary=edge"}
SOUND = ('name="file"; filename="a.wav"', b'RIFF\x00\xff\r\n--not-the-edge\r\nname="model"')


@pytest.mark.parametrize("path", ["/v1/audio/transcriptions", "/v1/audio/translations"])
async def test_a_form_passes_with_another_models_name(stage: Stage, path: str) -> None:
    stage.engine.script = answer({"text": "こんにちは"})
    sent = form(('name="model"', b"default"), SOUND, ('name="language"', b"ja"))
    reply = await stage.post(sent, path, headers=FORM)
    assert (reply.status, reply.json) == (200, {"text": "こんにちは"})
    seen = stage.engine.requests[0]
    assert seen.body == sent.replace(b"\r\n\r\ndefault\r\n", b"\r\n\r\nscripted\r\n")
    assert seen.headers["content-type"] == FORM["content-type"]
    assert seen.headers["content-length"] == str(len(seen.body))


async def test_a_form_without_a_model_is_for_the_default(stage: Stage) -> None:
    stage.engine.script = answer({"text": "x"})
    sent = form(SOUND)
    assert (await stage.post(sent, "/v1/audio/transcriptions", headers=FORM)).status == 200
    assert stage.engine.requests[0].body == sent


async def test_a_form_for_an_unknown_model_is_a_404(stage: Stage) -> None:
    reply = await stage.post(form(('name="model"', b"nope"), SOUND), "/v1/audio/transcriptions", headers=FORM)
    assert reply.status == 404
    assert not stage.engine.requests


def named(kind: str, **fields: Any) -> bytes:
    return f"event: {kind}\ndata: {json.dumps({'type': kind, **fields})}\n\n".encode()


MESSAGES = [
    named("message_start", message={"usage": {"input_tokens": 9, "output_tokens": 0}}),
    named("content_block_delta", index=0, delta={"type": "text_delta", "text": "こん"}),
    named("message_delta", delta={"stop_reason": "end_turn"}, usage={"output_tokens": 4}),
    named("message_stop"),
]
RESPONSES = [
    named("response.created", response={"id": "r"}),
    named("response.output_text.delta", delta="こん"),
    named("response.completed", response={"usage": {"input_tokens": 9, "output_tokens": 4}}),
]


@pytest.mark.parametrize(("path", "events"), [("/v1/messages", MESSAGES), ("/v1/responses", RESPONSES)])
async def test_a_stream_of_another_dialect_passes_byte_for_byte(stage: Stage, path: str, events: list[bytes]) -> None:
    stage.engine.script = [head(headers=SSE), *map(body, events), end]
    asked = {"messages": HELLO, "input": "x", "max_tokens": 9, "store": False, "stream": True}
    frames = await stage.frames(asked, path)
    assert [each.raw for each in frames] == events
    call = await stage.call()
    assert (call["prompt_tokens"], call["completion_tokens"], call["status"]) == (9, 4, 200)
    assert call["ttft_ms"] is not None


async def test_an_engine_that_answers_whole_although_asked_for_a_stream_is_passed_on_as_events(stage: Stage) -> None:
    stage.engine.script = answer(
        {"type": "message", "content": [{"type": "text", "text": "Hi"}], "stop_reason": "end_turn"}
    )
    frames = await stage.frames({"messages": HELLO, "max_tokens": 9, "stream": True}, "/v1/messages")
    assert [frame.event for frame in frames] == [
        "message_start",
        "content_block_start",
        "content_block_delta",
        "content_block_stop",
        "message_delta",
        "message_stop",
    ]
    assert frames[2].json["delta"] == {"type": "text_delta", "text": "Hi"}


@pytest.mark.parametrize(
    ("path", "fields", "param"),
    [
        ("/v1/embeddings", {"model": 7}, "model"),
        ("/v1/responses", {"stream": "yes"}, "stream"),
        (
            "/v1/messages",
            {
                "messages": [
                    {"role": "user", "content": [{"type": "image", "source": {"type": "url", "url": "http://x"}}]}
                ]
            },
            "messages.0.content.0.source",
        ),
        (
            "/v1/responses",
            {"input": [{"content": [{"type": "input_image", "image_url": "http://x"}]}]},
            "input.0.content.0.image_url",
        ),
        (
            "/v1/responses",
            {"input": [{"content": [{"type": "input_file", "file_url": "http://x"}]}]},
            "input.0.content.0.file_url",
        ),
        ("/v1/responses", {"tools": [{"type": "mcp", "server_url": "http://x"}]}, "tools.0.server_url"),
        ("/v1/responses", {"input": "x", "background": True}, "background"),
        ("/v1/responses", {"input": "x", "background": "true"}, "background"),
        ("/v1/responses", {"input": "x", "background": 1, "stream": True}, "background"),
        ("/v1/messages", {"messages": [{"content": [{"type": "image", "source": {"url": "http://x"}}]}]}, "0.source"),
        ("/v1/messages", {"mcp_servers": [{"url": "http://x"}]}, "mcp_servers"),
        (
            "/v1/rerank",
            {"query": "q", "documents": [{"content": [{"type": "image_url", "image_url": {"url": "http://x"}}]}]},
            "documents.0.content.0.image_url",
        ),
        ("/tokenize", {"chat_template": "{{ x }}"}, "chat_template"),
    ],
)
async def test_what_could_hurt_is_refused_by_name(stage: Stage, path: str, fields: dict[str, Any], param: str) -> None:
    reply = await stage.post(fields, path)
    assert reply.status == 400
    assert param in reply.text
    assert not stage.engine.requests


@pytest.mark.parametrize("background", [False, None])
async def test_an_answer_in_the_foreground_may_say_so(stage: Stage, background: bool | None) -> None:
    stage.engine.script = answer({"id": "resp_1"})
    assert (await stage.post({"input": "x", "background": background}, "/v1/responses")).status == 200


LISTED = "https://img.example.com/cat.png"
BY_URL = {
    "/v1/chat/completions": {"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": LISTED}}]}]},
    "/v1/responses": {"input": [{"role": "user", "content": [{"type": "input_image", "image_url": LISTED}]}]},
    "/v1/messages": {
        "messages": [{"role": "user", "content": [{"type": "image", "source": {"type": "url", "url": LISTED}}]}]
    },
}  # fmt: skip


@pytest.mark.parametrize("path", BY_URL)
async def test_an_image_of_a_listed_host_reaches_the_engine_and_nothing_else_does(path: str) -> None:
    async with scene(safety={"image_hosts": ["img.example.com"]}) as stage:
        stage.engine.script = answer({"choices": []})
        fields = BY_URL[path]
        await stage.post(fields, path)
        assert LISTED in json.dumps(stage.engine.requests[0].json)
        for other in ("https://img.example.com@evil.test/", "http://127.0.0.1/", "https://evil.test/cat.png"):
            refused = await stage.post(json.loads(json.dumps(fields).replace(LISTED, other)), path)
            assert refused.status == 400
            assert "safety.image_hosts" in refused.text
        for kind in ("video_url", "file_url"):
            part = {"role": "user", "content": [{"type": kind, kind: {"url": LISTED}}]}
            assert (await stage.post({"messages": [part], "input": [part]}, path)).status == 400
        document = {"role": "user", "content": [{"type": "document", "source": {"type": "url", "url": LISTED}}]}
        assert (await stage.post({"messages": [document]}, "/v1/messages")).status == 400
        assert len(stage.engine.requests) == 1


@pytest.mark.parametrize(
    "path", ["/v1/chat/completions", "/v1/completions", "/v1/responses", "/v1/embeddings", "/generate_stream"]
)
async def test_a_model_that_is_not_here_is_told_before_the_body_is_looked_through(stage: Stage, path: str) -> None:
    wrong: dict[str, Any] = {"temperature": "hot", "messages": 7, "input": [{"image_url": "http://x"}]}
    reply = await stage.post({"model": "nope", "prompt": "x", **({} if path == "/generate_stream" else wrong)}, path)
    assert (reply.status, reply.json["error"]["code"]) == (404, "model_not_found")


@pytest.mark.parametrize(
    ("path", "fields", "sent"),
    [
        (
            "/v1/responses",
            {"max_output_tokens": 64.0, "top_logprobs": 2.0},
            {"max_output_tokens": 64, "top_logprobs": 2, "store": False},
        ),
        ("/v1/responses", {"max_output_tokens": -1}, {"store": False}),
        ("/v1/embeddings", {"dimensions": 256.0}, {"dimensions": 256}),
        ("/v1/rerank", {"top_n": 3.0}, {"top_n": 3}),
        (
            "/v1/messages",
            {"max_tokens": 9.0, "top_k": 5.0, "temperature": None},
            {"max_tokens": 9, "top_k": 5, "temperature": None},
        ),
    ],
)
async def test_numbers_are_put_as_engines_take_them(
    stage: Stage, path: str, fields: dict[str, Any], sent: dict[str, Any]
) -> None:
    stage.engine.script = answer(ANSWER)
    assert (await stage.post({"x": 1, **fields}, path)).status == 200
    seen = stage.engine.requests[0].json
    assert seen == {"x": 1, "model": "scripted", **sent}
    assert all(type(seen[name]) is type(value) for name, value in sent.items())


async def test_the_gateways_own_headers_do_not_reach_the_engine(stage: Stage) -> None:
    headers = {"cookie": "hayate_session=1.2", "x-api-key": stage.key, "x-custom": "1", "x-request-id": "mine"}

    def script(request: Request) -> Script:
        return answer({"data": []})

    stage.engine.script = script
    await stage.post({"input": "x"}, "/v1/embeddings", headers=headers)
    seen = stage.engine.requests[0].headers
    assert not {"authorization", "cookie", "x-api-key", "x-custom"} & set(seen)
    assert stage.key not in str(seen)


async def test_an_error_goes_on_with_the_numbers_of_the_engines_events(stage: Stage) -> None:
    events: list[dict[str, Any]] = [
        {"type": "response.created", "sequence_number": 0},
        {"type": "x.delta", "delta": "a", "sequence_number": 4},
    ]
    stage.engine.script = [
        head(headers=SSE),
        *(body(frame(each, each["type"])) for each in events),
        body(b": x\n\n"),
        cut,
    ]
    *passed, last = [
        each.json for each in await stage.frames({"input": "x", "stream": True}, "/v1/responses") if each.data
    ]
    assert passed == events
    assert (last["type"], last["sequence_number"]) == ("error", 5)
