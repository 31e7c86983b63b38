"""The answer for one model on one kind of GPU: what it takes, what is left, how many fit, and which flags follow. Pure."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from hayate.language import Text
from hayate.tools.planner import arithmetic, remarks
from hayate.tools.planner.arithmetic import TYPICAL_TOKENS, Overheads
from hayate.tools.planner.engines import (
    ENGINES,
    KV_ELEMENT_BYTES,
    Engine,
    EngineName,
    KvDtype,
    Share,
    paging,
    pool_bytes,
    share,
    usual_engine,
)
from hayate.tools.planner.facts import ModelFacts
from hayate.tools.planner.flags import ALL_LAYERS, Flags, LaunchSettings, engine_flags
from hayate.tools.planner.gpus import Gpu
from hayate.tools.planner.remarks import BF16_FROM, Remark

# fits: as many sequences of typical length as asked for. fewer: at least one, whole. partly: llama.cpp leaves layers on
# the CPU. no: not even one.
# unusable: the engine can't run these files, or not like this.
Verdict = Literal["fits", "fewer", "partly", "no", "unusable"]
MOST_GPUS = 64


@dataclass(frozen=True, slots=True)
class Wish:
    """What the user asked for."""

    gpu: Gpu
    gpus: int = 1
    engine: EngineName | None = None
    context_tokens: int = 8192
    typical_tokens: int = TYPICAL_TOKENS
    concurrency: int = 8
    utilization: float = 0.9
    dtype: str = "auto"
    kv_dtype: KvDtype = "auto"


@dataclass(frozen=True, slots=True)
class Plan:
    """All bytes are per GPU, except where an engine splits by layers: then they are of all GPUs together."""

    model: ModelFacts
    wish: Wish
    engine: Engine
    verdict: Verdict
    context_tokens: int
    dtype: str
    memory_bytes: int
    weight_bytes: int
    overheads: Overheads
    pool_bytes: int
    kv_bytes_per_token: float
    kv_bytes_per_sequence: int
    sequences: int
    """At the full context; where not even one fits, nothing runs."""
    typical_tokens: int
    """The context itself where each sequence has a slot of its own."""
    kv_bytes_per_typical: int
    typical_sequences: int
    """As many as are let in at once: those that grow longer than most find room among those that don't."""
    pool_tokens: int
    longest_context_tokens: int
    gpu_layers: int
    remarks: tuple[Remark, ...]
    flags: Flags | None

    @property
    def kv_bytes(self) -> int:
        """The cache that the wished sequences take at the typical length."""
        return self.kv_bytes_per_typical * self.wish.concurrency

    @property
    def left_bytes(self) -> int:
        """What the pool has beyond that; negative when it is not enough."""
        return self.pool_bytes - self.kv_bytes


def make_plan(model: ModelFacts, wish: Wish, catalogue: Sequence[ModelFacts] = ()) -> Plan:
    """The plan for `model`. `catalogue` is where lighter variants of it are looked for when it does not fit."""
    return _finished(_counted(model, wish), catalogue)


def _counted(model: ModelFacts, wish: Wish) -> Plan:
    """The figures and the verdict, before anything follows from them."""
    engine = ENGINES[wish.engine] if wish.engine else usual_engine(model)
    context = min(wish.context_tokens, model.context_tokens)
    if engine.splits == "layers":
        context = arithmetic.round_up(context, engine.block_tokens)
    dtype = chosen_dtype(model, engine, wish)
    part = share(engine, model, wish.gpu, wish.gpus, wish.concurrency)
    pool = pool_bytes(engine, part, wish.utilization)
    element, pages = element_bytes(dtype, wish.kv_dtype), paging(engine, wish.gpu)
    per_sequence = arithmetic.kv_bytes_per_sequence(part.attention, context, element, pages)
    sequences = _whole(arithmetic.concurrency(pool, per_sequence), wish)
    typical = min(wish.typical_tokens, context) if engine.grows_on_demand else context
    per_typical = arithmetic.kv_bytes_per_sequence(part.attention, typical, element, pages)
    at_once = _whole(arithmetic.concurrency(pool, per_typical), wish) if sequences else 0
    said = [
        *remarks.format_remarks(model, engine),
        *remarks.dtype_remarks(model, engine, wish.gpu, dtype),
        *remarks.kv_remarks(engine, wish.gpu, wish.kv_dtype),
        *remarks.size_remarks(model, engine, wish.gpus, wish.context_tokens),
    ]
    layers = (
        ALL_LAYERS if sequences >= 1 or engine.splits == "tensors" else _layers_on_gpu(part, model, wish, per_sequence)
    )
    return Plan(
        model=model,
        wish=wish,
        engine=engine,
        verdict=_verdict(said, at_once, wish, layers if engine.splits == "layers" else 0),
        context_tokens=context,
        dtype=dtype,
        memory_bytes=part.memory_bytes,
        weight_bytes=part.weight_bytes,
        overheads=part.overheads,
        pool_bytes=pool,
        kv_bytes_per_token=arithmetic.kv_bytes_per_token(part.attention, element),
        kv_bytes_per_sequence=per_sequence,
        sequences=sequences,
        typical_tokens=typical,
        kv_bytes_per_typical=per_typical,
        typical_sequences=at_once,
        pool_tokens=arithmetic.kv_tokens(pool, part.attention, context, element, pages),
        longest_context_tokens=arithmetic.longest_context(
            pool, 1, part.attention, element, paging=pages, limit_tokens=model.context_tokens
        ),
        gpu_layers=layers,
        remarks=tuple(said),
        flags=None,
    )


