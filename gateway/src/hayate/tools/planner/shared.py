"""The answer for several models on one GPU: who stays loaded, who takes turns, what to know, and each one's flags."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from hayate.language import Text
from hayate.tools.planner import remarks, sleeping
from hayate.tools.planner.arithmetic import GIB, KIB
from hayate.tools.planner.engines import ENGINES, Engine, EngineName
from hayate.tools.planner.facts import FactsMissing, ModelFacts
from hayate.tools.planner.flags import ALL_LAYERS, Flags, LaunchSettings, engine_flags
from hayate.tools.planner.plan import Wish, chosen_dtype
from hayate.tools.planner.remarks import Remark
from hayate.tools.planner.together import (
    SLACK_BYTES,
    Arrangement,
    Candidate,
    Placed,
    Room,
    arrange,
    candidate,
    short_bytes,
)
from hayate.tools.planner.variants import Named, require_format

TAKE_TURNS: tuple[EngineName, ...] = ("vllm", "ollama", "llamacpp")
"""Engines whose models can be loaded and let go of while others have the GPU."""
CONTEXTS = (4096, 2048, 1024)
"""Shorter ones that are tried when not everything fits."""


@dataclass(frozen=True, slots=True)
class SharedPlan:
    """What was asked for, and what came of it. `arrangement` is None when a model fits under none; `short` says which."""

    room: Room
    engine: Engine
    arrangement: Arrangement | None
    short: Mapping[str, int]
    remarks: tuple[Remark, ...]

    @property
    def works(self) -> bool:
        """Whether it can be run as planned."""
        return self.arrangement is not None and not any(remark.level == "error" for remark in self.remarks)

    @property
    def sleeps(self) -> bool:
        """Whether engines stay and sleep while others have the GPU."""
        return self.engine.name == "vllm" and self.arrangement is not None and self.arrangement.turns

    @property
    def gpu_bytes(self) -> int:
        """What all that is loaded may take together: the GPU without a desktop and without what sleeping engines keep."""
        placed = self.arrangement.placed if self.arrangement else ()
        asleep = sum(each.candidate.asleep_bytes for each in placed) if self.sleeps else 0
        return self.room.usable_bytes + SLACK_BYTES - asleep

    def memory_bytes(self, placed: Placed) -> int:
        """What a model takes of that while it is loaded."""
        return placed.loaded_bytes - (placed.candidate.asleep_bytes if self.sleeps else 0)

    def flags(self, placed: Placed) -> Flags:
        """What the engine is started with for it."""
        wish, each = self.room.wish, placed.candidate
        settings = LaunchSettings(
            context_tokens=each.context_tokens,
            sequences=max(1, min(wish.concurrency, placed.typical_sequences)),
            utilization=(placed.share_bytes + KIB) * 1000 // wish.gpu.memory_bytes / 1000,
            dtype=each.dtype,
            kv_dtype=wish.kv_dtype,
            gpus=1,
            gpu_layers=max(ALL_LAYERS, each.model.layers + 1),
        )
        flags = engine_flags(self.engine.name, each.model, settings)
        if not self.sleeps:
            return flags
        return replace(flags, command=("VLLM_SERVER_DEV_MODE=1", *flags.command, "--enable-sleep-mode"))


def plan_shared(named: Sequence[Named], room: Room) -> SharedPlan:
    """The plan. Raises FactsMissing where a model has nothing that the engine takes."""
    engine = shared_engine(named, room.wish)
    choices = [_candidates(each, engine, room.wish) for each in named]
    made = arrange(choices, room)
    if made is not None:
        return SharedPlan(room, engine, made, {}, tuple(_remarks(made, engine, room)))
    short = {
        each.name: lacking
        for index, (each, variants) in enumerate(zip(named, choices, strict=True))
        if (lacking := short_bytes(variants, [*choices[:index], *choices[index + 1 :]], room))
    }
    return SharedPlan(room, engine, None, short, tuple(_advice(named, engine, room)))


def shared_engine(named: Sequence[Named], wish: Wish) -> Engine:
    """The one that was asked for; else vLLM where every model has weights for it, else llama.cpp."""
    if wish.engine:
        return ENGINES[wish.engine]
    return ENGINES["vllm" if all(each.of_format("safetensors") for each in named) else "llamacpp"]


def _candidates(named: Named, engine: Engine, wish: Wish) -> list[Candidate]:
    """The variants that can run at all on this GPU."""
    found = require_format(named, engine.format, engine.title)
    errors = {model.id: [each for each in _said(model, engine, wish) if each.level == "error"] for model in found}
    usable = [candidate(named.name, model, engine, wish) for model in found if not errors[model.id]]
    if not usable:
        text = errors[found[0].id][0].text
        raise FactsMissing(f"{named.name}: {text.en}", f"{named.name}: {text.ja}")
    return usable


def _said(model: ModelFacts, engine: Engine, wish: Wish) -> list[Remark]:
    return [
        *remarks.dtype_remarks(model, engine, wish.gpu, chosen_dtype(model, engine, wish)),
        *remarks.kv_remarks(engine, wish.gpu, wish.kv_dtype),
        *remarks.size_remarks(model, engine, 1, wish.context_tokens),
    ]


def _remarks(made: Arrangement, engine: Engine, room: Room) -> Iterator[Remark]:
    wish = room.wish
    for placed in made.placed:
        each = placed.candidate
        fit = remarks.fit_remarks(placed.typical_sequences, wish.concurrency, engine, each.typical_tokens)
        for said in (*_said(each.model, engine, wish), *(() if engine.name == "ollama" else fit)):
            yield Remark(said.level, said.code, Text(f"{each.name}: {said.text.en}", f"{each.name}: {said.text.ja}"))
    if engine.name == "vllm" and made.turns:
        yield from _sleeping(made, room)
    if engine.name == "ollama":
        slots = made.placed[0].sequences
        yield Remark(
            "note" if slots >= wish.concurrency else "warning",
            "one-number-of-slots",
            Text(
                f"Ollama has one number of slots for all its models (OLLAMA_NUM_PARALLEL), and for the largest it is {slots}.",
                f"Ollamaの並列数（OLLAMA_NUM_PARALLEL）は全モデル共通で、最も大きいモデルに合わせて{slots}にします。",
            ),
        )


def _sleeping(made: Arrangement, room: Room) -> Iterator[Remark]:
    """What the host's memory allows."""
    models = [each.candidate.model for each in made.placed]
    needed, host = sleeping.needed_bytes(models) / GIB, room.host
    if host.memory_bytes is None:
        yield Remark(
            "warning",
            "host-memory-unknown",
            Text(
                f"While they sleep the weights lie in the machine's memory: {needed:.0f} GiB of it."
                " How much there is, --host-memory says.",
                f"スリープ中の重みは本体のメモリーに置かれ、{needed:.0f} GiB必要です。搭載量は`--host-memory`で指定できます。",
            ),
        )
        return
    kept = max(each.candidate.asleep_bytes for each in made.placed) / GIB
    yield Remark(
        "note",
        "asleep",
        Text(
            f"A sleeping engine keeps about {kept:.1f} GiB of the GPU; at level 1 its weights lie in the machine's memory"
            f" ({needed:.0f} GiB if all sleep).",
            f"スリープ中のエンジンもGPUを約{kept:.1f} GiB使います。"
            f"レベル1の重みは本体のメモリーに置かれます（全モデルで{needed:.0f} GiB）。",
        ),
    )
    for level, name in ((2, "level-2"), (None, "can-not-sleep")):
        found = [each for each in made.placed if made.levels[each.candidate.name] == level]
        for each in found:
            yield _no_level_1(each, name, host.memory_bytes / GIB)
    if host.wsl and any(level != 1 for level in made.levels.values()):
        yield Remark(
            "note",
            "wsl-memory",
            Text(
                "Windows gives WSL half of the machine's memory; memory= under [wsl2] in .wslconfig gives it more.",
                "WSLが使えるのは本体メモリーの半分です。.wslconfigの[wsl2]に`memory=`を書くと増やせます。",
            ),
        )


