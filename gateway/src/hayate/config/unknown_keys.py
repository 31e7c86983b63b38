"""What to say of an entry that a section doesn't take: which one was probably meant, or where it belongs."""

from __future__ import annotations

from typing import Any

from hayate.config.mistakes import Where
from hayate.config.places import Place, fields_of, place_of
from hayate.config.wanted import nearest
from hayate.language import Text

_MEANT = {
    "url": "replicas",
    "urls": "replicas",
    "base_url": "replicas",
    "base_urls": "replicas",
    "backend_url": "replicas",
    "address": "replicas",
    "addresses": "replicas",
    "endpoint": "replicas",
    "endpoints": "replicas",
    "servers": "replicas",
    "engine": "backend",
    "type": "backend",
    "provider": "backend",
    "key": "api_key",
    "token": "api_key",
    "served_model": "model",
    "model_name": "model",
    "models": "deployments",
    "backends": "deployments",
    "engines": "deployments",
    "routes": "aliases",
    "rpm": "requests_per_minute",
    "tpm": "tokens_per_minute",
    "input_tpm": "input_tokens_per_minute",
    "output_tpm": "output_tokens_per_minute",
    "max_parallel_requests": "concurrency",
    "model_limits": "models",
    "path": "file",
    "database": "store",
    "retention_days": "calls_days",
    "concurrency": "max_in_flight",
    "input_price": "input",
    "output_price": "output",
    "cached": "cached_input",
    "cache_read": "cached_input",
    "listen": "host",
    "bind": "host",
    "max_ctx": "context_tokens",
    "context_length": "context_tokens",
    "max_model_len": "context_tokens",
    "cmd": "command",
    "exec": "command",
    "environment": "env",
    "check_endpoint": "ready",
    "checkendpoint": "ready",
    "cmdstop": "stop",
    "proxy": "replicas",
    "ttl": "idle_unload_s",
    "vram": "memory",
    "vram_bytes": "memory",
    "memory_bytes": "memory",
    "gpu_memory": "memory",
    "pinned": "pin",
    "persistent": "pin",
    "device": "gpu",
    "on_startup": "preload",
}
"""What other programs call it."""


def not_an_option(root: type, where: Where) -> Text:
    """Of the last step of `where`, which the section before it does not take."""
    name, section = str(where[-1]), where[:-1]
    _, place = place_of(root, section)
    there = list(fields_of(place.kind))
    meant = _meant(name, there)
    elsewhere = None if meant in _MEANT.values() else _elsewhere(root, name, section)
    if elsewhere is None and meant is None:
        elsewhere = _elsewhere(root, _MEANT.get(_usual(name), name), section)
    if elsewhere is not None:
        return Text(
            f"is not an option here; it belongs at {elsewhere}", f"ここでは使えません。{elsewhere}に書いてください"
        )
    if meant is not None:
        return Text(f"is not an option; did you mean {meant}?", f"そのような設定はありません。{meant}のことですか？")
    listed = ", ".join(there)
    return Text(
        f"is not an option; there are {listed}; remove it",
        f"そのような設定はありません。使えるのは{listed}です。取り除いてください",
    )


def _meant(name: str, there: list[str]) -> str | None:
    meant = _MEANT.get(_usual(name))
    return meant if meant in there else nearest(name, there)


def _usual(name: str) -> str:
    return name.lower().replace("-", "_")


def _elsewhere(root: type, name: str, section: Where) -> str | None:
    """Another section that takes just this."""
    for path, kind in _sections(root):
        if path != section and name in fields_of(kind):
            return ".".join((*path, name))
    return None


def _sections(kind: Any, path: tuple[str, ...] = ()) -> list[tuple[tuple[str, ...], Any]]:
    found = [(path, kind)]
    for name in fields_of(kind):
        _, place = place_of(kind, (name,))
        if place.is_section:
            found += _sections(place.kind, (*path, name))
        else:
            found += _below_names(kind, name, path)
    return found


def _below_names(kind: Any, name: str, path: tuple[str, ...]) -> list[tuple[tuple[str, ...], Any]]:
    known, place = place_of(kind, (name, "x"))
    below: Place | None = place if len(known) == 2 and place.is_section else None
    return _sections(below.kind, (*path, name, "<name>")) if below is not None else []
