"""Whose key a request carries. One rule for every way a key can come: `Authorization: Bearer`, `x-api-key`, `api-key`,
or a browser's session cookie that was bought with the key once.

Keys are looked up by their digests, which nobody can choose; a wrong key and a missing key are the same 401. A field
that comes twice must say the same twice. The session cookie is HttpOnly and SameSite=Strict; it names the key that it
was bought with and that key's version, so that it ends with them, and is signed with a secret derived from the owner's
key.
"""

from __future__ import annotations

import hmac
import time
from collections.abc import Callable, Mapping
from typing import Protocol

from hayate.access.keys import INCORRECT, digest_of
from hayate.access.operator_sessions import OperatorSessions
from hayate.access.our_page import cookie_in, cookie_named, from_elsewhere
from hayate.access.principals import Principal, Role
from hayate.errors import GatewayError, KeysUnknown, NotAllowed, NotAuthenticated
from hayate.settings import Listening
from hayate.wire.http1 import Fields, Headers, fields_of
from hayate.wire.origins import Origins

SESSION_S = 7 * 24 * 3600
_KEY_FIELDS = (b"authorization", b"x-api-key", b"api-key")


class Keys(Protocol):
    """The keys that were made for projects (`key_ring`). The first two methods may raise KeysUnknown."""

    def find(self, presented: bytes, digest: bytes) -> Principal | None:
        """Whose key it is. Raises NotAuthenticated for one that has expired, which only its holder can bring."""

    def by_id(self, key_id: str) -> Principal | None:
        """The principal of a key, by the public part of it."""

    def project_of(self, key_id: str) -> str | None:
        """Whose a key is, where that is known without a look-up."""


class NoKeys:
    """Where none were made."""

    def find(self, presented: bytes, digest: bytes) -> Principal | None:
        """Nobody's."""
        return None

    def by_id(self, key_id: str) -> Principal | None:
        """Nobody."""
        return None

    def project_of(self, key_id: str) -> str | None:
        """Of no key, there being none."""
        return None


