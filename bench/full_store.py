"""`python -m bench.full_store`: what a call costs when the store holds many keys and many calls, in terms of an empty one.

The rules are those of `bench.against`: looks alternate, and only ratios within a pair count. Calls carry one key of each store,
whose limits are counted; with `--callers N`, calls of the full store carry N keys in turn, each of which has called before.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

from hayate.access.keys import MadeKey, make_key
from hayate.store.ids import first_id
from hayate.store.migrate import open_file
from hayate.store.rows import INSERT, VALUES, Names
from hayate.store.sqlite import connect
from hayate.store.store import FILE

from bench.dialogue import Asked
from bench.load import Load, Target, watch
from bench.pairs import ratio
from bench.peers import Hayate
from bench.standing import Standing, start, start_stub

TERMS = '{"limits":{"requests_per_minute":1000000000,"tokens_per_minute":1000000000}}'
PLAIN = Asked(stream=False)
CONNECTIONS = 16
LOOK_S = 0.8
MONTH_S = 30 * 86_400
WORDS = ("bench", "chat", "stub-model", "stub-model/0", "", "stop")


class Keyed(Load):
    """A load whose calls carry keys in turn."""

    def __init__(self, target: Target, keys: list[str]) -> None:
        super().__init__(target, PLAIN, CONNECTIONS)
        self._each = itertools.cycle([replace(target, key=key).request(PLAIN) for key in keys])

    def request_for(self, asked: Asked) -> bytes:
        return next(self._each)


def fill(folder: Path, keys: int, calls: int) -> list[str]:
    """Makes a store with so many keys and, spread over them and over a month, so many calls; the keys."""
    folder.mkdir(parents=True)
    open_file(folder / FILE)[0].dispose()
    made = [make_key() for _ in range(keys)]
    with closing(connect(folder / FILE)) as connection:
        connection.execute("BEGIN")
        connection.executemany(
            "INSERT INTO keys (id, digest, name, project, version, created_ms, terms) VALUES (?, ?, ?, 'bench', 1, 1, ?)",
            [(each.id, each.digest, f"key {n}", TERMS) for n, each in enumerate(made)],
        )
        connection.executemany(f"{INSERT} VALUES {VALUES}", _rows(connection, made, calls))
        connection.execute("COMMIT")
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return [each.key for each in made]


def _rows(connection: sqlite3.Connection, made: list[MadeKey], calls: int) -> Iterator[tuple[object, ...]]:
    number = Names().learn(connection, [*WORDS, *(each.id for each in made)])
    project, path, model, replica, none, finish = (number[word] for word in WORDS)
    began = time.time() - MONTH_S
    for n in range(calls):
        key, made_id = number[made[n % len(made)].id], first_id(began + n * MONTH_S / calls) + n % 1000
        names = key, project, path, model, model, replica
        yield made_id, b"req-%d" % n, *names, 1, 200, none, finish, False, 0, None, 100, 24, 0, 64, True


async def look(up: Standing, keys: list[str], calls: int = 0) -> float:
    """Microseconds a call, of a short look; after so many calls, for keys that are to be known."""
    load = Keyed(up.bench.target, keys)
    await load.open()
    while load.tally.answers < calls:
        await asyncio.sleep(0.1)
    await asyncio.sleep(0.2)
    window = await watch(load, LOOK_S, up.bench.cpu_s)
    await load.drain(5)
    if load.tally.errors:
        raise RuntimeError(str(dict(load.tally.errors)))
    return window.cpu_s["gateway"] / window.answers * 1e6


async def compare(home: Path, keys: int, calls: int, callers: int, pairs: int) -> list[tuple[float, float]]:
    """Pairs of what a call costs (empty store, full store)."""
    stub = await start_stub(home)
    standing: list[tuple[Standing, list[str]]] = []
    try:
        for name, count, rows, used in (("empty", 1, 0, 1), ("full", keys, calls, callers)):
            print(f"{name}: {count:,} keys, {rows:,} calls", flush=True)
            known = fill(home / "run" / name / "data", count, rows)[:used]
            contender = Hayate()
            contender.name = name  # type: ignore[misc]  # two of a kind, so each has its own
            standing.append(((await start(contender, home, stub, "sk-hayate-bench-0123456789"))[0], known))
            await look(standing[-1][0], known, used)
        found = []
        for number in range(pairs):
            order = standing if number % 2 == 0 else standing[::-1]
            costs = {up.contender.name: await look(up, known) for up, known in order}
            found.append((costs["empty"], costs["full"]))
            print(f"pair {number + 1}: {found[-1][0]:.1f} {found[-1][1]:.1f} µs", flush=True)
        return found
    finally:
        for up, _ in standing:
            up.stop()
        stub.stop()


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(prog="bench.full_store", description="A call's cost with a full store.")
    for name, default in (("keys", 100_000), ("calls", 1_000_000), ("callers", 1), ("pairs", 20)):
        parser.add_argument(f"--{name}", type=int, default=default)
    asked = parser.parse_args()
    with TemporaryDirectory(prefix="hayate-bench-") as folder:
        found = asyncio.run(compare(Path(folder), asked.keys, asked.calls, asked.callers, asked.pairs))
    each = ratio(found)
    print(f"full / empty: median {each.median:.3f}, 95 % {each.low:.3f} to {each.high:.3f}, {each.pairs} pairs")


if __name__ == "__main__":
    main()
