"""`make bench ARGS=--publish`: the newest results, written into the READMEs between two markers.

The rule: nothing is measured or decided here. What stands between the markers follows from the files in bench/results, and a test
holds the READMEs to it; without an open loop's results nothing stands there.
"""

from __future__ import annotations

import json
import math
import statistics
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.open_looks import FIRST, QUANTILES, TOKENS, Looks
from bench.open_report import DIRECT, STREAMS, load, own, three
from bench.open_schedule import HERDS, MEAN, PER_S
from bench.report import markdown_table

BEGIN, END = "<!-- bench: written by `make bench ARGS=--publish` -->", "<!-- /bench -->"
OURS, RIVAL = "hayate", "vllm-router"
RATES = 2
"""So many are shown, the highest."""


@dataclass(frozen=True, slots=True)
class Tongue:
    """The words of one README."""

    file: str
    says: str
    joins: tuple[str, str]
    """What stands between two rates, and between two numbers of streams."""
    heads: tuple[str, str, str]
    line: str
    """The direct line's own figures, which the others are told in terms of."""
    stands: str
    plain: str
    faults: str
    run: str
    names: tuple[tuple[str, str], ...] = ()
    """What the results call in English, and how it is called here."""


ENGLISH = Tongue(
    "README.md",
    "How late is a token because of what stands in front of the engine? `make bench ARGS=--open` makes {rates} calls a second, "
    "each at its moment whatever became of those before (some {streams} streams are open), and every token carries the moment at "
    "which it was due. From {link}, in ms over the direct line of the same run, medians of {looks} looks. Hayate checks keys, "
    "counts limits and keeps accounts in its store; in its second line it keeps every conversation as well.",
    (" and ", " and "),
    (
        "{}/s: a token late, p50 / p99 / p99.9",
        "{}/s: first token, p50 / p99",
        "{} at once: first token, p50 / last",
    ),
    "{}: its own",
    "{streams} open for {minutes:g} minutes, a token a second each: a token is late by {late} ms (p50 / p99 / p99.9 over the "
    "direct line), and a stream holds {first:.1f} KB at first, {last:.1f} KB at last ({link}).",
    "A plain request costs {ratio:.2f} × the processor time that it costs {rival} ({link}).",
    "Not every answer of {name} was whole: {what}.",
    "the run of {}",
)
JAPANESE = Tongue(
    "README.ja.md",
    "エンジンの手前に何かを置くと、トークンはどれだけ遅れるのでしょうか。`make bench ARGS=--open`は、前の呼び出しの結果を待たず、"
    "あらかじめ決めた時刻に毎秒{rates}件を呼び出します（同時に約{streams}本）。各トークンには、送るべき時刻が書き込まれています。"
    "{link}から、同じ実行の直結との差（ミリ秒、{looks}回の中央値）です。Hayateはキーの確認、制限、使用量の保存をすべて行っています。"
    "2つめの行では、会話もすべて保存しています。",
    ("件と", "本と"),
    (
        "毎秒{}件でのトークンの遅れ（p50 / p99 / p99.9）",
        "毎秒{}件での最初のトークン（p50 / p99）",
        "{}件一斉での最初のトークン（p50、最後）",
    ),
    "{}（そのものの値）",
    "{streams}を{minutes:g}分間、1本あたり毎秒1トークンで流し続けたとき、トークンの遅れは直結に加えて{late}ミリ秒"
    "（p50 / p99 / p99.9）、ストリーム1本あたりのメモリーは最初{first:.1f}KB、最後{last:.1f}KBでした（{link}）。",
    "ストリーミングでないリクエスト1件にかかるCPU時間は、{rival}の{ratio:.2f}倍です（{link}）。",
    "{name}の応答には、完全でないものがありました（{what}）。",
    "{}の実行",
    (
        ("direct line (no gateway)", "直結"),
        (", keys, limits, store", "（キー、制限、使用量の保存）"),
        (", and history", "（会話の保存も）"),
        (" (Rust), round_robin", "（Rust）"),
        (" (Python)", "（Python）"),
        (" streams", "本のストリーム"),
        ("an error event", "エラーのイベント"),
    ),
)
TONGUES = (ENGLISH, JAPANESE)


def publish(root: Path) -> None:
    """Writes both READMEs of the repository at `root`."""
    for tongue in TONGUES:
        file = root / tongue.file
        file.write_text(with_section(file.read_text(encoding="utf-8"), section(root, tongue)), encoding="utf-8")
        print(f"written: {file}")


def with_section(text: str, section: str) -> str:
    """A README with `section` between its markers. Raises ValueError where they are missing."""
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"no {BEGIN} or no {END} after it")
    return f"{before}{BEGIN}\n{section}{END}{after}"


def between(text: str) -> str:
    """What stands between the markers of a README."""
    return text.partition(f"{BEGIN}\n")[2].partition(END)[0]


