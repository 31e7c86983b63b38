"""What belongs at a place of the configuration, as the operator would say it, and what to say of anything else."""

from __future__ import annotations

import json
import re
import shlex
import unicodedata
from collections.abc import Mapping
from decimal import Decimal
from difflib import get_close_matches
from pathlib import Path
from typing import Any, get_args, get_origin

from annotated_types import Ge, Gt, Le, Lt
from pydantic import SecretStr

from hayate.config.mistakes import Where
from hayate.config.places import Place, fields_of, place_of
from hayate.language import Text

_URL = "http://127.0.0.1:8000"
_DEPLOYMENT = f"qwen: {{backend: vllm, replicas: [{_URL}]}}"
COMMANDS = ("command", "run")
SHOWN_OF_COMMANDS = 400
"""How many characters a message shows of a text in place of a command."""
_PLAIN = re.compile(r"(?:--?|\.{0,2}/)?[A-Za-z_][A-Za-z0-9_./=+-]*")
_NOT_PLAIN = {"true", "false", "yes", "no", "on", "off", "null", "y", "n"}
_COMMAND = '[vllm, serve, "{model}", --port, "{port}"]'
_BY_NAME: Mapping[str, Text] = {
    "deployments": Text(
        f"a section with each deployment below its name, such as {_DEPLOYMENT}",
        f"{_DEPLOYMENT}のように、名前ごとにデプロイメントを書いたセクション",
    ),
    "aliases": Text(
        "a section with the names that clients send, such as fast: qwen",
        "fast: qwenのように、クライアントが送る名前を書いたセクション",
    ),
    "replicas": Text(f"a list of addresses such as [{_URL}]", f"[{_URL}]のようなアドレスのリスト"),
    "replicas[]": Text(f"an address such as {_URL}", f"{_URL}のようなアドレス"),
    "aliases[]": Text(
        "a deployment's name, or a list of such; in quotes if it looks like a number",
        "デプロイメントの名前か、その名前のリスト（数字だけの名前は引用符で囲みます）",
    ),
    "deployments[]": Text(
        f"a section with entries such as backend: vllm and replicas: [{_URL}]",
        f"backend: vllmとreplicas: [{_URL}]のような項目を持つセクション",
    ),
    "options": Text(
        "a section with what only this backend has, or {}", "このバックエンドだけの設定を書いたセクション（なければ{}）"
    ),
    "api_key": Text(
        "text, best from the environment: ${BACKEND_API_KEY}; in quotes if it looks like a number",
        "文字列（${BACKEND_API_KEY}のように環境変数から取るのが安全です。数字だけの場合は引用符で囲みます）",
    ),
    "prices": Text(
        "a section with prices below the names of deployments or models, such as qwen: {input: 0.15, output: 0.6}",
        "qwen: {input: 0.15, output: 0.6}のように、デプロイメントやモデルの名前ごとに料金を書いたセクション",
    ),
    "currency": Text("a currency's name or sign such as JPY or USD", "JPYやUSDのような通貨の名前か記号"),
    "content": Text(
        "a section with keys' ids and how long their prompts and answers are kept, such as main: {days: 7}",
        "main: {days: 7}のように、APIキーのIDごとに内容の保存期間を書いたセクション",
    ),
    "models": Text(
        "a section with limits below the names that clients send, such as smart: {requests_per_minute: 10}",
        "smart: {requests_per_minute: 10}のように、クライアントが送る名前ごとに上限を書いたセクション",
    ),
    "file": Text("a file's path such as hayate.db", "hayate.dbのようなファイルのパス"),
    "data": Text("a folder's path such as data", "dataのようなフォルダーのパス"),
    "host": Text("a host's name or address such as 127.0.0.1", "127.0.0.1のようなホスト名かアドレス"),
    "probe": Text("a path of the engine's such as /health, or none", "/healthのようなエンジンのパスか、none"),
    "gpu": Text("a list of names of GPUs such as [gpu0]", "[gpu0]のようなGPUの名前のリスト"),
    "gpus": Text(
        "a section with the memory of each GPU below its name, such as gpu0: {memory: 24GiB}",
        "gpu0: {memory: 24GiB}のように、GPUの名前ごとにメモリーを書いたセクション",
    ),
    "gpus[]": Text("a section with entries such as memory: 24GiB", "memory: 24GiBのような項目を持つセクション"),
    "memory": Text("a size such as 24GiB", "24GiBのようなサイズ"),
    "run": Text(
        f"a section with the engine's command, such as {{command: {_COMMAND}}}, or the word llamacpp",
        f"{{command: {_COMMAND}}}のようにエンジンのコマンドを書いたセクション（または単にllamacpp）",
    ),
    "command": Text(
        f"a list of the program and its arguments such as {_COMMAND}", f"{_COMMAND}のような、プログラムと引数のリスト"
    ),
    "env": Text(
        "a section with variables such as CUDA_VISIBLE_DEVICES: 0, and secrets as KEY: ${KEY}",
        "CUDA_VISIBLE_DEVICES: 0のように環境変数を書いたセクション（秘密の値はKEY: ${KEY}）",
    ),
    "ready": Text("a path of the engine's such as /health", "/healthのようなエンジンのパス"),
    "preload": Text(
        "a list of deployments or aliases such as [fast]", "[fast]のようなデプロイメントかエイリアスのリスト"
    ),
    "preload[]": Text("the name of a deployment or an alias", "デプロイメントかエイリアスの名前"),
    "gpu[]": Text("a name for a GPU such as gpu0", "gpu0のようなGPUの名前"),
    "image_hosts": Text("a list of hosts such as [images.example]", "[images.example]のようなホストのリスト"),
    "cors_origins": Text(
        "a list of origins such as [https://game.example], or *",
        "[https://game.example]のようなオリジンのリスト（または*）",
    ),
    "allow_fields": Text(
        "a list of request fields such as [chat_template_kwargs]",
        "[chat_template_kwargs]のようなリクエスト項目のリスト",
    ),
}
_SECONDS = {"ms": 0.001, "s": 1, "sec": 1, "second": 1, "seconds": 1, "秒": 1, "m": 60, "min": 60, "分": 60, "h": 3600}
_BYTES = {"b": 1, "bytes": 1, "k": 2**10, "kb": 1000, "kib": 2**10, "m": 2**20, "mb": 10**6, "mib": 2**20, "g": 2**30}
_UNITS: Mapping[str, Mapping[str, float]] = {"s": _SECONDS, "bytes": {**_BYTES, "gb": 10**9, "gib": 2**30}}


