"""What the aliases name: deployments, by way of other aliases too."""

from __future__ import annotations

import contextlib
from collections.abc import Collection, Iterator, Mapping
from typing import Any

from hayate.config.mistakes import Mistake
from hayate.config.wanted import nearest
from hayate.language import Text


def expanded(aliases: Mapping[str, Any]) -> dict[str, Any]:
    """Each with the deployments it leads to. What is no list, and what leads around in a circle, is left as it is."""
    listed = {name: (each,) if isinstance(each, str) else each for name, each in aliases.items()}
    known: dict[str, Any] = {}
    with contextlib.suppress(RecursionError):  # of a chain of very many, which then leads to no deployment
        for name in listed:
            _expand(name, listed, known)
    return {name: targets if known.get(name) is None else known[name] for name, targets in listed.items()}


def _expand(name: str, aliases: Mapping[str, Any], known: dict[str, Any]) -> Any:
    """What `name` leads to, each looked up once; None while that is being found, and where it can't be."""
    if name in known:
        return known[name]
    known[name] = None
    targets, found = aliases[name], []
    if not isinstance(targets, list | tuple):
        return None
    for target in targets:
        if isinstance(target, str) and target != name and target in aliases:
            further = _expand(target, aliases, known)
            if further is None:
                return None
            found += further
        else:
            found.append(target)
    known[name] = tuple(dict.fromkeys(found)) if all(isinstance(each, str) for each in found) else tuple(found)
    return known[name]


def alias_mistakes(aliases: Any, deployments: Mapping[str, Any]) -> Iterator[Mistake]:
    """Aliases that lead nowhere, or around in a circle. What has no shape is left to the models."""
    if not isinstance(aliases, dict | Mapping):
        return
    for alias, given in aliases.items():
        targets = (given,) if isinstance(given, str) else given
        if not isinstance(targets, list | tuple):
            continue
        where = ("aliases", alias)
        if not targets:
            yield Mistake(
                where,
                Text(
                    f"names no deployment; write one of {', '.join(map(str, deployments))}",
                    f"デプロイメントの名前がありません。{'、'.join(map(str, deployments))}のいずれかを書いてください",
                ),
            )
        elif (circle := _circle(alias, aliases)) is not None:
            shown = " -> ".join(circle)
            yield Mistake(
                where,
                Text(
                    f"goes in a circle: {shown}; name a deployment",
                    f"循環しています: {shown}。デプロイメントの名前を書いてください",
                ),
            )
        elif lost := [
            each for each in targets if isinstance(each, str) and not _known(each, alias, aliases, deployments)
        ]:
            yield Mistake(where, _lost(lost, deployments))
        elif alias in deployments and tuple(targets) != (alias,):
            yield Mistake(
                where,
                Text(
                    "a deployment has this name too; rename one of them",
                    "同じ名前のデプロイメントがあります。どちらかの名前を変えてください",
                ),
            )


def _known(target: str, alias: str, aliases: Mapping[str, Any], deployments: Collection[str]) -> bool:
    return target in deployments or (target != alias and target in aliases)


def _circle(alias: str, aliases: Mapping[str, Any]) -> list[str] | None:
    """The way back to `alias`, if one leads there."""
    waiting: list[list[str]] = [[alias]]
    seen: set[str] = set()
    while waiting:
        way = waiting.pop()
        given = aliases.get(way[-1])
        for target in (given,) if isinstance(given, str) else given if isinstance(given, list | tuple) else ():
            if target == alias and len(way) > 1:
                return [*way, alias]
            if isinstance(target, str) and target in aliases and target not in seen and target != way[-1]:
                seen.add(target)
                waiting.append([*way, target])
    return None


def _lost(lost: list[str], deployments: Mapping[str, Any]) -> Text:
    names, there = ", ".join(lost), ", ".join(map(str, deployments))
    english, japanese = (
        f"no deployment named {names}; there are {there}",
        f"{names}というデプロイメントはありません。あるのは{there}です",
    )
    served = {each.get("model"): name for name, each in deployments.items() if isinstance(each, dict)}
    meant = served.get(lost[0]) or nearest(lost[0], list(map(str, deployments)))
    if meant is None:
        return Text(english, japanese)
    return Text(f"{english}; did you mean {meant}?", f"{japanese}。{meant}のことですか？")
