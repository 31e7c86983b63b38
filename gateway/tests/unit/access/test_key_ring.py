"""The keys that a process knows follow the store's changes, and go on for a while without it."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Collection
from dataclasses import dataclass, field, replace

import pytest

from hayate.access.key_ring import KeyRing
from hayate.access.keys import MadeKey, digest_of, make_key
from hayate.access.principals import Principal
from hayate.access.terms import Terms, text_of
from hayate.errors import KeysUnknown, NotAuthenticated
from hayate.settings import RateLimits
from hayate.store.keys import KeyRow


@dataclass
class Source:
    """Keys in memory; it can be out of order."""

    rows: dict[str, KeyRow] = field(default_factory=dict)
    events: set[str] = field(default_factory=set)
    broken: bool = False
    asked: int = 0

    def find(self, key_id: str) -> KeyRow | None:
        self._works()
        self.asked += 1
        return self.rows.get(key_id)

    def changed(self) -> set[str] | None:
        self._works()
        changed, self.events = self.events, set()
        return changed

    def ended(self, key_ids: Collection[str]) -> list[str]:
        self._works()
        return [each for each in key_ids if each not in self.rows or self.rows[each].revoked_ms is not None]

    def count(self) -> int:
        return len(self.rows)

    def put(self, row: KeyRow) -> None:
        self.rows[row.id] = row
        self.events.add(row.id)

    def _works(self) -> None:
        if self.broken:
            raise sqlite3.OperationalError("disk I/O error")


class Clock:
    """Both clocks, moved by hand."""

    def __init__(self) -> None:
        self.at = 1000.0

    def __call__(self) -> float:
        return self.at


@dataclass
class Ring:
    """A ring on such a source."""

    clock: Clock = field(default_factory=Clock)
    source: Source = field(default_factory=Source)
    told: list[tuple[str, Principal | None]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.ring = KeyRing(
            self.source,
            now=self.clock,
            wall_clock=self.clock,
            stale_s=900,
            changed=lambda key_id, principal: self.told.append((key_id, principal)),
        )

    def add(self, **columns: object) -> tuple[MadeKey, KeyRow]:
        made = make_key()
        row = KeyRow(made.id, made.digest, "game", "games", 1, 0, None, None, None, None, "{}")
        row = replace(row, **columns)  # type: ignore[arg-type]
        self.source.put(row)
        self.source.events.clear()
        return made, row

    def find(self, made: MadeKey) -> Principal | None:
        return self.ring.find(made.key.encode(), made.digest)


@pytest.fixture
def r() -> Ring:
    return Ring()


def test_a_key_is_looked_up_once_and_says_who_it_is(r: Ring) -> None:
    terms = Terms(models=("fast",), limits=RateLimits(requests_per_minute=60))
    made, _ = r.add(terms=text_of(terms))
    for _ in range(3):
        assert r.find(made) == Principal(made.id, "games", terms=terms, version=1)
    assert r.source.asked == 1


def test_whose_a_key_is_that_was_used_is_known_without_a_look_up(r: Ring) -> None:
    (made, _), (other, _) = r.add(), r.add()
    r.find(made)
    asked = r.source.asked
    assert (r.ring.project_of(made.id), r.ring.project_of(other.id)) == ("games", None)
    assert r.source.asked == asked


def test_what_has_not_the_form_of_a_key_is_never_looked_up(r: Ring) -> None:
    made, row = r.add()
    for presented in (b"", b"sk-hayate-old", made.key.encode()[:-1], row.digest, row.digest.hex().encode()):
        assert r.ring.find(presented, digest_of(presented)) is None
    assert r.source.asked == 0


def test_a_key_that_is_none_is_looked_up_once_until_something_changes(r: Ring) -> None:
    stranger = make_key()
    assert r.find(stranger) is None
    assert r.find(stranger) is None
    assert r.source.asked == 1
    r.ring.refresh()
    assert r.find(stranger) is None
    assert r.source.asked == 2


def test_another_secret_with_the_same_id_is_nobody(r: Ring) -> None:
    made, _ = r.add()
    r.source.rows[made.id] = replace(r.source.rows[made.id], digest=make_key().digest)
    assert r.find(made) is None


def test_a_revoked_key_is_forgotten_and_told_of(r: Ring) -> None:
    made, row = r.add()
    assert r.find(made)
    r.source.put(replace(row, revoked_ms=5, version=2))
    r.ring.refresh()
    assert r.find(made) is None
    assert r.told == [(made.id, None)]
    assert r.ring.known == 0


def test_a_deleted_key_too(r: Ring) -> None:
    made, _ = r.add()
    assert r.find(made)
    r.source.events.add(r.source.rows.pop(made.id).id)
    r.ring.refresh()
    assert r.find(made) is None
    assert r.told == [(made.id, None)]


def test_changed_terms_hold_from_the_next_look_on(r: Ring) -> None:
    made, row = r.add()
    assert r.find(made)
    terms = Terms(models=("smart",))
    r.source.put(replace(row, terms=text_of(terms), version=2))
    r.ring.refresh()
    found = r.find(made)
    assert found is not None
    assert (found.terms, found.version) == (terms, 2)
    assert r.told == [(made.id, found)]


def test_a_change_of_a_key_that_nobody_uses_here_is_not_read(r: Ring) -> None:
    _, row = r.add()
    r.source.put(row)
    r.ring.refresh()
    assert r.source.asked == 0


def test_an_expired_key_is_nobody_at_once_and_told_of_at_the_next_look(r: Ring) -> None:
    made, _ = r.add(expires_ms=1_010_000)
    assert r.find(made)
    r.ring.refresh()
    assert r.told == []
    r.clock.at = 1010.0
    with pytest.raises(NotAuthenticated, match="expired on 1970-01-01"):
        r.find(made)
    r.ring.refresh()
    assert r.told == [(made.id, None)]
    for _ in range(3):
        with pytest.raises(NotAuthenticated, match="expired"):
            r.find(made)
    assert r.ring.by_id(made.id) is None
    r.ring.refresh()
    assert len(r.told) == 1


def test_a_key_that_expired_before_it_was_first_brought_is_refused_every_time_and_never_known(r: Ring) -> None:
    made, row = r.add(expires_ms=999_000)
    for _ in range(3):
        with pytest.raises(NotAuthenticated, match="expired"):
            r.find(made)
        assert r.ring.by_id(made.id) is None
        r.ring.refresh()
    assert (r.ring.known, r.told) == (0, [])
    stranger = MadeKey(made.id, make_key().key)
    assert r.find(stranger) is None  # and its holder alone is told so
    r.source.put(replace(row, expires_ms=2_000_000, version=2))
    r.ring.refresh()
    assert r.find(made) is not None


def test_a_change_that_could_not_be_read_is_read_as_soon_as_it_can_be(r: Ring, monkeypatch: pytest.MonkeyPatch) -> None:
    made, row = r.add()
    assert r.find(made)
    r.source.put(replace(row, revoked_ms=5))
    whole = r.source.find

    def broken(_: str) -> KeyRow | None:
        raise sqlite3.OperationalError("disk I/O error")

    monkeypatch.setattr(r.source, "find", broken)
    r.ring.refresh()  # the event is gone from the source by now
    monkeypatch.setattr(r.source, "find", whole)
    r.ring.refresh()
    assert r.find(made) is None
    assert r.told == [(made.id, None)]


def test_a_key_that_made_room_for_others_ends_its_calls_when_it_is_revoked(
    r: Ring, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hayate.access.key_ring.MAX_KNOWN", 1)
    first, row = r.add()
    second, _ = r.add()
    assert r.find(first)
    assert r.find(second)
    r.source.put(replace(row, name="other", version=2))
    r.ring.refresh()
    assert r.told == []
    r.source.put(replace(row, revoked_ms=5, version=3))
    r.ring.refresh()
    assert r.told == [(first.id, None)]


def test_what_this_release_can_not_read_of_a_key_makes_it_nobody_s_and_holds_up_no_other(r: Ring) -> None:
    broken, row = r.add(terms='{"areas": ["telepathy"]}')
    other, others_row = r.add()
    assert r.find(broken) is None
    assert r.ring.by_id(broken.id) is None
    r.source.put(replace(row, terms="{}", version=2))
    r.ring.refresh()
    assert r.find(broken)
    assert r.find(other)
    r.source.put(replace(row, terms="no JSON", version=3))
    r.source.put(replace(others_row, revoked_ms=5, version=2))
    r.ring.refresh()
    assert r.find(broken) is None
    assert sorted(r.told) == sorted([(broken.id, None), (other.id, None)])


def test_the_old_key_is_good_until_its_grace_is_over(r: Ring) -> None:
    old, row = r.add()
    assert r.find(old)
    new = MadeKey(old.id, make_key().key)
    r.source.put(replace(row, digest=new.digest, old_digest=row.digest, old_until_ms=1_060_000, version=2))
    r.ring.refresh()
    assert r.find(old) is not None
    r.clock.at = 1060.0
    r.ring.refresh()
    assert r.find(old) is None


def test_a_session_s_key_is_known_by_its_id_and_followed_like_any_other(r: Ring) -> None:
    made, row = r.add()
    assert r.ring.by_id(made.id) == r.find(made)
    assert r.ring.by_id("0" * 12) is None
    r.source.put(replace(row, revoked_ms=5))
    r.ring.refresh()
    assert r.ring.by_id(made.id) is None
    assert r.told == [(made.id, None)]


def test_without_the_store_known_keys_go_on_for_a_while_and_unknown_ones_are_not_judged(r: Ring) -> None:
    known, _ = r.add()
    unknown, _ = r.add()
    assert r.find(known)
    r.source.broken = True
    r.ring.refresh()
    assert r.ring.failing_since == 1000.0
    assert r.find(known)
    with pytest.raises(KeysUnknown):
        r.find(unknown)
    r.clock.at += 901
    with pytest.raises(KeysUnknown):
        r.find(known)
    r.source.broken = False
    r.ring.refresh()
    assert r.find(known)
    assert r.find(unknown)
    assert r.ring.failing_since is None


def test_after_the_store_was_opened_anew_every_known_key_is_read_again(
    r: Ring, monkeypatch: pytest.MonkeyPatch
) -> None:
    made, row = r.add()
    assert r.find(made)
    r.source.rows[made.id] = replace(row, revoked_ms=5)
    nobody_knows: Callable[[], set[str] | None] = lambda: None  # noqa: E731
    monkeypatch.setattr(r.source, "changed", nobody_knows)
    r.ring.refresh()
    assert r.find(made) is None


def test_the_longest_known_make_room_and_are_looked_up_again(r: Ring, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hayate.access.key_ring.MAX_KNOWN", 3)
    monkeypatch.setattr("hayate.access.key_ring.MAX_STRANGE", 3)
    keys = [r.add()[0] for _ in range(5)]
    assert all(r.find(each) for each in keys)
    assert r.ring.known == 3
    assert all(r.find(each) for each in keys)
    for _ in range(10):
        assert r.find(make_key()) is None
    assert len(r.ring._strange) == 3


def test_of_very_many_that_changed_a_look_reads_some_and_the_next_the_others(
    r: Ring, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hayate.access.key_ring.MAX_READ", 3)
    made = [r.add() for _ in range(7)]
    assert all(r.find(each) for each, _ in made)
    for _, row in made:
        r.source.put(replace(row, revoked_ms=5, version=2))
    left = []
    for _ in range(4):
        r.ring.refresh()
        left.append(r.ring.known)
    assert left == [4, 1, 0, 0]
    assert sorted(key_id for key_id, _ in r.told) == sorted(each.id for each, _ in made)


def test_a_key_that_is_revoked_while_all_others_are_read_anew_is_not_kept_waiting(
    r: Ring, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hayate.access.key_ring.MAX_READ", 2)
    made = [r.add() for _ in range(20)]
    assert all(r.find(each) for each, _ in made)
    with monkeypatch.context() as opened_anew:
        opened_anew.setattr(r.source, "changed", lambda: None)
        r.ring.refresh()
    for key, row in made[::7]:
        r.source.put(replace(row, revoked_ms=5, version=2))
        r.ring.refresh()
        assert r.find(key) is None
    r.ring.refresh()
    assert [key_id for key_id, _ in r.told] == [key.id for key, _ in made[::7]]
