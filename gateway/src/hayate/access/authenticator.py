"""Who may call. One rule for every way a key can come: `Authorization: Bearer`, `x-api-key`, `api-key`, or a browser's session
cookie that was bought with the key once.

Keys are compared as digests in constant time; a wrong key and a missing key are the same 401. A field that comes twice must say
the same twice. The session cookie is
HttpOnly and SameSite=Strict, signed with a secret derived from the key, and holds nothing but its expiry: rotating the key
ends every session.
"""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import os
import secrets
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http.cookies import CookieError, SimpleCookie
from pathlib import Path

from hayate.errors import NotAllowed, NotAuthenticated
from hayate.language import BilingualError
from hayate.wire.http1 import Fields, Headers, fields_of

COOKIE = "hayate_session"
SESSION_S = 7 * 24 * 3600
MIN_KEY_CHARS = 16
INCORRECT = "Incorrect API key provided"
"""OpenAI's words, by which clients sort errors: for a wrong key, an unknown one, and none at all."""
_KEY_FIELDS = (b"authorization", b"x-api-key", b"api-key")


class KeyFileError(BilingualError):
    """A key can't be read or kept. Raised before anything serves: the text is one line."""


@dataclass(frozen=True, slots=True)
class KeyPlace:
    """Where a key comes from: a variable of the environment, else a file of the data folder."""

    variable: str
    file: str
    prefix: str


MAIN = KeyPlace("HAYATE_API_KEY", "api_key", "sk-hayate-")
ADMIN = KeyPlace("HAYATE_ADMIN_KEY", "admin_key", "sk-hayate-admin-")


def find_key(data: Path, env: Mapping[str, str] = os.environ, place: KeyPlace = MAIN) -> str | None:
    """The key, from the environment or else from the data folder, if there is one. Makes nothing. Raises KeyFileError."""
    given = env.get(place.variable, "").strip()
    if given:
        if len(given) < MIN_KEY_CHARS or not _sendable(given):
            raise KeyFileError(
                f"{place.variable} must be at least {MIN_KEY_CHARS} printable ASCII characters without spaces.",
                f"{place.variable} は、空白を含まない印字可能なASCII文字で{MIN_KEY_CHARS}文字以上にしてください。",
            )
        return given
    path = data / place.file
    try:
        kept = path.read_text(encoding="ascii").strip()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise _out_of_reach(path, place, error) from None
    except UnicodeDecodeError:
        kept = "\0"
    if kept and not _sendable(kept):
        raise KeyFileError(
            f"{path} does not hold one key of printable ASCII characters: mend it, or set {place.variable}.",
            f"{path} の内容がAPIキー（空白を含まない印字可能なASCII、1行）ではありません。"
            f"修正するか、{place.variable} を設定してください。",
        )
    return kept or None


def ensure_key(data: Path, env: Mapping[str, str] = os.environ, place: KeyPlace = MAIN) -> tuple[str, bool]:
    """The key and whether it was made just now: from the environment, else from the data folder, else a new one kept there
    with mode 0600. Raises KeyFileError.
    """
    found = find_key(data, env, place)
    path = data / place.file
    if found is not None:
        # Where the mode can't be changed (a read-only mount), the key is as secret as its owner wanted it.
        with contextlib.suppress(OSError):
            if path.stat().st_mode & 0o077:
                path.chmod(0o600)
        return found, False
    try:
        data.mkdir(parents=True, exist_ok=True)
        return write_key(data, place), True
    except OSError as error:
        raise _out_of_reach(path, place, error) from None


def ensure_keys(data: Path, env: Mapping[str, str] = os.environ) -> tuple[str, bool]:
    """Both keys; the callers' is what is given back, and whether it was made just now. Raises KeyFileError."""
    main = ensure_key(data, env)
    ensure_key(data, env, ADMIN)
    return main


