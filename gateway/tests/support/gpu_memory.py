"""A GPU's memory, as stand-ins for engines share it: who takes what, and who asked for more than there was."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass
class GpuMemory:
    """So much of it. Engines in several threads may use one."""

    total: int = 1
    taken: dict[str, int] = field(default_factory=dict)
    refused: list[str] = field(default_factory=list)
    """Who ran out of memory."""
    most: int = 0
    """How much was taken at once."""

    @property
    def used(self) -> int:
        return sum(self.taken.values())

    def take(self, who: str, size: int) -> bool:
        """Whether there was so much left; whoever has it already takes no more."""
        if self.used - self.taken.get(who, 0) + size > self.total:
            self.refused.append(who)
            return False
        self.taken[who] = size
        self.most = max(self.most, self.used)
        return True

    def free(self, who: str) -> None:
        """Gives back what it had."""
        self.taken.pop(who, None)
