"""What a person reads once the gateway listens: where it is, the key, something to paste, how to stop it."""

from __future__ import annotations

import platform
import shlex
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from hayate.language import Language, Text
from hayate.serve.interfaces import WILDCARDS
from hayate.terminal import width
from hayate.tools.loopback import LOOPBACK


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


@dataclass(frozen=True, slots=True)
class Place:
    """Where the gateway listens, and for a wildcard the same as other machines open it."""

    url: str
    elsewhere: Sequence[str] = ()


def announcement(place: Place, model: Text, news: KeyNews, language: Language, spare_gpu: Sequence[Text] = ()) -> str:
    """The lines, each with its end. None is wider than 80 columns for a folder's name of a usual length. `spare_gpu` tells of a
    GPU that is not used.
    """
    parts = urlsplit(place.url)
    host = parts.hostname or ""
    here = place.url if host not in WILDCARDS else f"{parts.scheme}://{WILDCARDS[host]}:{parts.port}"
    rows = [
        (Text("chat", "チャット"), [Text(f"{here}/  (sign in with the key)", f"{here}/（キーでサインイン）")]),
        (Text("API", "API"), [Text(f"{here}/v1  (OpenAI-compatible)", f"{here}/v1（OpenAI互換）")]),
        (Text("model", "モデル"), [model]),
        (Text("speed", "速度"), _what_computes(spare_gpu)),
        (Text("key", "キー"), _where_the_key_is(news)),
    ]
    if host not in LOOPBACK:
        rows.append((Text("note", "注意"), _who_can_reach_it(place, host)))
    rows.append((Text("stop", "終了"), [Text("Ctrl-C", "Ctrl-C")]))
    rows.append((Text("try", "試す"), [Text("in another terminal:", "別のターミナルで:")]))
    broad = max(width(name.of(language)) for name, _ in rows)
    lines = [
        f"  {label}{' ' * (broad - width(label))}  {text.of(language)}"
        for name, texts in rows
        for label, text in zip([name.of(language), *[""] * len(texts)], texts, strict=False)
    ]
    return "\n".join([*lines, "", *_curl(here, news, language)]) + "\n"


def _curl(here: str, news: KeyNews, language: Language) -> list[str]:
    """To paste, from the left edge on: a terminal copies what it shows."""
    hello = Text("Hello", "こんにちは").of(language)
    return [
        f"curl -N {here}/v1/chat/completions \\",
        f'  -H "Authorization: Bearer {news.in_shell}" \\',
        f"""  -d '{{"stream":true,"messages":[{{"role":"user","content":"{hello}"}}]}}'""",
    ]


def _what_computes(spare_gpu: Sequence[Text]) -> list[Text]:
    """Nothing where llama.cpp takes the GPU by itself (Metal, on Apple's own chips)."""
    if sys.platform == "darwin" and platform.machine() == "arm64":
        return []
    return [*spare_gpu] or [
        Text(
            "it computes on the CPU; with an NVIDIA GPU: docker compose up -d",
            "CPUで計算しています。NVIDIA GPUを使う場合: docker compose up -d",
        )
    ]


def _who_can_reach_it(place: Place, host: str) -> list[Text]:
    """Other machines, and under which addresses, as far as they are known."""
    urls = place.elsewhere if host in WILDCARDS else [place.url]
    return [
        Text(
            "other machines can reach it; nothing is encrypted",
            "他の端末からもアクセスできます（通信は暗号化されません）",
        ),
        *(Text(f"{url}/", f"{url}/") for url in urls),
    ]


def _where_the_key_is(news: KeyNews) -> list[Text]:
    """The key itself only once, when it was made: it is in a file of mode 0600 from then on, and terminals are looked at."""
    if news.file is None:
        return [Text("the one in HAYATE_API_KEY", "HAYATE_API_KEYの値")]
    if news.newly_made:
        return [Text(f"{news.key}  (new)", f"{news.key}（新規）"), Text(f"kept in {news.file}", f"保存先: {news.file}")]
    return [Text(f"in {news.file}", f"{news.file}に保存済み")]
