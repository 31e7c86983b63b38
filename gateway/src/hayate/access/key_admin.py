"""Making keys and changing them, for whoever runs the gateway: the same rules for the command line and for /admin.

A key is shown once, when it is made or replaced; afterwards it is known by its id. What is revoked stays listed, for the
record of its calls names it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from sqlalchemy import Connection

from hayate.access.keys import PREFIX, MadeKey, id_in, make_key
from hayate.access.principals import OPERATOR, OWNER
from hayate.access.terms import NOTHING, Terms, terms_of, text_of
from hayate.errors import InvalidRequest, UnknownKey
from hayate.store import keys as table
from hayate.store.keys import KeyRow

MAX_NAME_CHARS: Final = 64
MAX_MODEL_CHARS: Final = 200
OWNERS: Final = "owner"
"""What the gateway's own key is called where keys are named."""
_TAKEN: Final = frozenset({OWNERS, OWNER.id, OPERATOR.id})
MAX_AHEAD_S: Final = 100 * 366 * 86_400.0
"""A century: what is meant to last longer has no end."""
GRACE_S: Final = 24 * 3600.0
"""How long the key before a rotation stays good, unless something else is said."""


@dataclass(frozen=True, slots=True)
class KeyInfo:
    """One key as it is shown. Times are seconds since 1970."""

    id: str
    name: str
    project: str
    created_at: float
    expires_at: float | None
    revoked_at: float | None
    old_until: float | None
    """Until when the key before the last rotation is good."""
    terms: Terms

    def state(self, now: float) -> str:
        """In one word: `active`, `expired` or `revoked`."""
        if self.revoked_at is not None:
            return "revoked"
        return "active" if self.expires_at is None or self.expires_at > now else "expired"


def create(
    connection: Connection, *, name: str, project: str | None, expires_at: float | None, terms: Terms, now: float
) -> tuple[MadeKey, KeyInfo]:
    """A new key. Raises InvalidRequest for a name that is taken or none, an end that is not ahead, and terms that can't be."""
    check_name("name", name)
    if project is not None:
        check_name("project", project)
    _check_free(connection, name)
    _check_ahead(expires_at, now)
    _check_models(terms)
    made = make_key()
    row = KeyRow(
        made.id,
        made.digest,
        name,
        project or name,
        1,
        int(now * 1000),
        _ms(expires_at),
        None,
        None,
        None,
        text_of(terms),
    )
    table.add(connection, row)
    return made, info_of(row)


def find(connection: Connection, wanted: str) -> KeyInfo:
    """By id, by the name of a key that is not revoked, or by the key itself. Raises UnknownKey, which repeats no key."""
    if wanted.startswith("sk-"):
        wanted = id_in(wanted.encode("utf-8", "replace")) or f"{PREFIX}…"
    row = table.get(connection, wanted)
    if row is None:
        named = table.named(connection, wanted)
        row = named[0] if named else None
    if row is None:
        raise UnknownKey(
            f"There is no key with the id or name {wanted!r}. `hayate key list` shows all.",
            f"IDまたは名前が {wanted!r} のAPIキーはありません。一覧は `hayate key list` で表示できます。",
        )
    return info_of(row)


def listed(connection: Connection, *, after: str | None = None, limit: int = 100) -> list[KeyInfo]:
    """Keys, the oldest first, from behind the key `after` on. Raises InvalidRequest when there is no such key."""
    if after is not None and table.get(connection, after) is None:
        raise InvalidRequest(
            "'after' must be the id of a key, the last one of the page before.",
            "'after' には、前のページの最後のAPIキーのIDを指定してください。",
            param="after",
        )
    return [info_of(row) for row in table.listed(connection, after=after, limit=limit)]


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyChange:
    """What is to change of a key; None: nothing."""

    name: str | None = None
    project: str | None = None
    expires_at: float | None = None
    never_expires: bool = False
    terms: Terms | None = None


def update(connection: Connection, key: KeyInfo, change: KeyChange, now: float) -> KeyInfo:
    """Changes what is given and differs; a key that stays what it was keeps its sessions. Raises InvalidRequest; UnknownKey for
    one that is revoked.
    """
    _alive(key)
    columns: dict[str, object] = {}
    if change.name is not None and change.name != key.name:
        check_name("name", change.name)
        _check_free(connection, change.name)
        columns["name"] = change.name
    if change.project is not None and change.project != key.project:
        check_name("project", change.project)
        columns["project"] = change.project
    expires_at = None if change.never_expires else key.expires_at if change.expires_at is None else change.expires_at
    if expires_at != key.expires_at:
        _check_ahead(expires_at, now)
        columns["expires_ms"] = _ms(expires_at)
    if change.terms is not None and change.terms != key.terms:
        _check_models(change.terms)
        columns["terms"] = text_of(change.terms)
    row = table.alter(connection, key.id, **columns) if columns else None
    return key if row is None else info_of(row)


