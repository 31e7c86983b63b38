"""What gateways tell of their queues, for these tests."""

from __future__ import annotations

from typing import Any

LANE: dict[str, Any] = {
    "key": "6b01ba977411",
    "project": "batch",
    "low": False,
    "weight": 1,
    "counter": 120_000.5,
    "in_flight": 34,
    "waiting": 466,
    "oldest_s": 72.14,
    "wait_p50_s": 41.0,
    "wait_p95_s": 78.25,
}
BOT: dict[str, Any] = {
    "key": "c0ffee123456",
    "project": "bot",
    "low": False,
    "weight": 5,
    "counter": 1200,
    "in_flight": 1,
    "waiting": 0,
    "oldest_s": 0,
    "wait_p50_s": 0.0,
    "wait_p95_s": 0.081,
}
LOWERED: dict[str, Any] = {**BOT, "low": True, "weight": 0.5, "in_flight": 0, "wait_p50_s": None, "wait_p95_s": None}
CEILING: dict[str, Any] = {
    "replica": "qwen/0",
    "places": 32,
    "spare": 4,
    "why": "raised",
    "since_s": 12.5,
    "in_flight": 35,
}


def deployment(*lanes: dict[str, Any], name: str = "qwen", **more: Any) -> dict[str, Any]:
    """One with these lanes."""
    return {
        "name": name,
        "engine": "vllm",
        "model": "Qwen/Qwen2.5-7B-Instruct",
        "gpus": ["gpu0"],
        "capacity": 32,
        "spare": 4,
        "max_queued": 512,
        "in_flight": sum(each["in_flight"] for each in lanes),
        "queued": sum(each["waiting"] for each in lanes),
        "service_s": 8.2,
        "output_tokens": 1000,
        "ceilings": [CEILING],
        "lanes": list(lanes),
        "lane_count": len(lanes),
        **more,
    }


def call(running_s: float, **more: Any) -> dict[str, Any]:
    """One under way."""
    return {
        "id": f"req-{running_s:g}",
        "request_id": f"req-{running_s:g}",
        "key": "6b01ba977411",
        "project": "batch",
        "path": "chat",
        "model": "fast",
        "deployment": "qwen",
        "replica": "qwen/0",
        "stream": True,
        "running_ms": int(running_s * 1000),
        **more,
    }


def calls(*found: dict[str, Any]) -> dict[str, Any]:
    """The answer with these calls."""
    return {"in_flight": list(found), "in_flight_count": len(found), "data": [], "has_more": False}