def wanted(where: Where, place: Place) -> Text:
    """What belongs there, as a part of a sentence."""
    name = _named(where)
    found = _BY_NAME.get(name)
    if found is None:
        found = _by_kind(name, place)
    if place.nullable and name != "probe":
        return Text(f"{found.en}, or null", f"{found.ja}（またはnull）")
    return found


def must_be(where: Where, place: Place, shown: str | None) -> Text:
    """What to say of something else, which is `shown` unless it is long or secret."""
    noun, advice = wanted(where, place), _advice(where, place, shown)
    if shown is None:
        return Text(f"must be {noun.en}{advice.en}", f"{noun.ja}にしてください{advice.ja}")
    return Text(f"must be {noun.en}, not {shown}{advice.en}", f"{noun.ja}にしてください（指定値: {shown}）{advice.ja}")


def is_needed(where: Where, place: Place) -> Text:
    """What to say where nothing is."""
    noun = wanted(where, place)
    if where[-1:] == ("replicas",):
        noun = Text(f"{noun.en}, or run: with the engine's command", f"{noun.ja}か、エンジンのコマンドを書いたrun:")
    return Text(f"is needed: {noun.en}", f"必須の項目です。{noun.ja}を指定してください")


def is_empty(where: Where, place: Place) -> Text:
    """What to say where the name stands and nothing behind it."""
    noun = wanted(where, place)
    return Text(
        f"is empty: write {noun.en}, or remove it", f"値がありません。{noun.ja}を書くか、この行を取り除いてください"
    )


def nearest(word: object, words: list[str]) -> str | None:
    """The one of `words` that was probably meant."""
    spelled = {_plain(each): each for each in words}
    found = get_close_matches(_plain(str(word)), spelled, n=1, cutoff=0.6)
    return spelled[found[0]] if found else None


def _plain(word: str) -> str:
    return re.sub(r"[-_. ]", "", unicodedata.normalize("NFKC", word)[:64]).lower()


def _named(where: Where) -> str:
    """The name that the words depend on; `replicas[]` for an item of a list, or an entry below a free name."""
    if len(where) >= 2 and (isinstance(where[-1], int) or where[:-1] in (("deployments",), ("aliases",), ("gpus",))):
        outer = next(each for each in reversed(where[:-1]) if isinstance(each, str))
        return "aliases[]" if where[0] == "aliases" else f"{outer}[]"
    return str(where[-1]) if where else ""


def _by_kind(name: str, place: Place) -> Text:
    kind, words = place.kind, place.choices
    if words:
        listed = ", ".join(str(each) for each in words)
        return Text(f"one of {listed}", f"次のいずれか（{listed}）")
    if place.is_number:
        number, words = _number(name, place), place.words
        return Text(" or ".join((number.en, *words)), "か".join((number.ja, *words)))
    if place.is_section or not name:
        return _section(kind)
    if kind is bool:
        return Text("true or false", "trueかfalse")
    if get_origin(kind) is tuple:
        return Text("a list such as [one, two]", "[one, two]のようなリスト")
    if kind in (str, SecretStr, Path) or kind is Any or not get_args(kind):
        return Text(
            "text, in quotes if it looks like something else", "文字列（数字や真偽値に見える場合は引用符で囲みます）"
        )
    return Text("a section with entries below it", "項目を持つセクション")


