"""Several models on one GPU: which fit together and stay loaded, which take turns, and what each may take. Pure.

The models are put into groups; the models of one group are loaded at the same time, and where there are several groups,
they take turns. A grouping is possible when in each group every model has room for one sequence of the full context. Of
those, and of the variants that a name allows, the best is: the fewest models that can't be unloaded, then the fewest
groups, then the most of the wished sequences, then the variants that come first in the catalogue.

What a vLLM that sleeps keeps of the GPU (its CUDA context, its graphs, its libraries' buffers) is taken from all others'
room; a model's own `memory` is what it takes beyond that. Engines that end or unload wholly keep nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import product

from hayate.tools.planner import arithmetic, sleeping
from hayate.tools.planner.arithmetic import MIB
from hayate.tools.planner.engines import Engine, paging, share
from hayate.tools.planner.facts import ModelFacts
from hayate.tools.planner.host import Host
from hayate.tools.planner.plan import Wish, chosen_dtype, element_bytes

MOST_MODELS = 4
LIBRARIES_BYTES = 512 * MIB
"""An allowance: what CUDA's libraries hold while the model sleeps, beside the context and the graphs."""
SLACK_BYTES = 64 * MIB
"""So that sizes rounded for a person to read still fit."""


@dataclass(frozen=True, slots=True)
class Room:
    """What there is to share out."""

    wish: Wish
    left_out_bytes: int = 0
    """Of the GPU, a desktop's."""
    host: Host = field(default_factory=Host)

    @property
    def usable_bytes(self) -> int:
        """What all that is loaded or asleep may take together."""
        return self.wish.gpu.memory_bytes - self.left_out_bytes - SLACK_BYTES


@dataclass(frozen=True, slots=True)
class Candidate:
    """One variant of a model on its engine. `inside` is what the engine's own share has to hold besides the cache, `outside`
    what it takes beyond the share (vLLM: CUDA's context)."""

    name: str
    model: ModelFacts
    engine: Engine
    dtype: str
    context_tokens: int
    typical_tokens: int
    inside_bytes: int
    outside_bytes: int
    asleep_bytes: int
    whole_bytes: int
    typical_bytes: int

    @property
    def least_bytes(self) -> int:
        """The share with which it runs: one sequence of the full context."""
        return self.inside_bytes + self.whole_bytes

    def wished_bytes(self, concurrency: int) -> int:
        """The share with which it runs as many as are wished."""
        return self.inside_bytes + max(self.whole_bytes, concurrency * self.typical_bytes)


@dataclass(frozen=True, slots=True)
class Placed:
    """A model with its share of the GPU."""

    candidate: Candidate
    share_bytes: int
    sequences: int
    typical_sequences: int

    @property
    def loaded_bytes(self) -> int:
        """What it takes of the GPU while it is loaded."""
        return self.share_bytes + self.candidate.outside_bytes


@dataclass(frozen=True, slots=True)
class Arrangement:
    """Who is loaded with whom. `levels` says how each sleeps (vLLM): 1, 2, or None when it can't."""

    groups: tuple[tuple[Placed, ...], ...]
    levels: Mapping[str, sleeping.Level]

    @property
    def turns(self) -> bool:
        """Whether models have to give way to each other."""
        return len(self.groups) > 1

    @property
    def placed(self) -> tuple[Placed, ...]:
        """All of them, in the order in which they were named."""
        return tuple(each for group in self.groups for each in group)


def candidate(name: str, model: ModelFacts, engine: Engine, wish: Wish) -> Candidate:
    """What one model needs on `wish.gpu`."""
    part = share(engine, model, wish.gpu, 1, wish.concurrency)
    context = min(wish.context_tokens, model.context_tokens)
    if engine.splits == "layers":
        context = arithmetic.round_up(context, engine.block_tokens)
    typical = min(wish.typical_tokens, context) if engine.grows_on_demand else context
    dtype = chosen_dtype(model, engine, wish)
    element, pages = element_bytes(dtype, wish.kv_dtype), paging(engine, wish.gpu)
    extra = part.overheads
    working = extra.activation_bytes + extra.graph_bytes
    beside = extra.context_bytes if engine.name == "vllm" else 0
    return Candidate(
        name=name,
        model=model,
        engine=engine,
        dtype=dtype,
        context_tokens=context,
        typical_tokens=typical,
        # A share is given in thousandths of the GPU, rounded down.
        inside_bytes=part.weight_bytes + working + extra.context_bytes - beside + wish.gpu.memory_bytes // 1000,
        outside_bytes=beside,
        asleep_bytes=beside + extra.graph_bytes + LIBRARIES_BYTES if engine.name == "vllm" else 0,
        whole_bytes=arithmetic.kv_bytes_per_sequence(part.attention, context, element, pages),
        typical_bytes=arithmetic.kv_bytes_per_sequence(part.attention, typical, element, pages),
    )