def revoke(connection: Connection, key: KeyInfo, now: float) -> KeyInfo:
    """From now on the key is nobody's. Revoking it again changes nothing."""
    if key.revoked_at is not None:
        return key
    row = table.alter(connection, key.id, revoked_ms=_ms(now), old_digest=None, old_until_ms=None)
    return key if row is None else info_of(row)


def rotate(connection: Connection, key: KeyInfo, *, grace_s: float, now: float) -> tuple[MadeKey, KeyInfo]:
    """A new secret for the same key; the one before it is good for `grace_s` more, and the one before that no longer. Raises
    UnknownKey for one that is revoked, InvalidRequest for a grace without end.
    """
    _alive(key)
    if not 0 <= grace_s <= MAX_AHEAD_S:
        raise InvalidRequest(
            "'grace_s' must be a number of seconds, from 0 to a century.",
            "'grace_s' は0秒以上、100年以内の秒数にしてください。",
            param="grace_s",
        )
    before = table.get(connection, key.id)
    made = make_key(key.id)
    old = {"old_digest": before.digest, "old_until_ms": _ms(now + grace_s)} if before and grace_s > 0 else {}
    row = table.alter(connection, key.id, **({"digest": made.digest, "old_digest": None, "old_until_ms": None} | old))
    return made, key if row is None else info_of(row)


def info_of(row: KeyRow) -> KeyInfo:
    """What is shown of a row. Terms that this release can't read allow nothing (`key_ring`); they can be replaced."""
    try:
        terms = terms_of(row.terms)
    except ValueError:
        terms = NOTHING
    return KeyInfo(
        row.id,
        row.name,
        row.project,
        row.created_ms / 1000,
        _s(row.expires_ms),
        _s(row.revoked_ms),
        _s(row.old_until_ms),
        terms,
    )


def check_name(field: str, value: str) -> None:
    """Raises InvalidRequest unless it is a name that fits a line."""
    if not value.strip() or value != value.strip() or len(value) > MAX_NAME_CHARS or not value.isprintable():
        raise InvalidRequest(
            f"'{field}' must be a name of 1 to {MAX_NAME_CHARS} printable characters, without blanks around it.",
            f"'{field}' は、前後に空白のない{MAX_NAME_CHARS}文字以内の名前にしてください。",
            param=field,
        )
    if field == "name" and (value in _TAKEN or value.startswith("sk-")):
        raise InvalidRequest(
            f"'{field}' can't be one of {', '.join(sorted(_TAKEN))}, the gateway's own, nor begin like a key. "
            "Choose another name.",
            f"'{field}' に {'、'.join(sorted(_TAKEN))}（ゲートウェイ自身のもの）や、sk- で始まる名前は使えません。"
            "別の名前にしてください。",
            param=field,
        )


def _check_ahead(expires_at: float | None, now: float) -> None:
    if expires_at is not None and not now < expires_at <= now + MAX_AHEAD_S:
        raise InvalidRequest(
            "'expires_at' must lie ahead, and within a century; without it the key has no end.",
            "'expires_at' は100年以内の将来の日時にしてください。指定しなければ無期限になります。",
            param="expires_at",
        )


def _check_models(terms: Terms) -> None:
    """Names of models stand in tables and in what callers are told."""
    default = terms.defaults.model
    for name in (*(terms.models or ()), *terms.model_limits, *(() if default is None else (default,))):
        if not name.isprintable() or not name.strip() or len(name) > MAX_MODEL_CHARS:
            raise InvalidRequest(
                f"A model's name must be 1 to {MAX_MODEL_CHARS} printable characters: {name[:MAX_MODEL_CHARS]!r} is none.",
                f"モデルの名前は印字可能な{MAX_MODEL_CHARS}文字以内にしてください: {name[:MAX_MODEL_CHARS]!r}",
                param="models",
            )


def _check_free(connection: Connection, name: str) -> None:
    if table.named(connection, name):
        raise InvalidRequest(
            f"There is a key named {name!r} already. Choose another name, or revoke that one.",
            f"{name!r} という名前のAPIキーがすでにあります。別の名前にするか、既存のキーを失効させてください。",
            param="name",
        )


def _alive(key: KeyInfo) -> None:
    if key.revoked_at is not None:
        raise UnknownKey(
            f"The key {key.id} ({key.name}) is revoked, and stays so. Make a new one.",
            f"APIキー {key.id}（{key.name}）は失効済みで、元に戻せません。新しいキーを作成してください。",
        )


def _ms(at: float | None) -> int | None:
    return None if at is None else int(at * 1000)


def _s(ms: int | None) -> float | None:
    return None if ms is None else ms / 1000
