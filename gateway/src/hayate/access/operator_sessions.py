"""The operator's sign-in in a browser, apart from callers', under rules of its own.

(1) The cookie holds no key: a number drawn for it, when the session began, and a signature with a secret derived from the
    operator's key. So it goes on over a restart, ends SESSION_S after it began, and ends with that key.
(2) Its name carries the port: two gateways on one host have one each.
(3) It counts for the gateway's own page alone, not for the origins whose pages may call.
(4) A change takes more: an `Origin`, and the token in TOKEN_FIELD, which only a page that may read our answers can have.
(5) Who has signed out is out, whoever else has the cookie.

The code carries these numbers.
"""

from __future__ import annotations

import hmac
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from hayate.access.our_page import cookie_in, cookie_named, from_elsewhere
from hayate.errors import NotAllowed, NotAuthenticated
from hayate.settings import Listening
from hayate.wire.http1 import Fields

SESSION_S: Final = 12 * 3600
TOKEN_FIELD: Final = b"x-csrf-token"
MAX_ENDED: Final = 1000
"""Sessions that were signed out of before their time, and are remembered one by one."""


@dataclass(frozen=True, slots=True)
class OperatorSession:
    """One sign-in. `began_ms` is in milliseconds since 1970."""

    number: str
    began_ms: int

    @property
    def expires_at(self) -> float:
        """In seconds since 1970."""
        return self.began_ms / 1000 + SESSION_S


class OperatorSessions:
    """One per gateway. `secret` is the digest of the operator's key; None: there is no such key, and nobody can sign in."""

    def __init__(
        self,
        secret: bytes | None,
        *,
        port: int = Listening.port,
        wall_clock: Callable[[], float] = time.time,
    ) -> None:
        self._secret = hmac.digest(secret or secrets.token_bytes(32), b"hayate operator's session 1", "sha256")
        self.port = port
        """Which the gateway listens on."""
        self._wall_clock = wall_clock
        self._ended: dict[str, float] = {}
        """The sessions that were signed out of, each with when it would have ended by itself."""
        self._none_before_ms = 0

    def cookie(self, found: Fields) -> str:
        """The cookie's name, for the address that the browser knows."""
        return cookie_named("hayate_operator", found, self.port)  # (2)

    def begin(self) -> OperatorSession:
        """Somebody has brought the operator's key."""
        return OperatorSession(secrets.token_hex(16), int(self._wall_clock() * 1000))

    def value(self, session: OperatorSession) -> str:
        """The cookie of a session, as the browser keeps it and nobody else can make it."""
        said = f"{session.number}.{session.began_ms}"
        return f"{said}.{self._sign('session', said)}"  # (1)

    def token(self, session: OperatorSession) -> str:
        """What a change has to bring beside the cookie."""
        return self._sign("change", f"{session.number}.{session.began_ms}")

    def of(self, found: Fields) -> OperatorSession | None:
        """The session of a request that reads; None where it brings none. Raises NotAuthenticated when it is over, NotAllowed when
        it is another site that asks.
        """
        cookie = found.get(b"cookie")
        if cookie is None:
            return None
        value = cookie_in(cookie, self.cookie(found))
        if value is None:
            return None
        session = self._read(value)
        if session is None:
            raise NotAuthenticated(
                "The operator's session is over. Sign in again, with the operator's key.",
                "管理者のセッションは終了しています。管理者用のキーでもう一度サインインしてください。",
                param="session",
            )
        if from_elsewhere(found):  # (3)
            raise NotAllowed(
                "The operator's session works for this gateway's own page alone. Behind a proxy, pass the Host header on.",
                "管理者のセッションは、このゲートウェイのページからのみ使えます。"
                "プロキシーの背後では、Hostヘッダーをそのまま渡してください。",
                param="session",
            )
        return session

    def for_change(self, found: Fields) -> OperatorSession | None:
        """The session of a request that changes something. Raises as `of` does."""
        session = self.of(found)
        if session is None:
            return None
        token = found.get(TOKEN_FIELD, b"")
        if b"origin" not in found or not hmac.compare_digest(token, self.token(session).encode()):  # (4)
            name = TOKEN_FIELD.decode()
            raise NotAllowed(
                f"With the operator's session a change takes an Origin header and '{name}': what GET /admin/session gives.",
                "管理者のセッションで変更するには、Originヘッダーと、"
                f"`GET /admin/session` で得られる '{name}' ヘッダーが必要です。",
                param=name,
            )
        return session

    def end(self, session: OperatorSession) -> None:
        """It is signed out of. Of very many all that have begun by now are over."""
        now = self._wall_clock()
        self._ended = {number: until for number, until in self._ended.items() if until > now}
        if len(self._ended) >= MAX_ENDED:
            self._ended.clear()
            self._none_before_ms = int(now * 1000)
        self._ended[session.number] = session.expires_at  # (5)

    def _read(self, value: str) -> OperatorSession | None:
        """The session that a cookie tells of; None unless it is one of ours that has not ended."""
        said, _, signature = value.rpartition(".")
        if not hmac.compare_digest(signature.encode("latin-1", "replace"), self._sign("session", said).encode()):
            return None
        number, began_ms = said.split(".")  # two: we have signed it
        session = OperatorSession(number, int(began_ms))
        is_over = session.expires_at <= self._wall_clock() or session.began_ms <= self._none_before_ms
        return None if is_over or number in self._ended else session

    def _sign(self, what: str, said: str) -> str:
        return hmac.new(self._secret, f"{what}.{said}".encode("latin-1", "replace"), "sha256").hexdigest()
