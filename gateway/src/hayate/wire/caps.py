"""What the operator allows in a request, as plain values."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from hayate.settings import Listening, Safety
from hayate.wire.image_hosts import NO_HOSTS, ImageHosts


@dataclass(frozen=True, slots=True)
class Caps:
    """How far fields that cost or endanger the engine may go. `allow_fields` lifts the refusal of the named ones."""

    max_n: int = Safety.max_n
    max_output_tokens: int | None = Safety.max_output_tokens
    max_media_bytes: int = Safety.max_media_bytes
    allow_fields: frozenset[str] = frozenset()
    image_hosts: ImageHosts = NO_HOSTS
    max_weight_per_mib: int = Listening.max_json_weight_per_mib


_ELSEWHERE: Final = "requests go only where the operator's configuration says"
RISKY_FIELDS: Final = {
    "chat_template": "a template of the caller's runs inside the engine",
    "chat_template_kwargs": "its values run inside the engine's template",
    "prompt_embeds": "raw tensors are loaded by the engine",
    "mm_processor_kwargs": "its values reach the engine's image processor",
    "media_io_kwargs": "its values reach the engine's media loader",
    "api_base": _ELSEWHERE,
    "base_url": _ELSEWHERE,
    "id_slot": "slots belong to the engine",
    "kv_transfer_params": "it steers the engine's own network traffic",
    "lora_path": "it makes the engine read a path of the caller's",
    "mcp_servers": "the engine would connect where the caller names",
}
