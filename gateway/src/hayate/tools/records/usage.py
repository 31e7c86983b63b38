"""`hayate usage`: what was used, as a table with a bar for each row, as CSV or as JSON.

The table is for people: local time, short numbers, no wider than the terminal. CSV and JSON have all of it, in UTC.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from time import localtime, time

import typer
from sqlalchemy import Connection
from sqlalchemy.exc import SQLAlchemyError

from hayate.access import key_admin
from hayate.access.principals import OWNER
from hayate.language import BilingualError
from hayate.store.costs import Prices
from hayate.store.migrate import open_file
from hayate.store.sqlite import unusable
from hayate.store.usage import Filter, Used, key_names, used
from hayate.store.views import UsageAnswer, UsedAnswer, usage_answer
from hayate.terminal import columns_of
from hayate.tools.environment import Environment
from hayate.tools.keys.place import place_of_store
from hayate.tools.records.options import UsageOptions
from hayate.tools.records.report import NOTHING, AddedUp, left_out, usage_table
from hayate.wire.durations import moment_of


class NoTime(BilingualError):
    """What was typed is no time."""


def usage(options: UsageOptions, env: Environment) -> int:
    """Adds up what was used. Raises NoTime, UnknownKey, NoStore, StoreRefused, ConfigError."""
    now = time()
    span = _span(options, now)
    place = place_of_store(options.config, env)
    if place.note is not None:
        typer.echo(place.note.of(env.language), err=True)
    prices = Prices(place.config.prices, place.config.currency)
    engine, _ = open_file(place.path)
    try:
        with engine.connect() as connection:
            found, labels = _added_up(connection, options, span, localtime(now).tm_gmtoff, prices)
    except SQLAlchemyError as error:
        raise unusable(place.path, error) from None
    finally:
        engine.dispose()
    answer = usage_answer(options.by, span, found, prices.currency, labels)
    if options.json:
        typer.echo(answer.model_dump_json(indent=2))
    elif options.csv:
        typer.echo(as_csv(answer), nl=False)
    elif not found:
        typer.echo(NOTHING.of(env.language), err=True)
    else:
        for line in usage_table(AddedUp(options.by, span, found, labels, prices), env.language, columns_of(1)):
            typer.echo(line)
        if unpriced := sum(each.unpriced for each in found):
            typer.echo(left_out(unpriced).of(env.language), err=True)
    return 0


def moment(option: str, text: str, now: float) -> float:
    """When it was, in seconds since 1970. Raises NoTime."""
    found = moment_of(text, now, ago=True)
    if found is None:
        raise NoTime(
            f"{option}: {text!r} is no time. Write how long ago (7d, 12h), or a day or a time (2026-12-31, "
            "2026-12-31T18:00+09:00).",
            f"{option}: {text!r} は日時として読めません。7dや12h、または2026-12-31や2026-12-31T18:00+09:00のように"
            "指定してください。",
        )
    return found


def as_csv(answer: UsageAnswer) -> str:
    """A head and a line for each group, with the currency beside what it cost."""
    out = io.StringIO()
    rows = [each.model_dump() | {"currency": answer.currency} for each in answer.data]
    writer = csv.DictWriter(out, [*UsedAnswer.model_fields, "currency"], lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return out.getvalue()


def _span(options: UsageOptions, now: float) -> tuple[float, float]:
    since = moment("--since", options.since, now)
    until = now if options.until is None else moment("--until", options.until, now)
    if since > until:
        raise NoTime(
            f"--since {options.since} is later than --until {options.until or 'now'}.",
            f"--since（{options.since}）が --until（{options.until or '現在'}）より後になっています。",
        )
    return since, until


def _added_up(
    connection: Connection, options: UsageOptions, span: tuple[float, float], offset_s: int, prices: Prices
) -> tuple[Sequence[Used], dict[str, str]]:
    key = None if options.key is None else _key_id(connection, options.key)
    which = Filter(since=span[0], until=span[1], key=key, project=options.project, model=options.model)
    found = used(connection, options.by, which, offset_s, prices.by_name)
    return found, {OWNER.id: key_admin.OWNERS} | key_names(connection, found) if options.by == "key" else {}


def _key_id(connection: Connection, wanted: str) -> str:
    """Whose calls are meant. Raises UnknownKey."""
    return OWNER.id if wanted in (OWNER.id, key_admin.OWNERS) else key_admin.find(connection, wanted).id
