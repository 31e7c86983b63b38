"""What a key may do, and how much: one value, kept with the key and read whole.

Nothing is forbidden and nothing is limited that is not named; what a key leaves open, the configuration's `limits`
decide.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from functools import lru_cache
from typing import Annotated, Final, Literal

from annotated_types import Ge, Le, MinLen
from pydantic import ConfigDict, TypeAdapter

from hayate.settings import AtLeastOne, RateLimits

Name = Annotated[str, MinLen(1)]
Area = Literal["calls", "history", "usage"]
AREAS: Final[tuple[Area, ...]] = ("calls", "history", "usage")
"""What paths belong to: calls of models, conversations that are kept, what was used."""
MAX_WEIGHT: Final = 100
Weight = Annotated[int, Ge(1), Le(MAX_WEIGHT)]
MAX_DEADLINE_MS: Final = 86_400_000
"""A day."""
Deadline = Annotated[int, Ge(1), Le(MAX_DEADLINE_MS)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Defaults:
    """What a key's calls say unless they say otherwise."""

    model: Name | None = None
    system: str | None = None
    """Put before every conversation, also before one that has a system prompt of its own."""
    max_tokens: AtLeastOne | None = None
    store: bool | None = None
    """Whether a response is kept (`history.responses_store_default`)."""
    deadline_ms: Deadline | None = None
    """How long after it came a call is of use; beyond that it is refused, or no longer waited for."""


SAYS_NOTHING: Final = Defaults()
"""Of most keys."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """Of one key."""

    __pydantic_config__ = ConfigDict(extra="ignore")  # a newer release may know more

    models: tuple[Name, ...] | None = None
    """Aliases, deployments and engines' ids that it may call; None: all. An alias covers whatever is behind it."""
    areas: tuple[Area, ...] = AREAS
    limits: RateLimits = field(default_factory=RateLimits)
    model_limits: Mapping[Name, RateLimits] = field(default_factory=dict)
    """By the name that is called, beside those of the key as a whole."""
    weight: Weight = 1
    """Its share where calls queue, against keys of weight 1."""
    max_output_tokens: AtLeastOne | None = None
    """Of one answer."""
    defaults: Defaults = field(default_factory=lambda: SAYS_NOTHING)

    def may_call(self, model: str) -> bool:
        """Whether a model may be called by this name."""
        return self.models is None or model in self.models


FREE: Final = Terms()
"""Nothing forbidden, nothing limited."""
NOTHING: Final = Terms(models=(), areas=())
"""Nothing allowed."""

_TERMS: Final = TypeAdapter(Terms)


@lru_cache(maxsize=1000)
def terms_of(text: str) -> Terms:
    """What was kept; keys that say the same share it. Raises ValueError (pydantic's) for anything else."""
    return _TERMS.validate_json(text)


def text_of(terms: Terms) -> str:
    """As it is kept: what differs from nothing being said."""
    return _TERMS.dump_json(terms, exclude_defaults=True).decode()


@lru_cache(maxsize=1000)
def over(limits: RateLimits, default: RateLimits) -> RateLimits:
    """A key's limits; those that it leaves open are the configuration's."""
    if limits == _NO_LIMITS:
        return default
    said = {each.name: value for each in fields(limits) if (value := getattr(limits, each.name)) is not None}
    return RateLimits(**{each.name: getattr(default, each.name) for each in fields(default)} | said)


_NO_LIMITS: Final = RateLimits()
