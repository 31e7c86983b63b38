"""What a person reads once the gateway listens: where it is, the key, something to paste, how to stop it."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

WILDCARDS = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}  # noqa: S104  recognised, not bound
LOOPBACK = ("127.0.0.1", "::1", "localhost")


@dataclass(frozen=True, slots=True)
class KeyNews:
    """The key, and how much of it to tell."""

    key: str
    newly_made: bool
    file: Path | None
    """None when it came from HAYATE_API_KEY."""

    @property
    def in_shell(self) -> str:
        """What a shell puts in its place, so that the key itself stays out of the shell's history."""
        return f"$(cat {shlex.quote(str(self.file))})" if self.file is not None else "$HAYATE_API_KEY"


def announcement(url: str, model: str, news: KeyNews, language: str) -> str:
    """The lines, each with its end."""
    parts = urlsplit(url)
    host = parts.hostname or ""
    here = url if host not in WILDCARDS else f"{parts.scheme}://{WILDCARDS[host]}:{parts.port}"
    japanese = language == "ja"
    hello = "こんにちは" if japanese else "Hello"
    curl = (
        f"curl -N {here}/v1/chat/completions -H 'Content-Type: application/json' "
        f'-H "Authorization: Bearer {news.in_shell}" '
        f"""-d '{{"stream":true,"messages":[{{"role":"user","content":"{hello}"}}]}}'"""
    )
    rows = _japanese(here, model, news, curl) if japanese else _english(here, model, news, curl)
    if host not in LOOPBACK:
        rows.append(
            ("注意", f"他の機器からも届きます（{url}）。通信は暗号化されません。")
            if japanese
            else ("note", f"other machines can reach it ({url}), and nothing is encrypted.")
        )
    width = 0 if japanese else max(len(name) for name, _ in rows)
    return "".join(f"  {name:<{width}}  {text}\n" for name, text in rows)


def _english(here: str, model: str, news: KeyNews, curl: str) -> list[tuple[str, str]]:
    if news.file is None:
        key = "the one in HAYATE_API_KEY"
    else:
        key = f"{news.key}  (new; kept in {news.file})" if news.newly_made else f"in {news.file}"
    return [
        ("chat", f"{here}/  (sign in with the key)"),
        ("API", f"{here}/v1  (OpenAI-compatible)"),
        ("model", model),
        ("key", key),
        ("try", curl),
        ("stop", "Ctrl-C"),
    ]


def _japanese(here: str, model: str, news: KeyNews, curl: str) -> list[tuple[str, str]]:
    if news.file is None:
        key = "HAYATE_API_KEY の値"
    else:
        key = f"{news.key}  （新規作成。保存先: {news.file}）" if news.newly_made else f"{news.file} に保存済み"
    return [
        ("チャット", f"{here}/  （キーでサインイン）"),
        ("API", f"{here}/v1  （OpenAI互換）"),
        ("モデル", model),
        ("キー", key),
        ("試す", curl),
        ("終了", "Ctrl-C"),
    ]
