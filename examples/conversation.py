"""A conversation in the terminal that the gateway remembers: each turn sends what is new, and nothing else.

    pip install openai
    python examples/conversation.py [conv_…]

HAYATE_API_KEY comes from the environment. Every line that is typed is a turn; without more of them it ends, and says how to go on.
"""

import os
import sys

from openai import APIError, OpenAI


def say(gateway: OpenAI, conversation: str, text: str, model: str = "default") -> None:
    """One turn: what was said before goes along at the gateway."""
    stream = gateway.chat.completions.create(
        model=model,
        messages=[{"role": "user", "content": text}],
        temperature=0,  # the same conversation gives the same answers
        max_tokens=200,
        stream=True,
        extra_body={"conversation": conversation},
    )
    with stream:
        for chunk in stream:
            print(chunk.choices[0].delta.content or "" if chunk.choices else "", end="", flush=True)
    print()
    if omitted := stream.response.headers.get("x-hayate-turns-omitted"):
        print(f"[{omitted} turns did not fit the context]", file=sys.stderr)


def main() -> int:
    """Talk until nothing more is typed."""
    gateway = OpenAI(
        base_url=os.environ.get("HAYATE_URL", "http://127.0.0.1:8080") + "/v1",
        api_key=os.environ["HAYATE_API_KEY"],
    )
    try:
        conversation = sys.argv[1] if len(sys.argv) > 1 else gateway.conversations.create().id
        for line in sys.stdin:
            if line.strip():
                say(gateway, conversation, line.strip())
    except APIError as error:
        print(f"{type(error).__name__}: {error.message}", file=sys.stderr)
        return 1
    print(f"[to go on: python {sys.argv[0]} {conversation}]", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())
