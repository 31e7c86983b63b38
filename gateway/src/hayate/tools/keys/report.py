"""Keys as lines for a terminal, in either language; times are those of this machine's clock."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from hayate.access.key_admin import KeyInfo
from hayate.access.key_views import said
from hayate.language import Language, Text
from hayate.settings import RateLimits
from hayate.terminal import cut, left, width

STATES = {"active": Text("active", "有効"), "expired": Text("expired", "期限切れ"), "revoked": Text("revoked", "失効")}
ALL = Text("all", "すべて")
NEVER = Text("never", "なし")
SHORT = {
    "requests_per_minute": "rpm",
    "tokens_per_minute": "tpm",
    "input_tokens_per_minute": "input-tpm",
    "output_tokens_per_minute": "output-tpm",
    "concurrency": "concurrency",
    "strict": "strict",
}


LEAST = 8
"""Columns that a cell keeps where the terminal is too narrow for all of them."""


def key_table(keys: Sequence[KeyInfo], now: float, language: Language, columns: int | None = None) -> list[str]:
    """One line for each, under a head; of at most so many columns, where those are few by shortening the longest cells."""
    head = Text("id|name|project|state|expires|models|limits", "ID|名前|プロジェクト|状態|期限|モデル|上限")
    rows = [
        [
            key.id,
            key.name,
            key.project,
            STATES[key.state(now)].of(language),
            moment_in_words(key.expires_at) or NEVER.of(language),
            ALL.of(language) if key.terms.models is None else ",".join(key.terms.models),
            limits_in_words(key.terms.limits) or "-",
        ]
        for key in keys
    ]
    return aligned([head.of(language).split("|"), *rows], columns)


def key_lines(key: KeyInfo, now: float, language: Language) -> list[str]:
    """Everything of one key that is said, a line for each."""
    terms = key.terms
    pairs = [
        (Text("id", "ID"), key.id),
        (Text("name", "名前"), key.name),
        (Text("project", "プロジェクト"), key.project),
        (Text("state", "状態"), STATES[key.state(now)].of(language)),
        (Text("created", "作成"), moment_in_words(key.created_at) or ""),
        (Text("expires", "期限"), moment_in_words(key.expires_at) or NEVER.of(language)),
        (Text("revoked", "失効"), moment_in_words(key.revoked_at) or ""),
        (Text("old key until", "古いキーの期限"), moment_in_words(_ahead(key.old_until, now)) or ""),
        (Text("models", "モデル"), ALL.of(language) if terms.models is None else ", ".join(terms.models)),
        (Text("for", "用途"), ", ".join(terms.areas)),
        (Text("limits", "上限"), limits_in_words(terms.limits)),
        *((Text(f"  {model}", f"  {model}"), limits_in_words(each)) for model, each in terms.model_limits.items()),
        (Text("weight", "優先度"), "" if terms.weight == 1 else str(terms.weight)),
        (Text("max output", "最大出力"), "" if terms.max_output_tokens is None else str(terms.max_output_tokens)),
        (Text("defaults", "既定値"), ", ".join(f"{name}={value}" for name, value in said(terms.defaults).items())),
    ]
    return aligned([[name.of(language), value] for name, value in pairs if value])


def limits_in_words(limits: RateLimits) -> str:
    """`rpm=60 tpm=100000`, what is said of it."""
    found = said(limits)
    return " ".join(
        f"{SHORT[name]}={found[name]}" if name != "strict" else "strict" for name in SHORT if found.get(name)
    )


def aligned(rows: Sequence[Sequence[str]], columns: int | None = None) -> list[str]:
    """Columns as wide as what stands in them, Japanese letters counting for two; the widest give way where that is more
    than `columns` in all.
    """
    wide = [max(width(row[column]) for row in rows) for column in range(len(rows[0]))]
    while columns is not None and sum(wide) + 2 * (len(wide) - 1) > columns and max(wide) > LEAST:
        wide[wide.index(max(wide))] -= 1
    lines = ("  ".join(left(cell, wide[at]) for at, cell in enumerate(row)).rstrip() for row in rows)
    return [line if columns is None else cut(line, columns) for line in lines]


def moment_in_words(at: float | None) -> str | None:
    """On this machine's clock, to the minute; None for none."""
    return None if at is None else datetime.fromtimestamp(at, UTC).astimezone().strftime("%Y-%m-%d %H:%M")


def _ahead(at: float | None, now: float) -> float | None:
    return at if at is not None and at > now else None
