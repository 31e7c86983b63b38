"""What engines tell of their models beside names and sizes: whether they take pictures, and what they sample with unless a
request says otherwise. Nothing is guessed: what an engine does not tell, or tells in a form that is not known, is not known.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any, Final

MAX_TOKENS: Final = "max_tokens"
SAMPLING: Final = (
    *("temperature", "top_p", "top_k", "min_p"),
    *("presence_penalty", "frequency_penalty", "repeat_penalty", "repetition_penalty"),
)
"""The options that are told of, by the names under which requests have them."""
DECIMALS: Final = 6
"""Engines write what they hold in 32 bits: 0.800000011920929."""
IMAGE: Final = "image"


def sampling(told: object) -> dict[str, float]:
    """The options that an engine tells the defaults of; a limit on the answer where it has one."""
    if not isinstance(told, Mapping):
        return {}
    found = {name: round(value, DECIMALS) for name in SAMPLING if (value := _number(told.get(name))) is not None}
    limit = told.get(MAX_TOKENS)
    return {MAX_TOKENS: limit, **found} if isinstance(limit, int) and limit > 0 else found


def takes_images(entry: Mapping[str, Any]) -> bool | None:
    """Of a model in a list, as OpenRouter, llama.cpp and this gateway write it: `architecture.input_modalities`."""
    architecture = entry.get("architecture")
    kinds = architecture.get("input_modalities") if isinstance(architecture, dict) else None
    return IMAGE in kinds if isinstance(kinds, list) else None


def same(told: Iterable[bool | None]) -> bool | None:
    """What all of them say; None where they differ, or say nothing."""
    found = set(told)
    return found.pop() if len(found) == 1 else None


def weakest(told: Iterable[bool | None]) -> bool | None:
    """What holds wherever a call may go: no where any says no; what one has not told yet is as with the others."""
    found = set(told)
    return False if False in found else True if True in found else None


def common(told: Iterable[Mapping[str, float]]) -> dict[str, float]:
    """The defaults on which all agree that tell of any."""
    first, *others = [each for each in told if each] or [{}]
    return {name: value for name, value in first.items() if all(each.get(name) == value for each in others)}


def _number(value: object) -> float | None:
    if isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value):
        return value
    return None
