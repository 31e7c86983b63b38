"""Which replica gets the next attempt, and what a name stands for."""

from __future__ import annotations

from collections.abc import Collection, Container, Iterable, Mapping, Sequence
from typing import Protocol, TypeVar

from hayate.errors import UnknownModel
from hayate.policy.ceiling import Ceiling


class Candidate(Protocol):
    """What a choice looks at."""

    in_flight: int
    ceiling: Ceiling

    def available(self, now: float) -> bool:
        """Whether calls may go there."""


AnyCandidate = TypeVar("AnyCandidate", bound=Candidate)


def least_in_flight(
    replicas: Iterable[AnyCandidate], tried: Container[AnyCandidate], now: float
) -> AnyCandidate | None:
    """The available, untried replica with the fewest calls in flight for the places that it has; ties go to the first listed."""
    best: AnyCandidate | None = None
    for replica in replicas:
        if (best is None or _emptier(replica, best)) and replica.available(now) and replica not in tried:
            best = replica
    return best


def _emptier(one: Candidate, other: Candidate) -> bool:
    return one.in_flight * other.ceiling.places < other.in_flight * one.ceiling.places


FIRST_NAMES = ("default", "fast", "smart")
"""The names that are there from the first start."""


def with_first_names(
    aliases: Mapping[str, Sequence[str]], deployments: Sequence[str], served: Collection[str] = ()
) -> Mapping[str, Sequence[str]]:
    """The aliases there are: those that are configured, and `default`, which is the first deployment unless they say otherwise.

    Where none is configured, `fast` and `smart` are the first deployment too, so that what is written for those names runs
    anywhere; an engine's own model of that name (`served`) goes before.
    """
    names = FIRST_NAMES[:1] if aliases else [name for name in FIRST_NAMES if name == "default" or name not in served]
    first = {name: deployments[:1] for name in names if deployments and name not in deployments}
    return {**first, **aliases}


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
