"""GPUs by size or by name: `24GiB`, `24GB`, `24`, `16g`, `rtx4090`, `a100-80g`, `h100`.

A size is taken as given, in GiB whichever of the usual spellings it has: cards are sold in GB that are GiB. A name
stands for what CUDA reports as the card's total memory, which is a little less than its label (ECC and the driver keep
some).
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass

from hayate.tools.planner.arithmetic import GIB
from hayate.tools.refusal import Refusal

SMALLEST_GIB, LARGEST_GIB = 1, 2048


class UnknownGpu(Refusal):
    """Neither a size nor a known name."""

    def __init__(self, given: str) -> None:
        names = ", ".join(sorted(CARDS))
        super().__init__(
            f"--gpu {given}: give a size (24GiB, 24, 16g) or one of {names}",
            f"--gpu {given}: 容量（24GiB、24、16gなど）か、次の名前を指定してください: {names}",
        )


@dataclass(frozen=True, slots=True)
class Gpu:
    """One card. `capability` is CUDA's compute capability, unknown when only a size was given."""

    name: str
    memory_bytes: int
    capability: float | None = None

    @property
    def memory_gib(self) -> float:
        """As cards are told apart."""
        return self.memory_bytes / GIB


# What torch.cuda reports as total memory in GiB (the lower of the values seen), and the compute capability.
CARDS: dict[str, tuple[float, float]] = {
    "v100-16g": (15.7, 7.0),
    "v100-32g": (31.7, 7.0),
    "t4": (14.5, 7.5),
    "rtx2080ti": (10.7, 7.5),
    "a100-40g": (39.3, 8.0),
    "a100-80g": (79.1, 8.0),
    "a30": (23.5, 8.0),
    "a10": (22.0, 8.6),
    "a40": (44.3, 8.6),
    "a6000": (47.4, 8.6),
    "rtx3060": (11.6, 8.6),
    "rtx3090": (23.6, 8.6),
    "rtx4060ti-16g": (15.5, 8.9),
    "rtx4070tisuper": (15.5, 8.9),
    "rtx4080": (15.6, 8.9),
    "rtx4090": (23.5, 8.9),
    "l4": (22.0, 8.9),
    "l40s": (44.3, 8.9),
    "rtx6000ada": (47.4, 8.9),
    "h100": (79.1, 9.0),
    "h200": (139.7, 9.0),
    "gh200": (94.5, 9.0),
    "b200": (178.3, 10.0),
    "rtx5070ti": (15.4, 12.0),
    "rtx5080": (15.4, 12.0),
    "rtx5090": (31.3, 12.0),
    "rtxpro6000": (94.9, 12.0),
}
ALIASES = {
    "a100": "a100-40g",
    "v100": "v100-16g",
    "h100-80g": "h100",
    "a10g": "a10",
    "4090": "rtx4090",
    "3090": "rtx3090",
    "5090": "rtx5090",
    "4080": "rtx4080",
    "3060": "rtx3060",
}
_SIZE = re.compile(r"([0-9]+(?:\.[0-9]+)?)\s*(?:gib|gb|g)?")


def _plain(given: str) -> str:
    """Lower case, and ASCII for what a Japanese keyboard writes in full width."""
    return unicodedata.normalize("NFKC", given).strip().lower()


def parse_size(given: str) -> int | None:
    """Bytes of a size in GiB, None when it is not one."""
    size = _SIZE.fullmatch(_plain(given))
    return int(float(size[1]) * GIB) if size else None


def parse_gpu(given: str) -> Gpu:
    """The card that `given` names or measures. Raises UnknownGpu."""
    plain = _plain(given)
    size = parse_size(plain)
    if size is not None and SMALLEST_GIB * GIB <= size <= LARGEST_GIB * GIB:
        return Gpu(f"{size / GIB:g} GiB", size)
    name = re.sub(r"^(nvidia|geforce|tesla)[ _-]+", "", re.sub(r"^nvidia[ _-]+", "", plain))
    name = name.replace("gib", "g").replace("gb", "g")
    squeezed = {re.sub(r"[ _-]", "", key): key for key in (*CARDS, *ALIASES)}
    key = squeezed.get(re.sub(r"[ _-]", "", name))
    key = ALIASES.get(key or "", key)
    if key is None or key not in CARDS:
        raise UnknownGpu(given)
    gib, capability = CARDS[key]
    return Gpu(key, int(gib * GIB), capability)
