"""Tool calls with OpenAI's own Python SDK: the model asks for the weather, this program looks it up, the model answers.

usage, with HAYATE_API_KEY in the environment: python examples/openai_tools.py [question]
"""

import json
import os
import sys
from typing import Any

from openai import OpenAI

TOOLS: Any = [
    {
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
]


def get_weather(city: str, unit: str = "c") -> dict[str, object]:
    """Where a real program would ask a weather service."""
    return {"city": city, "sky": "晴れ", "temperature": 21 if unit == "c" else 70, "unit": unit}


client = OpenAI(
    base_url=os.environ.get("HAYATE_URL", "http://127.0.0.1:8080") + "/v1",
    api_key=os.environ["HAYATE_API_KEY"],
)
messages: list[Any] = [{"role": "user", "content": " ".join(sys.argv[1:]) or "東京の天気は？"}]

for _ in range(4):  # a model that only ever calls tools is stopped here
    answer = client.chat.completions.create(
        model="default", messages=messages, tools=TOOLS, temperature=0, max_tokens=300
    )
    message = answer.choices[0].message
    if not message.tool_calls:
        print(message.content)
        break
    messages.append(message.model_dump(exclude_none=True))
    for call in message.tool_calls:
        if call.type != "function":
            continue
        print(f"-> {call.function.name}({call.function.arguments})")
        result = get_weather(**json.loads(call.function.arguments))
        messages.append({"role": "tool", "tool_call_id": call.id, "content": json.dumps(result, ensure_ascii=False)})