def write_key(data: Path, place: KeyPlace = MAIN) -> str:
    """Makes a new key and keeps it, replacing any before it in one step. Raises OSError."""
    key = place.prefix + secrets.token_urlsafe(32)
    fresh = data / f".{place.file}.{os.getpid()}"
    with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="ascii") as file:
        file.write(key + "\n")
    fresh.replace(data / place.file)
    return key


def _sendable(key: str) -> bool:
    return key.isascii() and key.isprintable() and " " not in key


def _out_of_reach(path: Path, place: KeyPlace, error: OSError) -> KeyFileError:
    reason = error.strerror or type(error).__name__
    return KeyFileError(
        f"{path}: {reason}. Set {place.variable}, or name a folder that can be written with HAYATE_DATA.",
        f"{path} を読み書きできません（{reason}）。{place.variable} を設定するか、"
        f"書き込めるフォルダーを HAYATE_DATA で指定してください。",
    )


class Authenticator:
    """Checks requests against the one key. One per gateway."""

    def __init__(self, key: str, *, wall_clock: Callable[[], float] = time.time) -> None:
        self._digest = _digest(key.encode())
        self._secret = hmac.digest(self._digest, b"hayate session", "sha256")
        self._wall_clock = wall_clock

    def check(self, headers: Headers, fields: Fields | None = None) -> str:
        """The name of the caller's key, for logs. `fields`, where they are known already, are those of `headers`. Raises
        NotAuthenticated; NotAllowed for a cookie sent by another site.
        """
        found = fields_of(headers) if fields is None else fields
        if len(found) != len(headers):
            _refuse_disagreement(headers)
        for name in _KEY_FIELDS:
            if name in found and self.is_key(_key_in(name, found[name])):
                return "main"
        cookie = found.get(b"cookie")
        if cookie is not None and self._session(cookie):
            _same_origin(headers)
            return "session"
        raise NotAuthenticated(
            f"{INCORRECT}. Send it as 'Authorization: Bearer <key>' or 'x-api-key: <key>'.",
            "APIキーが正しくありません。'Authorization: Bearer <キー>' または 'x-api-key: <キー>' で送ってください。",
        )

    def is_key(self, presented: bytes) -> bool:
        """Whether this is the key, in constant time."""
        return hmac.compare_digest(_digest(presented), self._digest)

    def new_session(self) -> str:
        """A cookie's value."""
        expires = str(int(self._wall_clock()) + SESSION_S)
        return f"{expires}.{self._sign(expires)}"

    def _session(self, cookie: bytes) -> bool:
        try:
            morsel = SimpleCookie(cookie.decode("latin-1")).get(COOKIE)
        except CookieError:
            return False
        if morsel is None:
            return False
        expires, _, signature = morsel.value.partition(".")
        if not hmac.compare_digest(signature.encode("latin-1", "replace"), self._sign(expires).encode()):
            return False
        return int(expires) > self._wall_clock()

    def _sign(self, expires: str) -> str:
        return hmac.new(self._secret, expires.encode("latin-1", "replace"), "sha256").hexdigest()


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


def _digest(key: bytes) -> bytes:
    """BLAKE2b, which Python has built in: the way to OpenSSL's SHA-256 costs several times the hashing of so short a text."""
    return hashlib.blake2b(key, digest_size=32).digest()


def _same_origin(headers: Headers) -> None:
    """A cookie counts only for our own page: browsers say where a request comes from, in two ways."""
    found = dict(headers)
    site = found.get(b"sec-fetch-site")
    origin = found.get(b"origin")
    elsewhere = site is not None and site not in (b"same-origin", b"none")
    if origin is not None and origin != b"null":
        elsewhere = elsewhere or origin.partition(b"://")[2] != found.get(b"host")
    if elsewhere or origin == b"null":
        raise NotAllowed(
            "A session works for this gateway's own page only; other sites need a key. Behind a proxy, pass the Host header on.",
            "セッションはこのゲートウェイのページからのみ使えます。他のサイトからはキーが必要です。"
            "プロキシーの背後では、Hostヘッダーをそのまま渡してください。",
        )
