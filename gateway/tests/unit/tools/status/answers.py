"""What gateways say of themselves, for these tests."""

from __future__ import annotations

from typing import Any

AT = 1_790_000_000.0
WELL: dict[str, Any] = {
    "url": "http://127.0.0.1:8000",
    "state": "ok",
    "healthy": True,
    "in_flight": 2,
    "last_error": None,
}
DOWN: dict[str, Any] = {
    "url": "http://127.0.0.1:8001",
    "state": "unreachable",
    "healthy": False,
    "in_flight": 0,
    "last_error": {"text": "nothing listens there", "at": AT - 10},
}


def deployment(*replicas: dict[str, Any], name: str = "small") -> dict[str, Any]:
    """One that has these."""
    return {"name": name, "engine": "vllm", "model": "qwen", "in_flight": 2, "queued": 1, "replicas": list(replicas)}
