"""A streamed answer with OpenAI's own Python SDK: only `base_url` and the key differ from OpenAI.

usage, with HAYATE_API_KEY in the environment: python examples/openai_stream.py [question]
"""

import os
import sys

from openai import APIConnectionError, APIStatusError, OpenAI

client = OpenAI(
    base_url=os.environ.get("HAYATE_URL", "http://127.0.0.1:8080") + "/v1",
    api_key=os.environ["HAYATE_API_KEY"],
)
question = " ".join(sys.argv[1:]) or "こんにちは"

try:
    stream = client.chat.completions.create(
        model="default",
        messages=[{"role": "user", "content": question}],
        temperature=0,  # the same question gives the same answer
        stream=True,
        stream_options={"include_usage": True},
    )
    for chunk in stream:
        if chunk.choices and chunk.choices[0].delta.content:
            print(chunk.choices[0].delta.content, end="", flush=True)
        if chunk.usage:
            print(f"\n[{chunk.usage.prompt_tokens} + {chunk.usage.completion_tokens} tokens]", file=sys.stderr)
except APIStatusError as error:  # the gateway said no: AuthenticationError, RateLimitError, NotFoundError, …
    sys.exit(f"{type(error).__name__}: {error}")
except APIConnectionError as error:
    sys.exit(f"No gateway at {client.base_url}: {error}")
