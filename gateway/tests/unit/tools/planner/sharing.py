"""What the tests of several models on one GPU share: round models, and plans for them."""

from __future__ import annotations

from typing import Any

from hayate.tools.planner.arithmetic import GIB
from hayate.tools.planner.catalogue import load_catalogue
from hayate.tools.planner.engines import ENGINES, EngineName
from hayate.tools.planner.facts import ModelFacts
from hayate.tools.planner.gpus import parse_gpu
from hayate.tools.planner.host import Host
from hayate.tools.planner.plan import Wish
from hayate.tools.planner.shared import SharedPlan, plan_shared
from hayate.tools.planner.together import Candidate, Room, candidate
from hayate.tools.planner.variants import Named, find_named
from tests.unit.tools.planner.planned import facts

CATALOGUE = load_catalogue()
PAIR = "qwen2.5-7b,bakeneko-32b"
BIG_HOST = Host(128 * GIB)


def room(gpu: str = "24GiB", host: Host = BIG_HOST, left_out: int = 0, **wish: Any) -> Room:
    return Room(Wish(parse_gpu(gpu), **wish), left_out, host)


def one(name: str, gib: float, where: Room, engine: EngineName = "vllm", **changes: Any) -> Candidate:
    """A model of that many GiB of weights."""
    kind = ENGINES[engine].format
    model: ModelFacts = facts(id=name, weight_bytes=int(gib * GIB), format=kind, **changes)
    return candidate(name, model, ENGINES[engine], where.wish)


def shared(names: str = PAIR, where: Room | None = None) -> SharedPlan:
    """The plan for models of the catalogue."""
    return plan_shared([find_named(name, CATALOGUE) for name in names.split(",")], where or room())


def stuck() -> SharedPlan:
    """A plan with a model that can't sleep: no memory for its weights, which can't be read again either."""
    models = [facts(id=name, weight_bytes=17 * GIB, quantisation="bitsandbytes") for name in ("a/one", "a/two")]
    return plan_shared([Named(model.id[2:], (model,)) for model in models], room(host=Host(20 * GIB)))
