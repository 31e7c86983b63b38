"""What the models expect at each place of a configuration, found by walking them: so a setting that is added there has
its words without being named here.
"""

from __future__ import annotations

import dataclasses
import types
from collections.abc import Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from hayate.config.mistakes import Where


@dataclass(frozen=True, slots=True)
class Place:
    """One place: what kind of value it takes (None among them if `nullable`), within which bounds."""

    kind: Any
    bounds: tuple[Any, ...] = ()
    nullable: bool = False
    words: tuple[str, ...] = ()
    """What may stand there in place of a number."""

    @property
    def is_section(self) -> bool:
        """Whether it holds entries by fixed names."""
        return dataclasses.is_dataclass(self.kind) or (isinstance(self.kind, type) and issubclass(self.kind, BaseModel))

    @property
    def is_number(self) -> bool:
        """Whether a number belongs there."""
        return self.kind in (int, float, Decimal)

    @property
    def choices(self) -> tuple[Any, ...]:
        """The words to choose from, if there are such."""
        return get_args(self.kind) if get_origin(self.kind) is Literal else ()


def fields_of(kind: Any) -> Mapping[str, FieldInfo]:
    """The entries that a section takes."""
    found: Mapping[str, FieldInfo] = getattr(kind, "__pydantic_fields__", {})
    return found


def place_of(root: type, where: Where) -> tuple[Where, Place]:
    """What is expected at `where`, or at as much of it as the models know."""
    place, known = Place(root), 0
    for step in where:
        inner = _inside(place, step)
        if inner is None:
            break
        place, known = inner, known + 1
    return where[:known], place


def _inside(place: Place, step: int | str) -> Place | None:
    kind = place.kind
    if place.is_section:
        info = fields_of(kind).get(str(step))
        return None if info is None else _place(info.annotation, tuple(info.metadata))
    origin, inner = get_origin(kind), get_args(kind)
    if origin is tuple and isinstance(step, int):
        return _place(inner[0])
    if isinstance(origin, type) and issubclass(origin, Mapping) and inner[1] is not Any:
        return _place(inner[1])
    return None


def _place(annotation: Any, bounds: tuple[Any, ...] = (), nullable: bool = False) -> Place:
    """The annotation without what is around its kind."""
    if get_origin(annotation) is Annotated:
        kind, *more = get_args(annotation)
        return _place(kind, (*bounds, *more), nullable)
    if get_origin(annotation) in (Union, types.UnionType):
        kinds = [each for each in get_args(annotation) if each is not type(None)]
        words = tuple(word for each in kinds[1:] if get_origin(each) is Literal for word in get_args(each))
        first = _place(kinds[0], bounds, nullable=nullable or len(kinds) < len(get_args(annotation)))
        return replace(first, words=words)
    return Place(annotation, bounds, nullable)
