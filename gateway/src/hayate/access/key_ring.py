"""The keys that this process knows: those of the store that were used lately, and how they follow its changes.

A key that is known costs a hash and a look-up, whatever the store does meanwhile. One that is not is looked up by its
public id, if its form and checksum are right, and compared in constant time. Twice a second (`refresh`) the store is
asked whether anything has changed, and every key that has is read anew or forgotten; records are replaced, never
changed. While the store can't be read, known keys go on for `stale_s`; unknown ones can't be judged and get 503.

Nobody is counted for bringing keys that are none: a look-up (11 µs with 100,000 keys) is a tenth of what the refusal
costs, and a limit by address would shut out whoever shares a proxy with a guesser.
"""

from __future__ import annotations

import hmac
import sqlite3
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from itertools import islice
from typing import Final, NoReturn

from hayate.access.key_source import KeySource
from hayate.access.keys import INCORRECT, id_in
from hayate.access.principals import Principal
from hayate.access.terms import terms_of
from hayate.errors import KeysUnknown, NotAuthenticated
from hayate.store.keys import KeyRow
from hayate.telemetry.log import log_event

MAX_KNOWN: Final = 100_000
"""Keys: some 80 MB, if so many call. One that is not known costs a call 20 µs more."""
MAX_STRANGE: Final = 10_000
"""What has the form of a key and is none."""
MAX_READ: Final = 5000
"""Changed keys in one look, so that it holds up nobody for long; the others are read with the next."""
REFRESH_S: Final = 0.5


@dataclass(slots=True, eq=False)
class _Known:
    """One key. `principal` is replaced whole; `until` is when it must be looked at again, in seconds since 1970: it
    expires then, or the key before it does.
    """

    principal: Principal
    until: float | None
    digests: list[bytes]


