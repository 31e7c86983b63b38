"""One question to a gateway, over HTTP, with a limit on all of it: the name, the connection, the head and the body.

No proxy and no redirect: the operator's key goes where it is sent, and nowhere else.
"""

from __future__ import annotations

import http.client
import socket
import ssl
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import orjson

from hayate.language import Language, Text
from hayate.tools.status.refusals import CannotTell, KeyRefused, NoAnswer, NobodyThere, SomethingElse
from hayate.tools.status.target import Target

PATH = "/admin/status"
OLDER = Text("an older Hayate, or another API", "古いHayateか、別のAPI")
MAX_ANSWER_BYTES = 16 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Said:
    """What was answered."""

    status: int
    body: bytes

    @property
    def error(self) -> dict[str, Any]:
        """What a gateway says is wrong (`message`, `code`); nothing where it isn't a gateway that says so."""
        try:
            found = orjson.loads(self.body)["error"]
        except (orjson.JSONDecodeError, LookupError, TypeError):
            return {}
        return found if isinstance(found, dict) else {}


class Question:
    """One, under way from the start. A thread asks, because neither a name's resolution nor a head that comes byte by byte can
    be given a limit otherwise. One that `goes_on` has its answer left open: whoever asked reads it, and closes the question.
    """

    def __init__(
        self,
        target: Target,
        path: str,
        timeout_s: float,
        language: Language = "en",
        *,
        method: str = "GET",
        goes_on: bool = False,
    ) -> None:
        self._target = target
        self._timeout_s = timeout_s
        self._goes_on = goes_on
        self._said: Said | Exception = TimeoutError()
        self._done = threading.Event()
        parts = urlsplit(target.url)
        kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
        self._connection = kind(parts.hostname or "", parts.port, timeout=timeout_s)
        self.response: http.client.HTTPResponse | None = None
        """The answer that goes on, once `answer` has said that its status is 200."""
        headers = {"accept": "application/json", "accept-language": language}
        if target.key is not None:
            headers["authorization"] = f"Bearer {target.key}"
        asked = (method, parts.path + path, headers)
        threading.Thread(target=self._fetch, args=asked, daemon=True, name="question").start()

    def wait(self, most_s: float) -> bool:
        """Whether there is an answer by now, after so many seconds at most."""
        return self._done.wait(most_s)

    def answer(self) -> Said:
        """What was answered, waited for as long as the question has. Raises CannotTell, also where the key is refused."""
        self.wait(self._timeout_s)
        said, target = self._said, self._target
        if isinstance(said, TimeoutError):
            raise NoAnswer(
                f"{target.url} says nothing within {self._timeout_s:g} s. Something listens there; it may be very busy or frozen.",
                f"{target.url}から{self._timeout_s:g}秒以内に応答がありません。待ち受けはありますが、過負荷か停止状態の可能性があります。",
            )
        if isinstance(said, Exception):
            raise _unreachable(target, said)
        if said.status in (401, 403):
            raise _key_refused(target)
        return said

    def give_silence(self, most_s: float) -> None:
        """So long may an answer that goes on say nothing, from now on."""
        if self._connection.sock is not None:
            self._connection.sock.settimeout(most_s)

    def close(self) -> None:
        """The answer is not read any further."""
        self._connection.close()

    def _fetch(self, method: str, path: str, headers: Mapping[str, str]) -> None:
        try:
            self._connection.request(method, path, headers=headers)
            response = self._connection.getresponse()
            if self._goes_on and response.status == 200:
                self.response = response
                self._said = Said(response.status, b"")
            else:
                self._said = Said(response.status, response.read(MAX_ANSWER_BYTES + 1))
        except (OSError, http.client.HTTPException, ValueError) as error:
            self._said = error
        finally:
            if self.response is None:
                self.close()
            self._done.set()


def ask(target: Target, timeout_s: float, path: str = PATH, holds: str = "deployments") -> dict[str, Any]:
    """What the gateway says there: an object with a list that has this name. Raises CannotTell."""
    return _read(target, Question(target, path, timeout_s).answer(), holds)


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


def _unreachable(target: Target, error: Exception) -> CannotTell:
    """What happened, and what to do about it."""
    if isinstance(error, http.client.HTTPException | ValueError):
        return something_else(target)
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


def _read(target: Target, said: Said, holds: str) -> dict[str, Any]:
    """The answer, if it is a gateway's."""
    try:
        values = orjson.loads(said.body)
    except orjson.JSONDecodeError:
        values = None
    if said.status == 404 and isinstance(values, dict) and "error" in values:
        raise something_else(target, OLDER)
    if said.status != 200 or not isinstance(values, dict) or not isinstance(values.get(holds), list):
        raise something_else(target)
    return values


def something_else(target: Target, said: Text | None = None) -> SomethingElse:
    """What to say of an answer that no gateway gives, or none of this version; `said` is what it may come from."""
    guess = said or Text("another program", "別のプログラム")
    return SomethingElse(
        f"What answers at {target.url} does not tell its status as a gateway does: {guess.en}. Name the gateway with --url.",
        f"{target.url}で応答しているのは、状態を答えられるゲートウェイではありません（{guess.ja}）。--urlで指定してください。",
    )