def arrange(named: Sequence[Sequence[Candidate]], room: Room) -> Arrangement | None:
    """The best arrangement of one candidate of each; None when some model fits under none."""
    best: tuple[tuple[float, ...], Arrangement] | None = None
    for chosen in product(*(list(enumerate(variants)) for variants in named)):
        late = sum(index for index, _ in chosen)
        for groups in partitions([each for _, each in chosen]):
            made = _arranged(groups, room)
            if made is None:
                continue
            score = (*_score(made, room.wish.concurrency), float(late))
            if best is None or score < best[0]:
                best = (score, made)
    return best[1] if best else None


def short_bytes(variants: Sequence[Candidate], others: Sequence[Sequence[Candidate]], room: Room) -> int:
    """How much memory the smallest of `variants` lacks when it is loaded alone while all others sleep; 0 when it fits."""
    asleep = sum(min(each.asleep_bytes for each in other) for other in others)
    return max(0, min(each.least_bytes - _shares_bytes([each], asleep, room) for each in variants))


def partitions(items: Sequence[Candidate]) -> Iterator[tuple[tuple[Candidate, ...], ...]]:
    """Every way of putting them into groups, their order kept."""
    if not items:
        yield ()
        return
    first, rest = items[0], items[1:]
    for groups in partitions(rest):
        yield ((first,), *groups)
        for index, group in enumerate(groups):
            yield ((first, *group), *groups[:index], *groups[index + 1 :])


def _arranged(groups: tuple[tuple[Candidate, ...], ...], room: Room) -> Arrangement | None:
    everyone = [each for group in groups for each in group]
    turns = len(groups) > 1
    asleep = sum(each.asleep_bytes for each in everyone) if turns else 0
    placed = []
    for group in groups:
        others = asleep - sum(each.asleep_bytes for each in group) if turns else 0
        shared = _shared_out(group, _shares_bytes(group, others, room), room.wish)
        if shared is None:
            return None
        placed.append(shared)
    levels = sleeping.levels([each.model for each in everyone], room.host) if turns and asleep else ()
    return Arrangement(tuple(_even(placed)), {each.name: level for each, level in zip(everyone, levels, strict=False)})


def _shares_bytes(group: Sequence[Candidate], asleep_bytes: int, room: Room) -> int:
    """What the shares of a group may add up to."""
    beside = sum(each.outside_bytes for each in group)
    return min(int(room.wish.gpu.memory_bytes * room.wish.utilization), room.usable_bytes - beside - asleep_bytes)


def _shared_out(group: Sequence[Candidate], budget: int, wish: Wish) -> tuple[Placed, ...] | None:
    """Each its least, then as much towards what is wished as there is, then the rest where a pool makes use of it."""
    least = [each.least_bytes for each in group]
    wished = [each.wished_bytes(wish.concurrency) for each in group]
    if sum(least) > budget:
        return None
    more = sum(wished) - sum(least)
    towards = min(1.0, (budget - sum(least)) / more) if more else 1.0
    shares = [low + int((high - low) * towards) for low, high in zip(least, wished, strict=True)]
    if all(each.engine.grows_on_demand for each in group):
        spare, pools = (
            budget - sum(shares),
            [high - each.inside_bytes for high, each in zip(wished, group, strict=True)],
        )
        shares = [
            got + (spare * pool // sum(pools) if sum(pools) else 0) for got, pool in zip(shares, pools, strict=True)
        ]
    return tuple(_placed(each, got, wish) for each, got in zip(group, shares, strict=True))


def _placed(each: Candidate, share_bytes: int, wish: Wish) -> Placed:
    pool = share_bytes - each.inside_bytes
    whole = pool // each.whole_bytes if each.whole_bytes else wish.concurrency
    typical = pool // each.typical_bytes if each.typical_bytes else wish.concurrency
    if each.engine.grows_on_demand:
        return Placed(each, share_bytes, whole, typical)
    slots = min(whole, wish.concurrency)
    return Placed(each, each.inside_bytes + slots * each.whole_bytes, slots, slots)


def _even(groups: Sequence[tuple[Placed, ...]]) -> Iterator[tuple[Placed, ...]]:
    """Ollama has one number of slots for all its models: the least that any of them has room for."""
    slots = min(each.sequences for group in groups for each in group)
    for group in groups:
        if group[0].candidate.engine.name != "ollama":
            yield group
            continue
        yield tuple(
            replace(
                each,
                share_bytes=each.candidate.inside_bytes + slots * each.candidate.whole_bytes,
                sequences=slots,
                typical_sequences=slots,
            )
            for each in group
        )


def _score(made: Arrangement, concurrency: int) -> tuple[float, float, float]:
    stuck = sum(1 for level in made.levels.values() if level is None)
    met = sum(min(1.0, each.typical_sequences / concurrency) for each in made.placed)
    return float(stuck), float(len(made.groups)), -round(met, 3)
