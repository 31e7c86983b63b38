"""`hayate usage`: what was used, as a table with a bar for each row, as CSV or as JSON."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from datetime import UTC, datetime
from functools import reduce
from time import localtime, time

import typer

from hayate.config.load import whole_config
from hayate.language import BilingualError, Language, Text
from hayate.store.costs import Prices, added, rounded
from hayate.store.groups import By
from hayate.store.migrate import open_file
from hayate.store.usage import Filter, Used, key_names, used
from hayate.store.views import UsageAnswer, UsedAnswer, usage_answer
from hayate.terminal import left, right, width
from hayate.tools.environment import Environment
from hayate.tools.keys.commands import store_of
from hayate.tools.records.options import UsageOptions
from hayate.wire.durations import moment_of

BAR = 20
"""Cells of the longest bar."""
MOST_NAME = 32
NO_PRICES = Prices()
HEADS = Text("name|calls|failed|input|cached|output|tokens", "名前|呼び出し|失敗|入力|うちキャッシュ|出力|トークン合計")


class NoTime(BilingualError):
    """What was typed is no time."""


def usage(options: UsageOptions, env: Environment) -> int:
    """Adds up what was used. Raises NoTime, StoreRefused, ConfigError."""
    now = time()
    since, until = moment(options.since, now), now if options.until is None else moment(options.until, now)
    config = whole_config(options.config, env)
    engine, _ = open_file(store_of(config, env))
    with engine.connect() as connection:
        names = key_names(connection)
        wanted = next((key_id for key_id, name in names.items() if name == options.key), options.key)
        which = Filter(since=since, until=until, key=wanted, project=options.project, model=options.model)
        found = used(connection, options.by, which, offset_s=localtime(now).tm_gmtoff, prices=config.prices)
    engine.dispose()
    answer = usage_answer(options.by, since, until, found, config.currency)
    if options.json:
        typer.echo(answer.model_dump_json(indent=2))
    elif options.csv:
        typer.echo(as_csv(answer), nl=False)
    elif not found:
        typer.echo(_NOTHING.of(env.language), err=True)
    else:
        for line in table(options.by, found, names, env.language, Prices(config.prices, config.currency)):
            typer.echo(line)
        if unpriced := sum(each.unpriced for each in found):
            typer.echo(_unpriced(unpriced).of(env.language), err=True)
    return 0


def moment(text: str, now: float) -> float:
    """When it was, in seconds since 1970. Raises NoTime."""
    found = moment_of(text, now, ago=True)
    if found is None:
        raise NoTime(
            f"{text!r} is no time: write how long ago (7d, 12h), or a day or a time (2026-12-31, 2026-12-31T18:00+09:00).",
            f"{text!r} は日時として読めません。7dや12h、または2026-12-31や2026-12-31T18:00+09:00のように指定してください。",
        )
    return found


def table(
    by: By, found: Sequence[Used], names: dict[str, str], language: Language, prices: Prices = NO_PRICES
) -> list[str]:
    """A line for each group, with what it cost where anything has a price, and a bar of its tokens; and the sum of all."""
    most = max((each.tokens_in + each.tokens_out for each in found), default=0) or 1
    heads, total = HEADS.of(language).split("|"), [Text("total", "合計").of(language), *_numbers(*found)]
    rows = [heads, *([_name(by, each, names), *_numbers(each)] for each in found), total]
    if prices.by_name:
        costs = [each.cost for each in found]
        shown = [_cost_head(prices).of(language), *map(rounded, costs), rounded(reduce(added, costs, None))]
        rows = [[*row, cell] for row, cell in zip(rows, shown, strict=True)]
    wide = [
        min(MOST_NAME, max(width(row[0]) for row in rows)),
        *(max(width(row[at]) for row in rows) for at in range(1, len(heads) + bool(prices.by_name))),
    ]
    lines = [
        "  ".join([left(row[0], wide[0]), *(right(cell, wide[at + 1]) for at, cell in enumerate(row[1:]))])
        for row in rows
    ]
    bars = ["", *("█" * max(1, round(BAR * (each.tokens_in + each.tokens_out) / most)) for each in found), ""]
    return [f"{line}  {bar}".rstrip() for line, bar in zip(lines, bars, strict=True)]


def as_csv(answer: UsageAnswer) -> str:
    """A head and a line for each group, with the currency beside what it cost."""
    out = io.StringIO()
    rows = [each.model_dump() | {"currency": answer.currency} for each in answer.data]
    writer = csv.DictWriter(out, [*UsedAnswer.model_fields, "currency"])
    writer.writeheader()
    writer.writerows(rows)
    return out.getvalue()


def _numbers(*groups: Used) -> list[str]:
    """Of all of them together."""
    counts = [(each.calls, each.failed, each.tokens_in, each.tokens_cached, each.tokens_out) for each in groups]
    sums = [sum(column) for column in zip(*counts, strict=True)]
    return [f"{count:,}" for count in (*sums, sums[2] + sums[4])]


def _cost_head(prices: Prices) -> Text:
    return Text(f"cost ({prices.currency})", f"料金（{prices.currency}）") if prices.currency else Text("cost", "料金")


def _unpriced(calls: int) -> Text:
    return Text(
        f"{calls:,} calls are of models without a price, and in no cost.",
        f"料金が設定されていないモデルの呼び出し{calls:,}件は、料金に含まれていません。",
    )


def _name(by: By, each: Used, names: dict[str, str]) -> str:
    if isinstance(each.name, str):
        name = names.get(each.name) if by == "key" else None
        return each.name if name is None else f"{name} ({each.name})"
    at = datetime.fromtimestamp(each.name / 1000, UTC).astimezone()
    return at.strftime("%Y-%m-%d" if by == "day" else "%Y-%m-%d %H:%M")


_NOTHING = Text("No call was recorded in that time.", "この期間の記録はありません。")