def _no_level_1(placed: Placed, code: str, host_gib: float) -> Remark:
    name, weights = placed.candidate.name, placed.candidate.model.weight_bytes / GIB
    if code == "level-2":
        quantised = placed.candidate.model.quantisation != "none"
        odd = Text(
            " For quantised weights that takes vLLM 0.32, by its source; look at the first answers after a waking.",
            "量子化された重みの読み直しは、ソースコードによればvLLM 0.32以降で可能です。復帰後の最初の回答を確認してください。",
        )
        return Remark(
            "warning",
            code,
            Text(
                f"{name} sleeps at level 2: {weights:.0f} GiB of weights find no room in {host_gib:.0f} GiB of host memory,"
                f" so each waking reads them from the disk.{odd.en if quantised else ''}",
                f"{name}のスリープはレベル2です。本体のメモリー（{host_gib:.0f} GiB）に重み（{weights:.0f} GiB）が収まらないため、"
                f"復帰のたびにディスクから読み込みます。{odd.ja if quantised else ''}",
            ),
        )
    return Remark(
        "error",
        code,
        Text(
            f"{name} can't sleep: weights of this format, {weights:.0f} GiB, need host memory (level 1), and of {host_gib:.0f} GiB"
            " too little is left. More memory, or --engine llamacpp, which stops and starts instead.",
            f"{name}はスリープできません。この形式の重み（{weights:.0f} GiB）は本体のメモリーに置く必要がありますが（レベル1）、"
            f"{host_gib:.0f} GiBでは足りません。メモリーを増やすか、停止と起動で入れ替える`--engine llamacpp`にしてください。",
        ),
    )


def _advice(named: Sequence[Named], engine: Engine, room: Room) -> Iterator[Remark]:
    """What would make room, nearest change first."""
    for context in CONTEXTS:
        if context < room.wish.context_tokens and _fits(named, engine, room, context_tokens=context):
            yield _try("shorter-context", f"--context {context}")
            break
    for kind in engine.kv_dtypes:
        if kind not in ("auto", room.wish.kv_dtype) and _fits(named, engine, room, kv_dtype=kind):
            yield _try("smaller-cache", f"--kv-cache-dtype {kind}")


def _fits(named: Sequence[Named], engine: Engine, room: Room, **changed: object) -> bool:
    wish = replace(room.wish, **changed)  # type: ignore[arg-type]
    other = Room(wish, room.left_out_bytes, room.host)
    return arrange([_candidates(each, engine, wish) for each in named], other) is not None


def _try(code: str, option: str) -> Remark:
    return Remark("note", code, Text(f"With {option}, all fit.", f"`{option}`にすると、すべて収まります。"))
