"""One question to a gateway, over HTTP, with a limit on all of it: the name, the connection, the head and the body.

No proxy and no redirect: the operator's key goes where it is sent, and nowhere else.
"""

from __future__ import annotations

import contextlib
import http.client
import socket
import ssl
import threading
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import orjson

from hayate.language import Text
from hayate.tools.status.refusals import CannotTell, KeyRefused, NoAnswer, NobodyThere, SomethingElse
from hayate.tools.status.target import Target

PATH = "/admin/status"
MAX_ANSWER_BYTES = 16 * 1024 * 1024


@dataclass(slots=True)
class _Asking:
    """What comes of it, put here by the thread that asks."""

    status: int = 0
    body: bytes = b""
    error: Exception | None = None
    done: threading.Event = field(default_factory=threading.Event)


def ask(target: Target, timeout_s: float, path: str = PATH, holds: str = "deployments") -> dict[str, Any]:
    """What the gateway says there: an object with a list that has this name. Raises CannotTell."""
    asking = _Asking()
    # A thread, because neither a name's resolution nor a head that comes byte by byte can be given a limit otherwise.
    threading.Thread(target=_fetch, args=(target, path, timeout_s, asking), daemon=True, name="status").start()
    if not asking.done.wait(timeout_s) or isinstance(asking.error, TimeoutError):
        raise NoAnswer(
            f"{target.url} says nothing within {timeout_s:g} s. Something listens there; it may be very busy or frozen.",
            f"{target.url}から{timeout_s:g}秒以内に応答がありません。待ち受けはありますが、過負荷か停止状態の可能性があります。",
        )
    if asking.error is not None:
        raise _unreachable(target, asking.error)
    if asking.status in (401, 403):
        raise _key_refused(target)
    return _read(target, asking, holds)


def _key_refused(target: Target) -> KeyRefused:
    """Which key it was, and which it should be."""
    if target.key is not None:
        return KeyRefused(
            f"The gateway at {target.url} does not take the key in {target.key_from.en}: "
            f"it runs with another data folder or another HAYATE_ADMIN_KEY, or was given a new key since.",
            f"{target.url}のゲートウェイは、{target.key_from.ja}のキーを受け付けません。"
            f"別のデータフォルダーか別のHAYATE_ADMIN_KEYで動作しているか、キーが変更されています。",
        )
    return KeyRefused(
        f"A gateway answers at {target.url}, but its operator's key is not known here (looked at: {target.key_from.en}). "
        f"Name its data folder with HAYATE_DATA, its file with --config, or the key itself with HAYATE_ADMIN_KEY.",
        f"{target.url}でゲートウェイが動作していますが、その管理者キーが見つかりません（参照先: {target.key_from.ja}）。"
        f"データフォルダーをHAYATE_DATAで、設定ファイルを--configで、またはキーそのものをHAYATE_ADMIN_KEYで指定してください。",
    )


def _fetch(target: Target, path: str, timeout_s: float, asking: _Asking) -> None:
    parts = urlsplit(target.url)
    kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
    connection = kind(parts.hostname or "", parts.port, timeout=timeout_s)
    try:
        with contextlib.closing(connection):
            headers = {"accept": "application/json"}
            if target.key is not None:
                headers["authorization"] = f"Bearer {target.key}"
            connection.request("GET", parts.path + path, headers=headers)
            response = connection.getresponse()
            asking.status, asking.body = response.status, response.read(MAX_ANSWER_BYTES + 1)
    except (OSError, http.client.HTTPException, ValueError) as error:
        asking.error = error
    finally:
        asking.done.set()


def _unreachable(target: Target, error: Exception) -> CannotTell:
    """What happened, and what to do about it."""
    if isinstance(error, http.client.HTTPException | ValueError):
        return _something_else(target)
    if isinstance(error, ssl.SSLError):
        return NobodyThere(
            f"{target.url}: no secure connection could be made. Is it https there, with a certificate that this machine knows?",
            f"{target.url}と安全な接続を確立できません。httpsで待ち受けているか、証明書が有効かを確認してください。",
        )
    if isinstance(error, socket.gaierror):
        return NobodyThere(
            f"{target.url}: no such host is known. Is the name right?",
            f"{target.url}のホスト名を解決できません。名前を確認してください。",
        )
    return NobodyThere(
        f"No gateway answers at {target.url} (found by: {target.found_by.en}). Start one with `hayate up` or "
        f"`hayate serve`, or say where it is with --url, HAYATE_PORT or --config.",
        f"{target.url}で動作中のゲートウェイがありません（参照元: {target.found_by.ja}）。"
        f"`hayate up`か`hayate serve`で起動するか、--url、HAYATE_PORT、--configのいずれかで場所を指定してください。",
    )


def _read(target: Target, asking: _Asking, holds: str) -> dict[str, Any]:
    """The answer, if it is a gateway's."""
    try:
        values = orjson.loads(asking.body)
    except orjson.JSONDecodeError:
        values = None
    if asking.status == 404 and isinstance(values, dict) and "error" in values:
        said = Text("an older Hayate, or another API", "古いHayateか、別のAPI")
        raise _something_else(target, said)
    if asking.status != 200 or not isinstance(values, dict) or not isinstance(values.get(holds), list):
        raise _something_else(target)
    return values


def _something_else(target: Target, said: Text | None = None) -> SomethingElse:
    guess = said or Text("another program", "別のプログラム")
    return SomethingElse(
        f"What answers at {target.url} does not tell its status as a gateway does: {guess.en}. Name the gateway with --url.",
        f"{target.url}で応答しているのは、状態を答えられるゲートウェイではありません（{guess.ja}）。--urlで指定してください。",
    )
