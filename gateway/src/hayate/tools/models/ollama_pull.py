"""One tag through Ollama, into Ollama's own store: it downloads, resumes and checks by itself, and tells how far it is.

{"status": "pulling manifest"}
{"status": "pulling 74701a8c35f6", "digest": "sha256:…", "total": 1321082688, "completed": 1048576}
{"status": "verifying sha256 digest"}  {"status": "writing manifest"}  {"status": "success"}
{"error": "pull model manifest: file does not exist"}                    under 200 as well
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

import orjson

from hayate.language import Text, one_line
from hayate.terminal import plain
from hayate.tools.lenient import count_in, text_in
from hayate.tools.line_stream import Answer, Broken, Silent, Unreached, opened
from hayate.tools.models.refusals import Mistyped, NotPulled
from hayate.tools.transfer import Say, transfer

PREFIX: Final = "ollama:"
USUAL: Final = "http://127.0.0.1:11434"
PORT: Final = 11434
TAG: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:/-]{0,250}")
SILENCE_S: Final = 600.0
"""A large layer is looked at without a word."""
MOST_SAID: Final = 400


def checked_tag(text: str) -> str:
    """What Ollama calls a model. Raises Mistyped."""
    if not TAG.fullmatch(text) or "//" in text or ".." in text:
        raise Mistyped(
            f"{plain(text, 200)!r} is no name of Ollama's: write one such as ollama:llama3.2:1b.",
            f"「{plain(text, 200)}」はOllamaのモデル名ではありません。ollama:llama3.2:1bのように指定してください。",
        )
    return text


def ollama_address(env: Mapping[str, str]) -> str:
    """Where Ollama's own tools look for it: OLLAMA_HOST, else this machine. Raises Mistyped."""
    said = env.get("OLLAMA_HOST", "").strip()
    if not said:
        return USUAL
    whole = said if "://" in said else f"http://{said}"
    found = re.fullmatch(r"(https?)://(\[[0-9A-Fa-f:.]+\]|[^/:@\s\[\]]*)(?::(\d{1,5}))?(/[^\s?#]*)?", whole)
    if found is None:
        raise Mistyped(
            f"OLLAMA_HOST={plain(said, 200)} is no address; write one such as {USUAL}.",
            f"OLLAMA_HOST={plain(said, 200)}はアドレスではありません。{USUAL}のように指定してください。",
        )
    scheme, host, port, path = found.groups()
    host = "127.0.0.1" if host in ("", "0.0.0.0") else "[::1]" if host == "[::]" else host  # noqa: S104  not to listen
    usual = {"https": 443}.get(scheme, PORT) if "://" not in said or scheme == "http" else 443
    return f"{scheme}://{host}:{port or usual}{(path or '').rstrip('/')}"


def pull_by_ollama(origin: str, tag: str, key: str | None, say: Say) -> int:
    """Has the Ollama there pull `tag`; the bytes of its layers. Raises NotPulled."""
    headers = {"authorization": f"Bearer {key}"} if key else {}
    say(f"Ollama at {origin} pulls {tag}", f"{origin}のOllamaで{tag}を取得します")
    try:
        asked = {"model": tag, "stream": True}
        with opened(origin, "POST", "/api/pull", asked, headers, silence_s=SILENCE_S) as answer:
            return _followed(answer, tag, origin, say)
    except Unreached:
        raise NotPulled(
            f"No Ollama answers at {origin}: start it (`ollama serve`, or its service in compose), or say where it is with "
            f"OLLAMA_HOST.",
            f"{origin}でOllamaが応答しません。起動する（`ollama serve`、またはcomposeのサービス）か、場所をOLLAMA_HOSTで"
            f"指定してください。",
        ) from None
    except Silent:
        raise NotPulled(
            f"Ollama at {origin} has said nothing for {SILENCE_S:.0f} s. Look at its log; run it again, and it goes on.",
            f"{origin}のOllamaから{SILENCE_S:.0f}秒間応答がありません。Ollamaのログを確認してください。再実行すると続きから再開します。",
        ) from None
    except Broken:
        raise _cut(origin, tag) from None


def _cut(origin: str, tag: str) -> NotPulled:
    return NotPulled(
        f"Ollama at {origin} broke off before {tag} was whole. Run it again: it goes on where it was cut.",
        f"{origin}のOllamaとの接続が、{tag}の取得中に切れました。再実行すると、中断した位置から再開します。",
    )


def _followed(answer: Answer, tag: str, origin: str, say: Say) -> int:
    """What it says until it has succeeded; the bytes of all layers."""
    if answer.status != 200:
        raise _refused(tag, origin, _values(answer.body()).get("error"), answer.status)
    layers: dict[str, tuple[int, int]] = {}
    with transfer(0, say) as shown:
        for line in answer.lines():
            values = _values(line)
            if "error" in values:
                raise _refused(tag, origin, values["error"], answer.status)
            if values.get("status") == "success":
                return sum(total for total, _ in layers.values())
            digest, total = text_in(values.get("digest")), count_in(values.get("total"))
            if digest is not None and total and (digest in layers or len(layers) < MOST_LAYERS):
                layers[digest] = total, min(total, max(0, count_in(values.get("completed")) or 0))
                shown.of(sum(each for each, _ in layers.values()))
                shown.at(tag, sum(done for _, done in layers.values()))
    raise _cut(origin, tag)


MOST_LAYERS: Final = 1000


def _values(line: bytes) -> Mapping[str, Any]:
    try:
        found = orjson.loads(line)
    except orjson.JSONDecodeError:
        return {}
    return found if isinstance(found, dict) else {}


def _refused(tag: str, origin: str, error: object, status: int) -> NotPulled:
    said = plain(one_line(text_in(error) or f"status {status}"), MOST_SAID)
    absent = "file does not exist" in said or "not found" in said
    if absent:
        return NotPulled(
            f"Ollama's library has no {tag}: look the name up at https://ollama.com/library.",
            f"Ollamaのライブラリーに{tag}はありません。https://ollama.com/library で名前を確かめてください。",
        )
    full = Text(
        " Make room on the disk of Ollama's store (`ollama rm`).",
        "Ollamaの保存先の空きを増やしてください（`ollama rm`）。",
    )
    more = full if "no space left" in said else Text("", "")
    return NotPulled(
        f"Ollama at {origin} could not pull {tag}: {said.rstrip('.')}.{more.en}",
        f"{origin}のOllamaは{tag}を取得できませんでした（{said.rstrip('.')}）。{more.ja}",
    )
