"""What gateways tell of their engines, for these tests."""

from __future__ import annotations

from typing import Any

GIB = 1024**3
CUDA = "fast ended (exit status 1): out of memory on the GPU. Give it less to hold."
CUDA_JA = "fastが終了しました（終了コード1）: GPUのメモリーが不足しています。"
GPU: dict[str, Any] = {"name": "gpu0", "memory_bytes": 23 * GIB, "used_bytes": 9 * GIB + GIB // 2}
READY: dict[str, Any] = {
    "name": "fast",
    "backend": "vllm",
    "how": "run",
    "state": "ready",
    "since_s": 132.4,
    "why": "asked",
    "gpus": ["gpu0"],
    "memory_bytes": 9 * GIB + GIB // 2,
    "pin": False,
    "last_load_s": 34.2,
    "in_flight": 2,
    "waiting": 0,
    "idle_s": None,
    "output_tokens": 1000,
    "last_error": None,
    "retry_in_s": None,
    "pid": 4242,
    "has_log": True,
}
SLEEPS: dict[str, Any] = {
    **READY,
    "name": "smart",
    "how": "sleep",
    "state": "unloaded",
    "since_s": 312.0,
    "why": "gave_way",
    "memory_bytes": 19 * GIB,
    "in_flight": 0,
    "waiting": 1,
    "output_tokens": 0,
    "pid": None,
    "has_log": False,
}
FAILED: dict[str, Any] = {
    **READY,
    "name": "broken",
    "state": "failed",
    "since_s": 4.0,
    "why": "crashed",
    "in_flight": 0,
    "pid": None,
    "last_error": {"text": CUDA, "text_ja": CUDA_JA},
    "retry_in_s": 8.0,
}
ELSEWHERE: dict[str, Any] = {
    **READY,
    "name": "remote",
    "how": None,
    "why": "",
    "gpus": [],
    "memory_bytes": None,
    "last_load_s": None,
    "in_flight": 0,
    "idle_s": 12.3,
    "pid": None,
    "has_log": False,
}
