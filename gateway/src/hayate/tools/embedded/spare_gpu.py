"""What this machine's GPU would take, told while the embedded engine computes on the CPU. Silent where there is none."""

from __future__ import annotations

from collections.abc import Sequence

from hayate.language import Text
from hayate.tools.nvml import NoGpu
from hayate.tools.planner.arithmetic import GIB
from hayate.tools.planner.catalogue import load_catalogue
from hayate.tools.planner.found import Card, Machine, card_of
from hayate.tools.planner.plan import Wish, make_plan

NAME_LETTERS = 18
"""Of a card's name; some go on for longer than a line."""


def spare_gpu(machine: Machine | None = None) -> Sequence[Text]:
    """Two lines of an announcement: the card, and the catalogue's first model that is at ease on it. Nothing without a GPU."""
    try:
        card = card_of(None, machine or Machine())
    except NoGpu:
        return ()
    name, size = card.gpu.name[:NAME_LETTERS].rstrip(), f"{card.gpu.memory_bytes / GIB:.0f} GiB"
    first = Text(
        f"it computes on the CPU; the GPU ({name}, {size}) would take",
        f"CPUで計算しています。GPU（{name}、{size}）なら、",
    )
    return (first, _taken(card))


def _taken(card: Card) -> Text:
    wish = Wish(card.gpu, utilization=card.utilization(Wish(card.gpu).utilization))
    for model in load_catalogue():
        plan = make_plan(model, wish)
        if plan.verdict == "fits":
            name, answers = model.id.rpartition("/")[2], plan.typical_sequences
            return Text(
                f"{name}, {answers} answers at once: hayate plan",
                f"{name}を同時に{answers}件動かせます: hayate plan",
            )
    return Text("little of the catalogue: hayate plan", "カタログの一部を動かせます: hayate plan")