def section(root: Path, tongue: Tongue) -> str:
    """What is to stand there; nothing before an open loop's results are in bench/results."""
    folder = root / "bench/results"
    if (path := _newest(folder, "-open.json")) is None:
        return ""
    looks, about = load(path)
    rates = sorted((each.removesuffix(PER_S) for each in looks.found if each.endswith(PER_S)), key=float)[-RATES:]
    streams = [f"{round(float(rate) * about['interval_s'] * MEAN / 100) * 100:,}" for rate in rates]
    of_rates, of_streams = tongue.joins
    said = tongue.says.format(
        rates=of_rates.join(rates),
        streams=of_streams.join(streams),
        looks=about["looks"],
        link=_link(path, about, tongue),
    )
    parts = [
        said,
        f"![{tongue.heads[0].format(of_rates.join(rates))}](bench/results/{path.stem}.png)",
        _table(looks, rates, tongue),
        *_faults(looks, tongue),
        *_standing(folder, tongue),
        *_plain(folder, tongue),
    ]
    return "\n" + "\n\n".join(parts) + "\n\n"


def _newest(folder: Path, ending: str) -> Path | None:
    return max((path for path in folder.glob("*.json") if path.name.endswith(ending)), default=None)


def _link(path: Path, about: dict[str, Any], tongue: Tongue) -> str:
    named = tongue.run.format(about["date"])
    return f"[{named}](bench/results/{path.stem}.md)"


def _worded(text: str, tongue: Tongue) -> str:
    for english, other in tongue.names:
        text = text.replace(english, other)
    return text


def _table(looks: Looks, rates: Sequence[str], tongue: Tongue) -> str:
    late, first, at_once = tongue.heads
    schedules = [rate + PER_S for rate in rates]
    heads = [head.format(rate) for rate in rates for head in (late, first)]
    herd = f"{HERDS[-1]} at once, first"
    with_herds = "herds" in looks.found
    rows = []
    for name in (each for each in looks.labels if each in looks.found[schedules[0]]):
        label = _worded(looks.labels[name], tongue)
        row = [tongue.line.format(label) if name == DIRECT else label]
        for schedule in schedules:
            row += [three(_times(looks, schedule, name, TOKENS)), three(_times(looks, schedule, name, FIRST)[:2])]
        if with_herds:
            row.append(three([looks.middle("herds", name, herd), looks.worst("herds", name, herd)]))
        rows.append(row)
    return markdown_table(["", *heads, *([at_once.format(HERDS[-1])] if with_herds else [])], rows)


def _times(looks: Looks, schedule: str, name: str, kind: str) -> list[float]:
    """What it adds to the direct line; the direct line's own."""
    if name == DIRECT:
        return [own(looks, schedule, kind, at) for at in range(len(QUANTILES))]
    return looks.added(schedule, name, kind)


def _faults(looks: Looks, tongue: Tongue) -> list[str]:
    """Who did not answer whole, in a paragraph."""
    found: dict[str, Counter[str]] = {}
    for contenders in looks.found.values():
        for name, each in contenders.items():
            found.setdefault(name, Counter()).update(sum((look.errors for look in each), Counter[str]()))
    return [
        tongue.faults.format(
            name=_worded(looks.labels[name], tongue),
            what=", ".join(f"{count} × {_worded(what, tongue)}" for what, count in errors.most_common()),
        )
        for name, errors in found.items()
        if errors
    ]


def _standing(folder: Path, tongue: Tongue) -> list[str]:
    if (path := _newest(folder, "-standing.json")) is None:
        return []
    looks, about = load(path)
    schedule = next(each for each in looks.found if each.endswith(STREAMS))
    memory = looks.of(schedule, OURS)[0].memory
    late = three(looks.added(schedule, OURS, TOKENS))
    return [
        tongue.stands.format(
            streams=_worded(schedule, tongue),
            minutes=about["seconds"] / 60,
            late=late,
            first=memory[0][1],
            last=memory[-1][1],
            link=_link(path, about, tongue),
        )
    ]


def _plain(folder: Path, tongue: Tongue) -> list[str]:
    """The closed loop's plain request in terms of the router's beside it."""
    path = max((each for each in folder.glob("*.json") if each.stem.endswith("cpu")), default=None)
    if path is None:
        return []
    whole = json.loads(path.read_text(encoding="utf-8"))
    rounds = (whole["figures"].get(name, {}).get("plain", []) for name in (OURS, RIVAL))
    pairs = [[each["values"]["gateway_us"] for each in both] for both in zip(*rounds, strict=False)]
    ratio = statistics.median([mine / theirs for mine, theirs in pairs]) if pairs else math.nan
    rival = f"{RIVAL} {whole['versions'].get(RIVAL, '')}".strip()
    link = _link(path, whole["about"], tongue)
    return [] if math.isnan(ratio) else [tongue.plain.format(ratio=ratio, rival=rival, link=link)]
