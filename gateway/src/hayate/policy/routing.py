"""Which replica gets the next attempt, and what a name stands for."""

from __future__ import annotations

from collections.abc import Collection, Container, Iterable, Mapping, Sequence
from typing import Protocol, TypeVar

from hayate.errors import UnknownModel


class Candidate(Protocol):
    """What a choice looks at."""

    in_flight: int

    def available(self, now: float) -> bool:
        """Whether calls may go there."""


AnyCandidate = TypeVar("AnyCandidate", bound=Candidate)


def least_in_flight(
    replicas: Iterable[AnyCandidate], tried: Container[AnyCandidate], now: float
) -> AnyCandidate | None:
    """The available, untried replica with the fewest calls in flight; ties go to the first listed."""
    best: AnyCandidate | None = None
    for replica in replicas:
        if (best is None or replica.in_flight < best.in_flight) and replica.available(now) and replica not in tried:
            best = replica
    return best


def resolve(
    name: str | None, aliases: Mapping[str, Sequence[str]], served: Mapping[str, Collection[str]]
) -> Sequence[str]:
    """The deployments behind `name`, in the order to try: an alias, a deployment, or an engine's own model id.

    `served` maps each deployment to the model ids its engines answer to. No name means the alias `default`.
    Raises UnknownModel, naming what there is.
    """
    if name is None or name == "":
        name = "default"
    targets = aliases.get(name)
    if targets is not None:
        return targets
    if name in served:
        return (name,)
    matches = [deployment for deployment, models in served.items() if name in models]
    if matches:
        return matches
    known = ", ".join([*aliases, *(each for each in served if each not in aliases)])
    shown = name if len(name) <= 100 else name[:100] + "…"
    raise UnknownModel(
        f"There is no model named {shown!r}. There are: {known}.",
        f"モデル {shown!r} はありません。使えるモデル: {known}",
        param="model",
    )
