"""The numbers of a request: what reaches an engine, and how it is written.

The rule, for every path: **what the engine behind takes passes, what would hurt it is refused.**

- `null` is "not set". So is -1 for a limit on the answer, which llama.cpp's and Ollama's clients write for "no limit":
  every engine can be asked without one. Where the operator caps answers (safety.max_output_tokens), -1 asks for too
  much.
- A whole number may be written 256.0, as languages with one kind of number do; engines get 256. Text is no number.
- Bounds are those of the types that engines keep numbers in, and of what any model can do. Within them a value that one
  engine takes and another does not (a temperature of 3) is the engine's to judge, and its refusal is passed on.
- 0 as a limit on the answer asks for the prompt's own probabilities (`echo`, `prompt_logprobs`) or, as llama.cpp's
  `n_predict`, for the prompt to be read; anywhere else it is a mistake.
"""

from __future__ import annotations

from typing import Any, Final

from hayate.wire.caps import Caps
from hayate.wire.refusals import over_cap, wrong, wrong_value

MAX_TOKENS: Final = 2**24
"""Tokens of an answer: more than the context of any model."""
INT32: Final = 2**31 - 1
"""What engines written in C++ keep counts in."""
SEEDS: Final = (-(2**63), 2**64 - 1)
"""Signed and unsigned numbers of 64 bits, which is also what JSON can be written with."""

LIMITS: Final = ("max_completion_tokens", "max_tokens", "max_output_tokens", "n_predict")
"""The names of the limit on an answer's tokens."""
_LIMITS: Final = frozenset(LIMITS)

WHOLE: Final[dict[str, tuple[int, int]]] = {
    "n": (1, INT32),
    "best_of": (1, INT32),
    "seed": SEEDS,
    "top_k": (-1, INT32),
    "min_tokens": (0, MAX_TOKENS),
    "top_logprobs": (0, INT32),
    "prompt_logprobs": (-1, INT32),
    "truncate_prompt_tokens": (-1, INT32),
    "thinking_token_budget": (-1, INT32),
    "dimensions": (1, INT32),
    "top_n": (0, INT32),
    "max_tool_calls": (0, INT32),
    "mirostat": (0, 2),
    "n_probs": (0, INT32),
    "n_keep": (-1, INT32),
    "min_keep": (0, INT32),
    "repeat_last_n": (-1, INT32),
    "dry_allowed_length": (-1, INT32),
    "dry_penalty_last_n": (-1, INT32),
}
"""Whole numbers and how far they may go; `n` and `best_of` are capped on top."""

REAL: Final[dict[str, tuple[float, float]]] = {
    "temperature": (0, 100),
    "top_p": (0, 1),
    "min_p": (0, 1),
    "top_a": (0, 1),
    "typical_p": (0, 1),
    "top_p_min": (0, 1),
    "presence_penalty": (-100, 100),
    "frequency_penalty": (-100, 100),
    "repetition_penalty": (0, 100),
    "repeat_penalty": (0, 100),
    "length_penalty": (-100, 100),
    "priority": (-INT32, INT32),
}
"""Other numbers and how far they may go."""


USUAL_NUMBERS: Final[dict[str, tuple[Any, float, float]]] = {
    **{name: (int, low, high) for name, (low, high) in WHOLE.items()},
    "n": (int, 1, 1),
    "best_of": (int, 1, 1),
    **{name: (float, low, high) for name, (low, high) in REAL.items()},
    **dict.fromkeys(LIMITS, (int, 1, MAX_TOKENS)),
}
"""What needs no further look, where answers are not capped: the type as it is usually written, and how far it may go."""


def check_numbers(fields: dict[str, Any], caps: Caps) -> None:
    """Every number known by name; whole ones are written as such, a limit of -1 is taken out. Raises InvalidRequest."""
    for name in [*filter(USUAL_NUMBERS.__contains__, fields)]:
        _check_number(fields, name, fields[name], caps)


def _check_number(fields: dict[str, Any], name: str, value: Any, caps: Caps) -> None:
    if value is None:
        return
    if name in REAL:
        _check_real(name, value, *REAL[name])
    elif name in LIMITS:
        _check_limit(fields, name, value, caps)
    else:
        fields[name] = _whole(name, value, *WHOLE[name])
        if name in ("n", "best_of") and fields[name] > caps.max_n:
            raise over_cap(name, caps.max_n, value, "safety.max_n")


def largest_limit(fields: dict[str, Any]) -> str | None:
    """The name of the limit on the answer, of the largest where several are set: whichever of them the engine goes by, it
    makes no more.

    None when there is none. What is sent to engines that take one name is `fields.limit_to_send`.
    """
    given = _LIMITS.intersection(fields)
    if len(given) < 2:
        for name in given:
            return name if type(fields[name]) is int else None
        return None
    return max(
        (name for name in LIMITS if name in given and is_whole(fields[name])), key=fields.__getitem__, default=None
    )


def is_whole(value: Any) -> bool:
    """Whether it is a whole number, written as one. In Python true is 1; in a request it is not."""
    return type(value) is int


def as_whole(value: Any) -> Any:
    """256 for 256.0; anything else as it is."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _check_limit(fields: dict[str, Any], name: str, value: Any, caps: Caps) -> None:
    limit = as_whole(value)
    if limit == -1 and is_whole(limit):
        if caps.max_output_tokens:
            raise over_cap(name, caps.max_output_tokens, value, "safety.max_output_tokens")
        del fields[name]
        return
    lowest = 0 if name == "n_predict" or fields.get("echo") or fields.get("prompt_logprobs") is not None else 1
    fields[name] = _whole(name, value, lowest, MAX_TOKENS)
    if caps.max_output_tokens and limit > caps.max_output_tokens:
        raise over_cap(name, caps.max_output_tokens, value, "safety.max_output_tokens")


def _whole(name: str, value: Any, low: int, high: int) -> int:
    number = as_whole(value)
    if not is_whole(number):
        raise wrong_value(name, "a whole number", "整数", value)
    if number < low:
        raise wrong_value(name, f"a whole number of at least {low}", f"{low}以上の整数", value)
    if number > high:
        raise wrong_value(name, f"a whole number of at most {high}", f"{high}以下の整数", value)
    return int(number)


def _check_real(name: str, value: Any, low: float, high: float) -> None:
    if not isinstance(value, int | float) or isinstance(value, bool) or not low <= value <= high:
        raise wrong_value(
            name, f"a number, at least {low:g} and at most {high:g}", f"{low:g}以上{high:g}以下の数値", value
        )


def check_logprobs(fields: dict[str, Any], *, chat: bool) -> None:
    """`logprobs` asks with true or false in a chat, with a number in a text completion (where engines take both)."""
    value = fields.get("logprobs")
    if value is None or isinstance(value, bool):
        return
    if chat:
        raise wrong("logprobs", "true or false", "trueかfalse")
    fields["logprobs"] = _whole("logprobs", value, -1, INT32)


def from_text(name: str, text: str, *, whole: bool) -> int | float:
    """A number of a query string. Raises InvalidRequest."""
    try:
        number = float(text)
        if not whole:
            return number
        # A seed has more digits than a float keeps.
        return int(text) if text.strip().lstrip("+-").isdigit() else int(str(as_whole(number)))
    except ValueError:
        wanted = ("a whole number", "整数") if whole else ("a number", "数値")
        raise wrong_value(name, *wanted, text) from None
