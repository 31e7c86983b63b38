"""What a person reads once the gateway listens: where it is, the key, something to paste, how to stop it."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from hayate.language import Language, Text
from hayate.tools.loopback import LOOPBACK, WILDCARDS


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


def announcement(url: str, model: str, news: KeyNews, language: Language) -> str:
    """The lines, each with its end."""
    parts = urlsplit(url)
    host = parts.hostname or ""
    here = url if host not in WILDCARDS else f"{parts.scheme}://{WILDCARDS[host]}:{parts.port}"
    hello = Text("Hello", "こんにちは").of(language)
    curl = (
        f"curl -N {here}/v1/chat/completions -H 'Content-Type: application/json' "
        f'-H "Authorization: Bearer {news.in_shell}" '
        f"""-d '{{"stream":true,"messages":[{{"role":"user","content":"{hello}"}}]}}'"""
    )
    rows = [
        (Text("chat", "チャット"), Text(f"{here}/  (sign in with the key)", f"{here}/  （キーでサインイン）")),
        (Text("API", "API"), Text(f"{here}/v1  (OpenAI-compatible)", f"{here}/v1  （OpenAI互換）")),
        (Text("model", "モデル"), Text(model, model)),
        (Text("key", "キー"), _where_the_key_is(news)),
        (Text("try", "試す"), Text(curl, curl)),
        (Text("stop", "終了"), Text("Ctrl-C", "Ctrl-C")),
    ]
    if host not in LOOPBACK:
        warning = Text(
            f"other machines can reach it ({url}), and nothing is encrypted.",
            f"他の機器からも届きます（{url}）。通信は暗号化されません。",
        )
        rows.append((Text("note", "注意"), warning))
    spoken = [(name.of(language), text.of(language)) for name, text in rows]
    # Japanese names are not padded: how wide a terminal draws them is not ours to know.
    width = 0 if language == "ja" else max(len(name) for name, _ in spoken)
    return "".join(f"  {name:<{width}}  {text}\n" for name, text in spoken)


def _where_the_key_is(news: KeyNews) -> Text:
    """The key itself only once, when it was made: it is in a file of mode 0600 from then on, and terminals are looked at."""
    if news.file is None:
        return Text("the one in HAYATE_API_KEY", "HAYATE_API_KEY の値")
    if news.newly_made:
        return Text(f"{news.key}  (new; kept in {news.file})", f"{news.key}  （新規作成。保存先: {news.file}）")
    return Text(f"in {news.file}", f"{news.file} に保存済み")
