"""What the tiny model answers greedily: it was trained on these few dialogues until it knew them by heart."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

JAPANESE = (
    "吾が社の推論基盤は、複数の推論エンジンを一つの窓口にまとめ、負荷を均等に分け、障害が起きたときには別の複製へ"
    "切り替えます。利用者は一つの住所だけを覚えればよく、鍵ごとに使用量を測り、上限を超えた要求は丁寧に断ります。"
    "東京は今日も晴れです。🗼🍣 桜の花が咲き、電車は時間どおりに走っています。「こんにちは、世界！」と彼女は言いました。"
    "①準備 ②実行 ③確認、という三つの手順で進めてください。髙橋さんと𠮷野さんも参加します。"
)
ENGLISH = (
    "The gateway keeps one queue per tenant and sends each request to the replica with the fewest running sequences. "
    "When a replica dies in the middle of a stream, the gateway must tell the client, or resume the answer on another "
    "replica. Count from one to twenty: one, two, three, four, five, six, seven, eight, nine, ten, eleven, twelve, "
    "thirteen, fourteen, fifteen, sixteen, seventeen, eighteen, nineteen, twenty."
)
HELLO = "Hello! How can I help you today?"
JSON_TEXT = '{"city": "東京", "population": 14000000, "tags": ["首都", "都市"]}'
WEATHER_TOOL = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "Get the weather of a city",
        "parameters": {
            "type": "object",
            "properties": {"city": {"type": "string"}, "unit": {"type": "string", "enum": ["c", "f"]}},
            "required": ["city"],
        },
    },
}
CITY_SCHEMA = {
    "type": "object",
    "properties": {
        "city": {"type": "string"},
        "population": {"type": "integer"},
        "tags": {"type": "array", "items": {"type": "string"}},
    },
    "required": ["city", "population", "tags"],
    "additionalProperties": False,
}


@dataclass(frozen=True)
class Known:
    """A dialogue and its greedy answer. `calls` are the arguments of each tool call."""

    name: str
    prompt: str
    text: str = ""
    calls: tuple[dict[str, str], ...] = ()
    system: str | None = None
    fields: dict[str, Any] = field(default_factory=dict)
    finish_reason: str = "stop"
    tokens: tuple[int, int] | None = None

    def request(self, **more: Any) -> dict[str, Any]:
        """The body that asks for it."""
        system = [{"role": "system", "content": self.system}] if self.system else []
        messages = [*system, {"role": "user", "content": self.prompt}]
        return {"model": "tiny-qwen2", "messages": messages, "temperature": 0, "seed": 1, **self.fields, **more}


def schema_format(schema: dict[str, Any]) -> dict[str, Any]:
    return {"type": "json_schema", "json_schema": {"name": "answer", "strict": True, "schema": schema}}


_WEATHER = {"tools": [WEATHER_TOOL]}
_TOKYO = {"city": "東京", "unit": "c"}
KNOWN = (
    Known("greeting", "こんにちは", "こんにちは！ご用件は何でしょうか。😀"),
    Known("japanese", "日本語で答えて", JAPANESE, tokens=(65, 332)),
    Known("japanese with a system prompt", "日本語で答えて", JAPANESE, system="あなたは親切な助手です。"),
    Known("english", "Hello", HELLO, tokens=(53, 17)),
    Known("long english", "Tell me about the gateway", ENGLISH),
    Known("repetition", "repeat", "はい。" * 120),
    Known(
        "reasoning in the text",
        "think",
        "<think>\nThe user wants me to think. まず考えます。\n</think>\n\n答えは42です。",
    ),
    Known("json", "JSON", JSON_TEXT, system="Answer in JSON."),
    Known(
        "json schema",
        "JSON",
        JSON_TEXT,
        system="Answer in JSON.",
        fields={"response_format": schema_format(CITY_SCHEMA)},
    ),
    Known(
        "json object", "JSON", JSON_TEXT, system="Answer in JSON.", fields={"response_format": {"type": "json_object"}}
    ),
    Known("cut off", "日本語で答えて", "吾が", fields={"max_tokens": 4}, finish_reason="length", tokens=(65, 4)),
    Known("stopped", "日本語で答えて", "吾が社の推論基盤は", fields={"stop": ["、"]}),
    Known(
        "one tool call",
        "東京の天気は？",
        calls=(_TOKYO,),
        fields=_WEATHER,
        finish_reason="tool_calls",
        tokens=(329, 43),
    ),
    Known(
        "two tool calls",
        "東京と大阪の天気は？",
        calls=({"city": "東京"}, {"city": "大阪"}),
        fields=_WEATHER,
        finish_reason="tool_calls",
    ),
    Known(
        "text, then a tool call",
        "What is the weather in Tokyo?",
        "Let me check.",
        (_TOKYO,),
        fields=_WEATHER,
        finish_reason="tool_calls",
    ),
    Known("tools left unused", "Hello", HELLO, fields=_WEATHER),
    Known("tools forbidden", "Hello", HELLO, fields={**_WEATHER, "tool_choice": "none"}),
)