def chosen_dtype(model: ModelFacts, engine: Engine, wish: Wish) -> str:
    """The `--dtype` to run with: as asked; else half for AWQ, which every release takes, and on GPUs without bfloat16."""
    if wish.dtype != "auto" or engine.format == "gguf":
        return wish.dtype
    if model.quantisation == "awq" and not model.float16_unstable:
        return "half"
    capability = wish.gpu.capability
    return "half" if capability is not None and capability < BF16_FROM else "auto"


def element_bytes(dtype: str, kv_dtype: str) -> float:
    """What one cached number takes: engines keep the cache in the type they compute in, unless told otherwise."""
    return KV_ELEMENT_BYTES.get(kv_dtype, 4.0 if dtype in ("float", "float32") else 2.0)


def _verdict(said: Sequence[Remark], sequences: int, wish: Wish, layers: int) -> Verdict:
    if any(remark.level == "error" for remark in said):
        return "unusable"
    if sequences >= wish.concurrency:
        return "fits"
    if sequences >= 1:
        return "fewer"
    return "partly" if layers else "no"


def _whole(room: float, wish: Wish) -> int:
    """A model without any cache holds as many as are wished."""
    return wish.concurrency if math.isinf(room) else int(room)


def _layers_on_gpu(part: Share, model: ModelFacts, wish: Wish, per_sequence: int) -> int:
    """How many of llama.cpp's layers (the output counts as one) fit with one sequence; each brings its part of the cache."""
    budget = int(part.memory_bytes * wish.utilization) - part.overheads.total_bytes
    each = (part.weight_bytes + per_sequence) / (model.layers + 1)
    return max(0, min(model.layers, int(budget / each))) if each else 0


def _finished(plan: Plan, catalogue: Sequence[ModelFacts]) -> Plan:
    """With what follows from the verdict: advice when it does not fit, flags when it does."""
    wish, engine = plan.wish, plan.engine
    more: list[Remark] = []
    if plan.verdict in ("fewer", "no", "partly"):
        more += remarks.fit_remarks(plan.typical_sequences, wish.concurrency, engine, plan.typical_tokens)
        more += _advice(plan, catalogue)
    if 1 <= plan.sequences < min(wish.concurrency, plan.typical_sequences):
        more += remarks.growth_remarks(plan.sequences, plan.context_tokens)
    if plan.verdict in ("no", "unusable"):
        return replace(plan, remarks=(*plan.remarks, *more))
    settings = LaunchSettings(
        context_tokens=plan.context_tokens,
        sequences=max(1, min(wish.concurrency, plan.typical_sequences)),
        utilization=wish.utilization,
        dtype=plan.dtype,
        kv_dtype=wish.kv_dtype,
        gpus=wish.gpus,
        gpu_layers=plan.gpu_layers if plan.gpu_layers < ALL_LAYERS else max(ALL_LAYERS, plan.model.layers + 1),
    )
    return replace(plan, remarks=(*plan.remarks, *more), flags=engine_flags(engine.name, plan.model, settings))


def _advice(plan: Plan, catalogue: Sequence[ModelFacts]) -> Iterator[Remark]:
    """What would fit instead, nearest change first."""
    wish, model = plan.wish, plan.model
    if plan.verdict == "partly":
        yield Remark(
            "warning",
            "layers-on-cpu",
            Text(
                f"{plan.gpu_layers} of {model.layers + 1} layers fit on the GPU; the rest runs on the CPU, many times slower.",
                f"{model.layers + 1}層中{plan.gpu_layers}層だけがGPUに載ります。残りはCPUで動くため、何倍も遅くなります。",
            ),
        )
    if plan.sequences == 0 and plan.longest_context_tokens > 0:
        yield _try("shorter-context", f"--context {plan.longest_context_tokens}", _count(1), "1件なら収まります")
    for kind in plan.engine.kv_dtypes:
        if (
            kind not in ("auto", wish.kv_dtype)
            and (other := _sequences(model, replace(wish, kv_dtype=kind))) > plan.typical_sequences
        ):
            yield _try("smaller-cache", f"--kv-cache-dtype {kind}", _count(other), f"{other}件が収まります")
    for gpus in (2, 4, 8):
        if gpus > wish.gpus and _sequences(model, replace(wish, gpus=gpus)) >= wish.concurrency:
            yield _try(
                "more-gpus",
                f"--gpus {gpus}",
                _count(wish.concurrency),
                f"{wish.concurrency}件が収まります",
            )
            break
    for sibling in catalogue:
        if sibling.id != model.id and sibling.family and sibling.family == model.family:
            lighter = _sequences(sibling, replace(wish, engine=wish.engine if sibling.format == model.format else None))
            if lighter > plan.typical_sequences:
                yield _try("lighter-variant", f"--model {sibling.id}", _count(lighter), f"{lighter}件が収まります")


def _try(code: str, option: str, en: str, ja: str) -> Remark:
    return Remark("note", code, Text(f"With {option}, {en}.", f"{option} にすると、{ja}。"))


def _count(sequences: int) -> str:
    return "1 sequence fits" if sequences == 1 else f"{sequences} sequences fit"


def _sequences(model: ModelFacts, wish: Wish) -> int:
    """How many fit in another arrangement; 0 when it can't run like that."""
    made = _counted(model, wish)
    return 0 if made.verdict == "unusable" else made.typical_sequences