class KeyRing:
    """One per process. `changed` is told of each key that is no longer what it was: its id, and the principal that it
    stands for now, None where it stands for nobody any more.
    """

    def __init__(
        self,
        source: KeySource,
        *,
        now: Callable[[], float],
        wall_clock: Callable[[], float],
        stale_s: float,
        changed: Callable[[str, Principal | None], None] = lambda _, __: None,
    ) -> None:
        self.stale_s = stale_s
        self._source = source
        self._now = now
        self._wall_clock = wall_clock
        self._changed = changed
        self._known: OrderedDict[str, _Known] = OrderedDict()
        self._by_digest: dict[bytes, _Known] = {}
        self._ending: set[str] = set()
        """Ids of known keys whose time is limited."""
        self._unread: set[str] = set()
        """Ids of keys that have changed, until what they are now could be read."""
        self._strange: OrderedDict[bytes, None] = OrderedDict()
        """Digests of what has the form of a key and is none."""
        self._failing_since: float | None = None

    @property
    def known(self) -> int:
        """How many keys are known here."""
        return len(self._known)

    @property
    def failing_since(self) -> float | None:
        """Since when the store can't be read, on the monotonic clock."""
        return self._failing_since

    def find(self, presented: bytes, digest: bytes) -> Principal | None:
        """Whose key it is. Raises KeysUnknown where that can't be told, NotAuthenticated for one that has expired."""
        known = self._by_digest.get(digest)
        if known is None:
            return None if digest in self._strange else self._look_up(presented, digest)
        if known.until is None and self._failing_since is None:
            return known.principal
        return self._still(known) or _refuse_expired(known.principal)

    def by_id(self, key_id: str) -> Principal | None:
        """The principal of a key, for a session. Raises KeysUnknown."""
        known = self._known.get(key_id)
        if known is None:
            row = self._read(key_id)
            principal = None if row is None else _principal(row)
            if row is None or principal is None or self._is_over(principal):
                return None
            known = self._learn(row, principal)
        return self._still(known)

    def project_of(self, key_id: str) -> str | None:
        """Whose a key is that is known here; None for any other."""
        known = self._known.get(key_id)
        return None if known is None else known.principal.project

    def refresh(self) -> None:
        """Follows what has changed in the store, and the time. Called every REFRESH_S; never raises."""
        now = self._wall_clock()
        try:
            changed = self._source.changed()
            self._unread |= self._known.keys() if changed is None else changed
            due = {each for each in self._ending if (self._known[each].until or 0.0) <= now}
            # To take all keys from a set would look at each of them.
            unread = {each for each in self._unread if each in self._known}
            # What has just changed goes before what may have, when there is much of that.
            wanted = [*due, *unread.intersection(changed or ()), *unread]
            rows = {key_id: self._source.find(key_id) for key_id in islice(dict.fromkeys(wanted), MAX_READ)}
            forgotten = self._source.ended(self._unread - unread)
        except (sqlite3.Error, OSError) as error:
            self._failed(error)
            return
        if self._failing_since is not None:
            log_event("keys_readable", after_s=round(self._now() - self._failing_since, 1))
            self._failing_since = None
        self._strange.clear()
        self._unread = unread.difference(rows)
        for key_id, row in rows.items():
            self._replace(key_id, row)
        for key_id in forgotten:  # known once, and too many came after it: a call of it may still run
            self._changed(key_id, None)

    def _still(self, known: _Known) -> Principal | None:
        """The principal, unless its key has expired. Raises KeysUnknown when nobody can have told for too long."""
        if self._failing_since is not None and self._now() - self._failing_since > self.stale_s:
            raise _unreadable()
        return None if self._is_over(known.principal) else known.principal

    def _is_over(self, principal: Principal) -> bool:
        return principal.expires_at is not None and principal.expires_at <= self._wall_clock()

    def _look_up(self, presented: bytes, digest: bytes) -> Principal | None:
        key_id = id_in(presented)
        if key_id is None:
            return None
        row = self._read(key_id)
        principal = _principal(row) if row is not None and self._is_good(row, digest) else None
        if row is None or principal is None:
            self._strange[digest] = None
            if len(self._strange) > MAX_STRANGE:
                self._strange.popitem(last=False)
            return None
        if self._is_over(principal):  # who is told so holds it; what is over is never learned
            _refuse_expired(principal)
        known = self._known.get(key_id) or self._learn(row, principal)
        known.digests.append(digest)
        self._by_digest[digest] = known
        return self._still(known) or _refuse_expired(known.principal)

    def _read(self, key_id: str) -> KeyRow | None:
        try:
            return self._source.find(key_id)
        except (sqlite3.Error, OSError) as error:
            self._failed(error)
            raise _unreadable() from None

    def _is_good(self, row: KeyRow, digest: bytes) -> bool:
        """Whether the digest is that of the key, or of the one before it in its time of grace. Compared in constant time."""
        current = hmac.compare_digest(digest, row.digest)
        old = row.old_digest is not None and hmac.compare_digest(digest, row.old_digest)
        in_grace = row.old_until_ms is not None and row.old_until_ms > self._wall_clock() * 1000
        return row.revoked_ms is None and (current or (old and in_grace))

    def _learn(self, row: KeyRow, principal: Principal) -> _Known:
        if len(self._known) >= MAX_KNOWN:
            self._forget(next(iter(self._known)))
        known = self._known[row.id] = _Known(principal, self._until(row), [])
        if known.until is not None:
            self._ending.add(row.id)
        return known

    def _until(self, row: KeyRow) -> float | None:
        ends = [each / 1000 for each in (row.expires_ms, row.old_until_ms) if each is not None]
        return min((each for each in ends if each > self._wall_clock()), default=None)

    def _forget(self, key_id: str) -> _Known:
        known = self._known.pop(key_id)
        for digest in known.digests:
            del self._by_digest[digest]
        self._ending.discard(key_id)
        return known

    def _replace(self, key_id: str, row: KeyRow | None) -> None:
        """What is known of a key is as the store has it now."""
        before = self._forget(key_id)
        principal = None if row is None else _principal(row)
        if row is None or principal is None or self._is_over(principal):
            self._changed(key_id, None)
            return
        known = self._learn(row, principal)
        known.digests = [each for each in before.digests if self._is_good(row, each)]
        self._by_digest |= dict.fromkeys(known.digests, known)
        if principal != before.principal:
            self._changed(key_id, principal)

    def _failed(self, error: Exception) -> None:
        if self._failing_since is None:
            self._failing_since = self._now()
            log_event("keys_unreadable", reason=str(error), known=self.known, known_go_on_s=self.stale_s)


def _principal(row: KeyRow) -> Principal | None:
    """Who brings the key; None where it is revoked, or says what this release can't read: nobody may do more than is meant."""
    if row.revoked_ms is not None:
        return None
    try:
        terms = terms_of(row.terms)
    except ValueError as error:
        log_event("key_unreadable", key=row.id, reason=" ".join(str(error).split()))
        return None
    expires_at = None if row.expires_ms is None else row.expires_ms / 1000
    return Principal(row.id, row.project, terms=terms, version=row.version, expires_at=expires_at)


def _refuse_expired(principal: Principal) -> NoReturn:
    day = time.strftime("%Y-%m-%d", time.gmtime(principal.expires_at))
    raise NotAuthenticated(
        f"{INCORRECT}: it expired on {day} (UTC). Ask whoever runs this gateway for a new one.",
        f"このAPIキーの有効期限（{day} UTC）が切れています。ゲートウェイの管理者に新しいキーを依頼してください。",
    )


def _unreadable() -> KeysUnknown:
    return KeysUnknown(
        "The keys can't be read at the moment. Try again shortly.",
        "現在、APIキーを確認できません。しばらくしてからもう一度お試しください。",
        retry_after_s=2,
    )
