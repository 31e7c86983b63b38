"""What is wrong with a configuration, in the words of whoever wrote it: where it stands, what belongs there and how to
mend it, in both languages. Whoever finds mistakes goes on and finds them all; what is told is all of them, a line each.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from hayate.language import BilingualError, Text

Where = tuple[int | str, ...]
"""A place among the values: `("deployments", "qwen", "replicas", 0)`."""


class Told(ValueError):
    """For a check of the models: what it says is told as it stands."""

    def __init__(self, english: str, japanese: str) -> None:
        super().__init__(english)
        self.text = Text(english, japanese)


@dataclass(frozen=True, slots=True)
class Mistake:
    """One thing to mend. It stands on a line of the file, or in a variable of the environment."""

    where: Where
    text: Text
    line: int | None = None
    variable: str | None = None
    outer: bool = True
    """What is inside of it is wrong too, and not worth telling."""

    def told(self, source: str) -> Text:
        """With its place in front: `source` is the file, and counts unless a variable is at fault."""
        path = ".".join(str(step) for step in self.where)
        if self.variable is not None:
            english, japanese = (f" ({path})", f"（{path}）") if path else ("", "")
            return Text(
                f"environment: {self.variable}{english}: {self.text.en}",
                f"環境変数{self.variable}{japanese}: {self.text.ja}",
            )
        path = f"{path}: " if path else ""
        english, japanese = (f"line {self.line}: ", f"{self.line}行目: ") if self.line else ("", "")
        return Text(f"{source}: {english}{path}{self.text.en}", f"{source}: {japanese}{path}{self.text.ja}")


class ConfigError(BilingualError):
    """The configuration can't be used; the text lists every mistake, one a line."""

    @classmethod
    def of(cls, source: str, mistakes: Iterable[Mistake]) -> ConfigError:
        """All of them, in the order of the file; what is the environment's comes last."""
        found = sorted(mistakes, key=lambda each: (each.variable is not None, each.line or 0))
        lines = [each.told(source) for each in found]
        return cls("\n".join(each.en for each in lines), "\n".join(each.ja for each in lines))


class Findings:
    """The mistakes found so far, one for each place: what is wrong inside of something wrong is its consequence."""

    def __init__(self) -> None:
        self.all: list[Mistake] = []

    def add(self, mistake: Mistake) -> None:
        """Unless the place itself, or what it is a part of, has been told."""
        if not self.holds(mistake.where):
            self.all.append(mistake)

    def holds(self, where: Where) -> bool:
        """Whether this place, or one that it is a part of, is among the mistakes."""
        return any(each.outer and each.where and where[: len(each.where)] == each.where for each in self.all)

    def within(self, where: Where) -> bool:
        """Whether a part of this place is among the mistakes."""
        return any(each.where[: len(where)] == where for each in self.all)
