"""Usage as lines for a terminal, in either language, no wider than it is: a row and a bar for each group, and their sum."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import reduce
from typing import Final

from hayate.language import Language, Text
from hayate.store.costs import Prices, added, rounded
from hayate.store.groups import By
from hayate.store.usage import Used
from hayate.terminal import left, right, width

BAR: Final = 20
"""Cells of the longest bar; fewer where there is less room, down to LEAST."""
LEAST: Final = 8
"""Cells that a name and the longest bar should have; where a terminal is too narrow for both, the column CACHED goes."""
LEAST_ROOM: Final = 2 * LEAST + 2
CACHED: Final = 3
HEADS: Final = Text("calls|failed|input|cached|output|total", "件数|失敗|入力|キャッシュ|出力|合計")
GROUPS: Final[Mapping[By, Text]] = {
    "key": Text("key", "キー"),
    "project": Text("project", "プロジェクト"),
    "model": Text("model", "モデル"),
    "deployment": Text("deployment", "デプロイメント"),
    "path": Text("path", "パス"),
    "day": Text("day", "日"),
    "hour": Text("hour", "時間"),
}
TOTAL: Final = Text("total", "合計")
NO_KEY: Final = Text("(no key)", "（キーなし）")
NOTHING: Final = Text("No call was recorded in that time.", "この期間の記録はありません。")
ESTIMATES: Final = Text(
    "~ some of these tokens are estimates: the engine gave no count.",
    "~ エンジンがトークン数を返さなかった呼び出しの推計を含みます。",
)
GAP: Final = "  "


@dataclass(frozen=True, slots=True)
class AddedUp:
    """What is shown: groups, since when and until when in seconds since 1970, keys' names by their ids, and prices."""

    by: By
    span: tuple[float, float]
    found: Sequence[Used]
    labels: Mapping[str, str] = field(default_factory=dict)
    prices: Prices = field(default_factory=Prices)


def usage_table(usage: AddedUp, language: Language, columns: int) -> list[str]:
    """A line for each group, with what it cost where anything has a price and a bar of its tokens, and the sum of all."""
    found, prices = usage.found, usage.prices
    names = [GROUPS[usage.by].of(language), *_names(usage, language), TOTAL.of(language)]
    rows = [HEADS.of(language).split("|"), *map(_numbers, found), _numbers(*found)]
    if prices.by_name:
        costs = [each.cost for each in found]
        shown = [_cost_head(prices).of(language), *map(rounded, costs), rounded(reduce(added, costs, None))]
        rows = [[*row, cell] for row, cell in zip(rows, shown, strict=True)]
    if columns - sum(_wide(rows)) < LEAST_ROOM:
        rows = [[*row[:CACHED], *row[CACHED + 1 :]] for row in rows]
    wide = _wide(rows)
    longest = max(map(width, names))
    room = columns - sum(wide) - len(GAP)
    bar = max(1, min(BAR, max(min(LEAST, room - LEAST), room - longest)))
    named = max(1, min(room - bar, longest))
    lines = [
        (left(name, named) + "".join(map(right, row, wide)) + GAP + drawn).rstrip()
        for name, row, drawn in zip(names, rows, ["", *_bars(found, bar), ""], strict=True)
    ]
    since, until = (_local(each * 1000, "%Y-%m-%d %H:%M") for each in usage.span)
    head = Text(f"From {since} to {until}", f"{since}から{until}まで")
    estimated = any(each.inexact for each in found)
    return [head.of(language), *lines, *([ESTIMATES.of(language)] if estimated else [])]


def left_out(calls: int) -> Text:
    """Of how many calls the cost is not known."""
    return Text(
        f"{calls:,} calls are of models without a price, and in no cost.",
        f"料金が設定されていないモデルの呼び出し{calls:,}件は、料金に含まれていません。",
    )


def short(count: int) -> str:
    """At most seven characters: all of it below a million, three digits above."""
    if count < 1_000_000:
        return f"{count:,}"
    for unit in "MGT":
        count_of = count / 1000 ** ("MGT".index(unit) + 2)
        if count_of < 999.5:
            break
    return f"{count_of:.{max(0, 3 - len(str(int(count_of))))}f}{unit}"


def _numbers(*groups: Used) -> list[str]:
    """Of all of them together."""
    counts = [(each.calls, each.failed, each.tokens_in, each.tokens_cached, each.tokens_out) for each in groups]
    sums = [sum(column) for column in zip(*counts, strict=True)]
    mark = "~" if any(each.inexact for each in groups) else ""
    return [*map(short, sums), mark + short(sums[2] + sums[4])]


def _wide(rows: Sequence[Sequence[str]]) -> list[int]:
    """Of each column, with the gap before it."""
    return [max(width(row[at]) for row in rows) + len(GAP) for at in range(len(rows[0]))]


def _cost_head(prices: Prices) -> Text:
    return Text(f"cost ({prices.currency})", f"料金（{prices.currency}）") if prices.currency else Text("cost", "料金")


def _bars(found: Sequence[Used], cells: int) -> list[str]:
    """As long as a group's tokens are many; something for whoever used any."""
    tokens = [each.tokens_in + each.tokens_out for each in found]
    most = max(tokens) or 1
    return ["█" * (max(1, round(cells * each / most)) if each else 0) for each in tokens]


def _names(usage: AddedUp, language: Language) -> list[str]:
    """What the groups are called; a key's id beside its name where another has the same."""
    found, labels = usage.found, usage.labels
    form = "%Y-%m-%d" if usage.by == "day" else "%Y-%m-%d %H:%M"
    names = [labels.get(str(each.name), str(each.name)) if isinstance(each.name, str) else "" for each in found]
    many = Counter(names)
    return [
        _local(each.name, form)
        if not isinstance(each.name, str)
        else f"{name} ({each.name})"
        if many[name] > 1
        else name or (NO_KEY.of(language) if usage.by == "key" else "-")
        for each, name in zip(found, names, strict=True)
    ]


def _local(ms: float, form: str) -> str:
    return datetime.fromtimestamp(ms / 1000, UTC).astimezone().strftime(form)
