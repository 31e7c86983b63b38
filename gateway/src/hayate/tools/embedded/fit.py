"""How much of a model is run at once, and whether that fits in this machine's memory. Arithmetic only.

Weights, the cache of every slot, the logits of one batch, and what the process itself takes. An estimate: it is there
to say beforehand what would otherwise be a machine that swaps or a process that is killed.
"""

from __future__ import annotations

from dataclasses import dataclass

from hayate.tools.embedded.refusals import ModelRefused, TooLittleMemory
from hayate.tools.embedded.weights import Weights
from hayate.tools.planner.arithmetic import GIB, MIB, Paging, kv_bytes_per_sequence

DEFAULT_CONTEXT_TOKENS = 4096
F16_BYTES = 2
BATCH_TOKENS = 512
LOGIT_BYTES = 4
PROCESS_BYTES = 64 * MIB


@dataclass(frozen=True, slots=True)
class Need:
    """Bytes of memory, by what they are for."""

    weights: int
    cache: int
    rest: int

    @property
    def total(self) -> int:
        """What must be free before the engine is started."""
        return self.weights + self.cache + self.rest


def context_of(weights: Weights, wished: int | None) -> int:
    """Tokens of one slot: as wished, else 4096, never more than the model has. Raises ModelRefused."""
    most = weights.facts.context_tokens
    if wished is None:
        return min(DEFAULT_CONTEXT_TOKENS, most)
    if wished > most:
        raise ModelRefused(
            f"{weights.served_model} has {most} tokens of context, not {wished}; lower --context.",
            f"{weights.served_model} のコンテキストは{most}トークンまでです（指定: {wished}）。--context を下げてください。",
        )
    return wished


def need_of(weights: Weights, context_tokens: int, slots: int) -> Need:
    """What `slots` answers at once take, each with its full context."""
    facts = weights.facts
    cache = slots * kv_bytes_per_sequence(facts.attention, context_tokens, F16_BYTES, Paging())
    return Need(weights.size_bytes, cache, facts.vocab * BATCH_TOKENS * LOGIT_BYTES + PROCESS_BYTES)


def require_memory(weights: Weights, need: Need, available_bytes: int | None) -> None:
    """Raises TooLittleMemory; an unknown amount is enough."""
    if available_bytes is None or need.total <= available_bytes:
        return
    total, cache, free = (f"{each / GIB:.1f} GiB" for each in (need.total, need.cache, available_bytes))
    raise TooLittleMemory(
        f"{weights.served_model} needs about {total} of memory ({cache} of it for context) and {free} are free: choose a"
        f" smaller model or quantisation, or lower --context and --slots (--no-memory-check starts it all the same).",
        f"{weights.served_model} には約 {total} のメモリーが必要ですが（うちコンテキスト用 {cache}）、空きは {free} です。"
        f"より小さいモデルか量子化を選ぶか、--context と --slots を下げてください（--no-memory-check で確認を省けます）。",
    )
