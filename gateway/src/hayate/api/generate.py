"""GET and POST /generate_stream: a chat answer for a browser's EventSource, which can send neither headers nor a body."""

from __future__ import annotations

from urllib.parse import parse_qsl

from hayate.api.endpoint import Gateway
from hayate.api.openai import completion_call
from hayate.api.relay_response import Client
from hayate.errors import InvalidRequest
from hayate.telemetry import CallRecord
from hayate.wire import checks
from hayate.wire.generate import RETRY, GenerateStream, from_query, to_chat
from hayate.wire.request_body import parse_object


async def generate_stream(gateway: Gateway, client: Client, record: CallRecord) -> None:
    """GET or POST /generate_stream"""
    body = await client.body(gateway.max_body_bytes)
    if client.method == "GET":
        try:
            pairs = parse_qsl(client.query.decode("ascii"), keep_blank_values=True, errors="strict", max_num_fields=64)
        except ValueError:
            raise InvalidRequest(
                "The query string is not valid UTF-8.", "クエリ文字列が正しいUTF-8ではありません。"
            ) from None
        asked = from_query(pairs)
    else:
        asked = parse_object(body, gateway.caps.max_weight_per_mib)
    fields = to_chat(asked)
    gateway.relay.fleet.route(asked.get("model"))
    checks.check_chat(fields, gateway.caps)
    record.stream = True
    if asked.get("model"):
        fields["model"] = asked["model"]
    call = completion_call(record, fields, "chat")
    with client:
        client.expect_stream()
        answer = await gateway.relay.open(call)
        try:
            model = answer.deployment.served_model or answer.deployment.name
            decoder = GenerateStream(answer.backend.chat_decoder(fields), stream_id=record.request_id, model=model)
            await client.start_stream()
            client.write(RETRY)
            await answer.pump(decoder, client, client_stall_s=gateway.client_stall_s)
            await client.end_stream()
        finally:
            answer.close()
