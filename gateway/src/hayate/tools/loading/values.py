"""`hayate ps --json`, and what `load` and `unload` say with it: these fields, to which later versions only add.

    url           the address that was asked; null where none is known
    error         why nothing could be told or done; null otherwise
    engines       [{name, backend, how, state, since_s, why, gpus, memory_bytes, pin, last_load_s, in_flight, waiting, idle_s,
                    tokens_per_s, output_tokens, last_error, retry_in_s, pid, has_log}]
    gpus          [{name, memory_bytes, used_bytes}]

What the gateway does not tell is null. Times are in seconds, `last_error` is in English.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from hayate.tools.loading.answer import Engine, Gpu


def values_of(
    engines: Sequence[Engine],
    rates: Mapping[str, float],
    url: str | None,
    error: str | None = None,
    gpus: Sequence[Gpu] = (),
) -> dict[str, Any]:
    """Of these engines. `rates`: tokens a second, by name."""
    return {
        "url": url,
        "error": error,
        "engines": [engine_values(each, rates.get(each.name)) for each in engines],
        "gpus": [asdict(each) for each in gpus],
    }


def engine_values(each: Engine, rate: float | None = None) -> dict[str, Any]:
    """That of one."""
    return {
        **asdict(each),
        "last_error": None if each.last_error is None else each.last_error.en,
        "tokens_per_s": None if rate is None else round(rate, 1),
    }