class Authenticator:
    """Knows the gateway's own keys, as digests, the owner's first; `issued` knows all others. One per gateway."""

    def __init__(
        self,
        keys: Mapping[str, Principal],
        issued: Keys | None = None,
        *,
        origins: Origins | None = None,
        port: int = Listening.port,
        wall_clock: Callable[[], float] = time.time,
    ) -> None:
        self._own = {digest_of(key.encode()): principal for key, principal in keys.items()}
        self._issued: Keys = issued or NoKeys()
        self._secret = hmac.digest(
            next(iter(self._own)), b"hayate session 2", "sha256"
        )  # 1 signed cookies of another form
        self._origins = origins or Origins()
        self._wall_clock = wall_clock
        operators = next((digest for digest, each in self._own.items() if each.role is Role.OPERATOR), None)
        self.operator = OperatorSessions(operators, port=port, wall_clock=wall_clock)
        """Who is signed in as the operator, which `check` knows nothing of."""

    def check(self, headers: Headers, fields: Fields | None = None, role: Role = Role.CALLER) -> Principal:
        """Whose key the request carries; of several principals' keys, that of one with `role`. `fields`, where they are
        known already, are those of `headers`. Raises NotAuthenticated; KeysUnknown; NotAllowed for a cookie sent by another site.
        """
        found = fields_of(headers) if fields is None else fields
        if len(found) != len(headers):  # some field comes more than once
            _refuse_disagreement(headers)
        other: Principal | None = None
        why: GatewayError | None = None
        for name in _KEY_FIELDS:
            if name in found:
                try:
                    principal = self.identify(_key_in(name, found[name]))
                except (NotAuthenticated, KeysUnknown) as error:  # it spoils no better key beside it
                    why = why or error
                    continue
                if principal is not None and principal.role is role:
                    return principal
                other = other or principal
        # A session is as good as the callers' key; to an operator's path it must not hide the key that is brought beside it.
        cookie = found.get(b"cookie")
        if cookie is not None and (other is None or role is Role.CALLER):
            try:
                principal = self._session(cookie, self.cookie(found))
            except (NotAuthenticated, KeysUnknown) as error:
                principal, why = None, why or error
            if principal is not None:
                _from_our_page(headers, self._origins)
                return principal
        if other is not None:
            return other
        raise why or NotAuthenticated(
            f"{INCORRECT}. Send it as 'Authorization: Bearer <key>' or 'x-api-key: <key>'.",
            "APIキーが正しくありません。'Authorization: Bearer <キー>' または 'x-api-key: <キー>' で送ってください。",
        )

    def identify(self, presented: bytes) -> Principal | None:
        """Whose key this is. How long that takes tells nothing of it: it is the digest that is looked up."""
        digest = digest_of(presented)
        return self._own.get(digest) or self._issued.find(presented, digest)

    def project_of(self, key_id: str) -> str:
        """Whose a key is that calls; empty where that is not known any more. Nothing is looked up."""
        own = next((each.project for each in self._own.values() if each.id == key_id), None)
        return own or self._issued.project_of(key_id) or ""

    def cookie(self, found: Fields) -> str:
        """The name of the session's cookie, for the address that the browser knows."""
        return cookie_named("hayate_session", found, self.operator.port)

    def new_session(self, principal: Principal) -> str:
        """A cookie's value: whose session it is, when it ends, and a signature that only the gateway can make."""
        expires = int(self._wall_clock()) + SESSION_S
        said = f"{principal.id}.{principal.version}.{expires}"
        return f"{said}.{self._sign(said)}"

    def _session(self, cookie: bytes, name: str) -> Principal | None:
        """Who was signed in, as long as the session lasts. Raises NotAuthenticated, which says so, where their key is not what
        it was then; KeysUnknown.
        """
        value = cookie_in(cookie, name)
        if value is None:
            return None
        said, _, signature = value.rpartition(".")
        if not hmac.compare_digest(signature.encode("latin-1", "replace"), self._sign(said).encode()):
            return None
        key_id, version, expires = said.split(".")  # three, and numbers: we have signed it
        if int(expires) <= self._wall_clock():
            return None
        own = next((principal for principal in self._own.values() if principal.id == key_id), None)
        principal = own or self._issued.by_id(key_id)
        if principal is None or principal.version != int(version):
            raise NotAuthenticated(
                "The key of this session was revoked, has expired or was changed. Sign in again.",
                "サインインに使ったAPIキーが、失効したか、期限切れになったか、変更されました。もう一度サインインしてください。",
                param="session",
            )
        return principal

    def _sign(self, said: str) -> str:
        return hmac.new(self._secret, said.encode("latin-1", "replace"), "sha256").hexdigest()


def brings_key(found: Fields) -> bool:
    """Whether there is a key in one of the fields for it, whatever it is worth."""
    return any(name in found and _key_in(name, found[name]) for name in _KEY_FIELDS)


def _key_in(name: bytes, value: bytes) -> bytes:
    """The key that a field presents; b"", which is no key, when it presents none."""
    if name != b"authorization":
        return value.strip()
    return value[7:].strip() if value[:7].lower() == b"bearer " else b""


def _refuse_disagreement(headers: Headers) -> None:
    """A field that comes twice with different keys means one thing to us and may mean another to whoever is in front of us."""
    presented: dict[bytes, bytes] = {}
    for name, value in headers:
        if name in _KEY_FIELDS and presented.setdefault(name, key := _key_in(name, value)) != key:
            raise NotAuthenticated(
                f"{INCORRECT}: '{name.decode()}' comes twice, with different values. Send one.",
                f"'{name.decode()}' が異なる値で2回送られています。1つだけ送ってください。",
            )


def _from_our_page(headers: Headers, origins: Origins) -> None:
    """A cookie counts only for our own page, and for those of listed origins: browsers say where a request comes from, in
    two ways.
    """
    found = dict(headers)
    origin = found.get(b"origin")
    if origin is not None and origins.may_use_session(origin):
        return
    if from_elsewhere(found):
        raise NotAllowed(
            "A session works for this gateway's own page, and for those of server.cors_origins; other sites need a key. "
            "Behind a proxy, pass the Host header on.",
            "セッションは、このゲートウェイのページと、server.cors_originsに書いたサイトからのみ使えます。"
            "他のサイトからはAPIキーが必要です。プロキシーの背後では、Hostヘッダーをそのまま渡してください。",
        )
