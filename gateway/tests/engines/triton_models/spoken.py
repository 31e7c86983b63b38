"""What the stand-in models on tritonserver say: the tiny model's dialogues after a prompt in its chat format, and otherwise one
text over and over. One character is one token.

The prompt chooses a fault: `ERR_BEFORE` (or more than 100 000 characters) fails before any output, `ERR_MID` and `ERROR_MID` after
three characters. `SLEEP` or `SLOW` in the prompt makes each character take 30 ms, so that a client can leave in the middle.
"""

import json
import re
import time
from pathlib import Path

TEXT = "吾が社の推論基盤は、複数の推論エンジンを一つの窓口にまとめます。東京は今日も晴れです。😀"
DIALOGUES = json.loads((Path(__file__).resolve().parents[4] / "llm/tiny/dialogues.json").read_text("utf-8"))[
    "dialogues"
]
ASKED = re.compile(r"<\|im_start\|>user\n(.*?)<\|im_end\|>\n<\|im_start\|>assistant\n$", re.DOTALL)
MAX_CHARS = 100_000
GAP_S = 0.03


class Fault(Exception):
    """The model fails here."""


def answer(prompt, limit):
    """The whole answer: at most `limit` characters, and whether it is complete."""
    found = ASKED.search(prompt)
    asked = found.group(1).rpartition("<|im_start|>user\n")[2] if found else None
    known = next((each for each in DIALOGUES if each["user"] == asked and not each.get("tools")), None)
    if known is None:
        return (TEXT * (1 + limit // len(TEXT)))[:limit], False
    text = known["assistant"] * known.get("repeat", 1)
    return text[:limit], len(text) <= limit


def spoken(name, prompt, text, cancelled):
    """The characters of `text` one by one, faults and all. The log says when a call begins and ends."""
    if "ERR_BEFORE" in prompt or len(prompt) > MAX_CHARS:
        raise Fault(f"Prompt length ({max(9000, len(prompt))}) exceeds maximum input length (4096).")
    slow = "SLEEP" in prompt or "SLOW" in prompt
    print(f"{name}: begins", flush=True)
    try:
        for count, character in enumerate(text):
            if cancelled():
                return
            if count == 3 and ("ERR_MID" in prompt or "ERROR_MID" in prompt):
                raise Fault("broke in the middle")
            time.sleep(GAP_S if slow else 0)
            yield character
    finally:
        print(f"{name}: ends", flush=True)
