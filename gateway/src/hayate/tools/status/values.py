"""`hayate status --json`: these fields, to which later versions only add.

    status        ready, degraded or unreachable, as the exit status says
    url           the address that was asked; null where none is known
    error         why nothing could be told; null otherwise
    version       the gateway's; uptime_s how long it runs
    aliases       name: [deployment, …]
    deployments   [{name, engine, model, state: ready | degraded | down | failed, or unloaded | loading | draining | unloading
                    of a model that comes and goes, in_flight, queued, replicas, loading}]
    loading       of a model that comes and goes, what `hayate ps --json` says of it, without the speed; else null
    replicas      [{url, state, ready, reason, code, in_flight, last_error: {text, at}}]

What the gateway does not tell is null. Times are ISO 8601 in UTC.
"""

from __future__ import annotations

from typing import Any

from hayate.telemetry.iso_time import iso
from hayate.tools.loading.values import engine_values
from hayate.tools.status.answer import Answer, Deployment, LastError


def values_of(answer: Answer, url: str) -> dict[str, Any]:
    """Of a gateway that told."""
    return {
        "status": answer.overall,
        "url": url,
        "error": None,
        "version": answer.version,
        "uptime_s": answer.uptime_s,
        "aliases": {name: list(targets) for name, targets in answer.aliases.items()},
        "deployments": [_deployment(each) for each in answer.deployments],
    }


def values_without(error: str, url: str | None) -> dict[str, Any]:
    """The same fields where nothing could be told."""
    return {
        **values_of(Answer(None, None, {}, []), url or ""),
        "status": "unreachable",
        "url": url,
        "error": error,
    }


def _deployment(each: Deployment) -> dict[str, Any]:
    return {
        "name": each.name,
        "engine": each.engine,
        "model": each.model,
        "state": each.state,
        "in_flight": each.in_flight,
        "queued": each.queued,
        "loading": None if each.loading is None else engine_values(each.loading),
        "replicas": [
            {
                "url": replica.url,
                "state": replica.state,
                "ready": replica.ready,
                "reason": replica.reason,
                "code": replica.code,
                "in_flight": replica.in_flight,
                "last_error": _last_error(replica.last_error),
            }
            for replica in each.replicas
        ],
    }


def _last_error(error: LastError | None) -> dict[str, Any] | None:
    if error is None:
        return None
    return {"text": error.text, "at": None if error.at is None else iso(error.at)}