def _section(kind: Any) -> Text:
    """With an entry that it really takes."""
    for name, info in fields_of(kind).items():
        value = info.get_default(call_default_factory=True)
        if value is None and place_of(kind, (name,))[1].is_number:
            value = 60
        if isinstance(value, int | float | Decimal) and not isinstance(value, bool):
            shown = f"{name}: {value:g}" if isinstance(value, float) else f"{name}: {value}"
            return Text(f"a section with entries such as {shown}", f"{shown}のような項目を持つセクション")
    first = next(iter(fields_of(kind)), "name")
    return Text(f"a section with entries such as {first}: value", f"{first}: 値のような項目を持つセクション")


def _number(name: str, place: Place) -> Text:
    unit = _unit(name)
    noun = "a whole number" if place.kind is int else "a number"
    japanese = "整数" if place.kind is int else "数値"
    if unit == "s":
        noun, japanese = "a number of seconds", "秒数"
    elif unit == "bytes":
        noun, japanese = "a whole number of bytes", "バイト数"
    least = next((each.ge for each in place.bounds if isinstance(each, Ge)), None)
    over = next((each.gt for each in place.bounds if isinstance(each, Gt)), None)
    most = next((each.le for each in place.bounds if isinstance(each, Le)), None)
    below = next((each.lt for each in place.bounds if isinstance(each, Lt)), None)
    if least is not None and most is not None:
        return Text(f"{noun} from {least} to {most}", f"{least}以上{most}以下の{japanese}")
    limits = [
        (", at least {}", "{}以上の", least),
        (" over {}", "{}より大きい", over),
        (", at most {}", "{}以下の", most),
        (" below {}", "{}未満の", below),
    ]
    for english, japanese_limit, limit in limits:
        if limit is not None:
            return Text(f"{noun}{english.format(limit)}", f"{japanese_limit.format(limit)}{japanese}")
    return Text(noun, japanese)


def _unit(name: str) -> str:
    """What a setting's name ends in; of so much a second, none."""
    return "" if name.endswith("_per_s") else name.rpartition("_")[2]


def _advice(where: Where, place: Place, shown: str | None) -> Text:
    """How to write what was meant, where that can be told."""
    said = (shown or "").strip("'\"")
    meant, name = None, _named(where)
    if name == "memory":
        meant = _size(said)
    elif name in COMMANDS:
        meant = _arguments(shown or "")
        meant = f"{{command: {meant}}}" if meant and name == "run" else meant
    elif place.choices:
        meant = nearest(said, [str(each) for each in place.choices]) if said else None
    elif place.is_number:
        meant = _without_unit(_unit(str(where[-1])) if where else "", said)
        ordinary = unicodedata.normalize("NFKC", said)
        if meant is None and ordinary != said and ordinary.isascii():
            meant = ordinary
        if meant is None and place.words and said:
            meant = nearest(said, list(place.words))
    return Text("", "") if meant is None else Text(f"; write {meant}", f"。{meant}と書いてください")


def _size(said: str) -> str | None:
    """With the unit that was meant: of a bare number, and of Gi, GiB."""
    found = re.fullmatch(r"([0-9]{1,4})(?:[.,]([0-9]{1,3}))?\s*(?:([kmgt])[a-z]{0,9})?", said, re.IGNORECASE)
    return None if found is None else f"{found[1]}{(found[2] and '.' + found[2]) or ''}{(found[3] or 'g').upper()}iB"


def _arguments(said: str) -> str | None:
    """A command line, in quotes or without, as the list that it is meant as."""
    if said[:1] in ("'", '"') and said.endswith(said[:1]):
        said = said[1:-1]
    try:
        parts = shlex.split(said) if len(said) < SHOWN_OF_COMMANDS - 2 else []
    except ValueError:
        return None
    written = (each if _is_plain(each) else json.dumps(each, ensure_ascii=False) for each in parts)
    return f"[{', '.join(written)}]" if parts else None


def _is_plain(argument: str) -> bool:
    """Whether YAML takes it for text without quotes."""
    return bool(_PLAIN.fullmatch(argument)) and argument.lower() not in _NOT_PLAIN


def _without_unit(unit: str, said: str) -> str | None:
    found = re.fullmatch(r"([0-9]{1,12}(?:\.[0-9]{1,6})?)\s*([A-Za-z秒分時間]+)", said)
    factor = _UNITS.get(unit, {}).get(found[2].lower()) if found else None
    if found is None or factor is None:
        return None
    return f"{float(found[1]) * factor:g}" if unit == "s" else str(round(float(found[1]) * factor))
