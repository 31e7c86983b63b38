"""`hayate top --json`: these fields, to which later versions only add.

    url           the address that was asked; null where none is known
    error         why nothing could be told; null otherwise
    at            when it was told
    deployments   [{name, engine, model, gpus, capacity, spare, max_queued, in_flight, queued, service_s, tokens_per_s,
                    output_tokens, ceilings, lanes, lane_count}]
    ceilings      [{replica, places, spare, why, since_s, in_flight}]
    lanes         [{key, project, low, weight, counter, in_flight, waiting, oldest_s, wait_p50_s, wait_p95_s}]
    calls         [{id, key, project, model, replica, stream, running_s}], the longest-running first; null where they
                  could not be told
    call_count    how many there are

What the gateway does not tell is null. Times are ISO 8601 in UTC.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from hayate.telemetry.iso_time import iso
from hayate.tools.top.look import Look

UNSEEN = Look(0.0, (), None, None)


def values_of(look: Look, rates: Mapping[str, float], url: str, at: float) -> dict[str, Any]:
    """Of a gateway that told; `at` in seconds since 1970."""
    deployments = [
        {**asdict(each), "tokens_per_s": round(rates[each.name], 1) if each.name in rates else None}
        for each in look.deployments
    ]
    return {
        "url": url,
        "error": None,
        "at": iso(at),
        "deployments": deployments,
        "calls": None if look.calls is None else [asdict(each) for each in look.calls],
        "call_count": look.call_count,
    }


def values_without(error: str, url: str | None, at: float) -> dict[str, Any]:
    """The same fields where nothing could be told."""
    return {**values_of(UNSEEN, {}, "", at), "url": url, "error": error}
