"""Keys are made, changed, replaced and ended by one set of rules; what is refused changes nothing."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import Connection, func, select

from hayate.access import key_admin
from hayate.access.key_admin import MAX_AHEAD_S, MAX_MODEL_CHARS, MAX_NAME_CHARS, KeyChange, KeyInfo
from hayate.access.keys import MadeKey, id_in, make_key
from hayate.access.terms import FREE, Defaults, Terms
from hayate.errors import InvalidRequest, UnknownKey
from hayate.settings import RateLimits
from hayate.store import keys as table
from hayate.store.migrate import open_file
from hayate.store.schema import key_events
from hayate.store.sqlite import writing
from tests.support.stores import new_file

NOW = 1_790_000_000.0


@pytest.fixture
def connection(tmp_path: Path) -> Iterator[Connection]:
    engine, _ = open_file(new_file(tmp_path / "hayate.db"))
    with writing(engine) as found, found.begin():
        yield found
    engine.dispose()


def create(connection: Connection, name: str = "game", **facts: object) -> tuple[MadeKey, KeyInfo]:
    values = {"project": None, "expires_at": None, "terms": FREE, "now": NOW, **facts}
    return key_admin.create(connection, name=name, **values)  # type: ignore[arg-type]


def events(connection: Connection) -> int:
    return connection.execute(select(func.count()).select_from(key_events)).scalar_one()


def refused(connection: Connection, param: str, **facts: object) -> str:
    before = events(connection), key_admin.listed(connection)
    with pytest.raises(InvalidRequest) as told:
        create(connection, **facts)  # type: ignore[arg-type]
    assert told.value.param == param
    assert told.value.english != told.value.japanese
    assert (events(connection), key_admin.listed(connection)) == before
    return told.value.english


# Made.


def test_a_new_key_is_found_by_id_by_name_and_by_itself_and_only_its_hash_is_kept(connection: Connection) -> None:
    made, info = create(connection, expires_at=NOW + 60, terms=Terms(models=("fast",)))
    for wanted in (made.id, "game", made.key):
        assert key_admin.find(connection, wanted) == info
    assert (info.name, info.project, info.state(NOW)) == ("game", "game", "active")
    assert (info.created_at, info.expires_at, info.terms) == (NOW, NOW + 60, Terms(models=("fast",)))
    row = table.get(connection, made.id)
    assert row is not None
    assert row.digest == made.digest
    secret = made.key.removeprefix(f"sk-hy-{made.id}-")
    assert secret not in repr(row)
    assert secret not in repr(info)


@pytest.mark.parametrize(
    "name", ["", " ", " game", "game ", "a\nb", "a\x1b[31m", "a\u200bb", "x" * (MAX_NAME_CHARS + 1), "\u3000"]
)
@pytest.mark.parametrize("field", ["name", "project"])
def test_a_name_is_a_word_or_some_that_fit_a_line(connection: Connection, field: str, name: str) -> None:
    said = refused(connection, field, **{"name": "fine", field: name})
    assert f"'{field}'" in said


@pytest.mark.parametrize("name", ["a", "ゲーム 本番", "game/v2", "x" * MAX_NAME_CHARS, "é", "0" * 12])
def test_any_script_will_do(connection: Connection, name: str) -> None:
    assert key_admin.find(connection, create(connection, name)[0].id).name == name


@pytest.mark.parametrize(
    "name", ["owner", "main", "admin", "sk-hayate-0123456789", pytest.param(make_key().key, id="a key")]
)
def test_the_gateway_s_own_names_are_taken_and_a_key_is_no_name(connection: Connection, name: str) -> None:
    assert name not in refused(connection, "name", name=name) or not name.startswith("sk-")


def test_a_name_is_taken_until_its_key_is_revoked(connection: Connection) -> None:
    _, first = create(connection)
    assert "'game'" in refused(connection, "name")
    key_admin.revoke(connection, first, NOW)
    _, second = create(connection)
    assert key_admin.find(connection, "game") == second
    assert key_admin.find(connection, first.id).state(NOW) == "revoked"


@pytest.mark.parametrize(
    "at", [NOW, NOW - 1, 0.0, NOW + MAX_AHEAD_S + 1, 253_402_300_800.0, float("nan"), float("inf")]
)
def test_an_end_lies_ahead_and_can_be_told(connection: Connection, at: float) -> None:
    assert "'expires_at'" in refused(connection, "expires_at", expires_at=at)


@pytest.mark.parametrize("name", ["a\nb", "\x1b]0;x\x07", " ", "x" * (MAX_MODEL_CHARS + 1)])
def test_a_model_s_name_fits_a_line_wherever_it_stands(connection: Connection, name: str) -> None:
    for terms in (
        Terms(models=("fast", name)),
        Terms(model_limits={name: RateLimits(concurrency=1)}),
        Terms(defaults=Defaults(model=name)),
    ):
        refused(connection, "models", terms=terms)


# Looked for.


@pytest.mark.parametrize("wanted", ["", "nothing", "0" * 12, "GAME", "gam", "game%", "' OR 1=1 --", "x" * 100_000])
def test_what_is_no_key_is_told_as_such(connection: Connection, wanted: str) -> None:
    create(connection)
    with pytest.raises(UnknownKey):
        key_admin.find(connection, wanted)


@pytest.mark.parametrize(
    "wanted",
    [
        pytest.param(make_key().key, id="a key"),
        "sk-hayate-0123456789abcdef",
        pytest.param(make_key().key[:-1], id="a cut key"),
        "sk-\ud800",
    ],
)
def test_a_key_that_is_asked_for_by_itself_is_repeated_nowhere(connection: Connection, wanted: str) -> None:
    with pytest.raises(UnknownKey) as told:
        key_admin.find(connection, wanted)
    assert wanted not in told.value.english + told.value.japanese
    known = id_in(wanted.encode("utf-8", "replace"))
    assert (known or "sk-hy-…") in told.value.english


def test_a_key_s_name_never_hides_another_s_id(connection: Connection) -> None:
    _, first = create(connection)
    create(connection, first.id)
    assert key_admin.find(connection, first.id) == first


def test_pages_follow_each_other_and_an_unknown_place_is_refused(connection: Connection) -> None:
    made = [create(connection, f"k{n}", now=NOW + n)[1] for n in range(5)]
    assert key_admin.listed(connection, limit=2) == made[:2]
    assert key_admin.listed(connection, after=made[1].id, limit=2) == made[2:4]
    assert key_admin.listed(connection, after=made[4].id) == []
    for nowhere in ("", "k1", "0" * 12):
        with pytest.raises(InvalidRequest, match="'after'"):
            key_admin.listed(connection, after=nowhere)


# Changed.


def test_what_is_given_changes_and_the_rest_stays(connection: Connection) -> None:
    _, info = create(connection, project="games", expires_at=NOW + 60, terms=Terms(weight=2))
    after = key_admin.update(connection, info, KeyChange(name="bot"), NOW)
    assert after == replace(info, name="bot")
    after = key_admin.update(connection, after, KeyChange(project="bots", terms=Terms(weight=3)), NOW)
    assert after == replace(info, name="bot", project="bots", terms=Terms(weight=3))
    assert key_admin.update(connection, after, KeyChange(expires_at=NOW + 90), NOW).expires_at == NOW + 90
    assert key_admin.update(connection, after, KeyChange(never_expires=True), NOW).expires_at is None
    assert key_admin.find(connection, "bot").expires_at is None


def test_what_changes_nothing_is_no_change_and_ends_no_session(connection: Connection) -> None:
    made, info = create(connection, expires_at=NOW + 60, terms=Terms(weight=2))
    before = table.get(connection, made.id), events(connection)
    for change in (
        KeyChange(),
        KeyChange(name="game", project="game", expires_at=NOW + 60, terms=Terms(weight=2)),
    ):
        assert key_admin.update(connection, info, change, NOW) == info
    assert (table.get(connection, made.id), events(connection)) == before
    key_admin.update(connection, info, KeyChange(terms=Terms(weight=3)), NOW)
    row = table.get(connection, made.id)
    assert row is not None
    assert (row.version, events(connection)) == (2, 2)


def test_an_expired_key_can_be_given_more_time(connection: Connection) -> None:
    _, info = create(connection, expires_at=NOW + 1)
    later = NOW + 10
    assert key_admin.update(connection, info, KeyChange(name="bot"), later).state(later) == "expired"
    assert key_admin.update(connection, info, KeyChange(expires_at=later + 1), later).state(later) == "active"


@pytest.mark.parametrize(
    "change",
    [
        KeyChange(name="other"),
        KeyChange(name=""),
        KeyChange(name="owner"),
        KeyChange(project="\n"),
        KeyChange(expires_at=NOW),
        KeyChange(name="fine", expires_at=NOW - 1),
        KeyChange(terms=Terms(models=("\x00",))),
    ],
)
def test_a_change_that_is_refused_changes_nothing(connection: Connection, change: KeyChange) -> None:
    _, info = create(connection)
    create(connection, "other")
    before = events(connection)
    with pytest.raises(InvalidRequest):
        key_admin.update(connection, info, change, NOW)
    assert key_admin.find(connection, info.id) == info
    assert events(connection) == before


# Replaced and ended.


def test_a_replaced_key_keeps_its_id_and_its_terms_and_the_old_secret_for_its_grace(connection: Connection) -> None:
    old, info = create(connection, terms=Terms(weight=2))
    new, after = key_admin.rotate(connection, info, grace_s=60, now=NOW)
    assert (new.id, new.key == old.key, after.terms) == (old.id, False, info.terms)
    assert after.old_until == NOW + 60
    row = table.get(connection, old.id)
    assert row is not None
    assert (row.digest, row.old_digest, row.version) == (new.digest, old.digest, 2)
    newest, _ = key_admin.rotate(connection, after, grace_s=0, now=NOW + 1)
    row = table.get(connection, old.id)
    assert row is not None
    assert (row.digest, row.old_digest, row.old_until_ms) == (newest.digest, None, None)


def test_of_two_rotations_the_first_secret_is_good_no_more(connection: Connection) -> None:
    first, info = create(connection)
    second, info = key_admin.rotate(connection, info, grace_s=600, now=NOW)
    key_admin.rotate(connection, info, grace_s=600, now=NOW + 1)
    row = table.get(connection, first.id)
    assert row is not None
    assert row.old_digest == second.digest


@pytest.mark.parametrize("grace_s", [-1, MAX_AHEAD_S + 1, 1e300, float("inf"), float("nan")])
def test_a_grace_has_an_end(connection: Connection, grace_s: float) -> None:
    made, info = create(connection)
    with pytest.raises(InvalidRequest, match="'grace_s'"):
        key_admin.rotate(connection, info, grace_s=grace_s, now=NOW)
    row = table.get(connection, made.id)
    assert row is not None
    assert row.digest == made.digest


def test_a_revoked_key_is_nobody_s_for_ever_and_stays_listed(connection: Connection) -> None:
    _, info = create(connection)
    _, info = key_admin.rotate(connection, info, grace_s=600, now=NOW)
    gone = key_admin.revoke(connection, info, NOW + 5)
    assert (gone.state(NOW + 5), gone.revoked_at) == ("revoked", NOW + 5)
    row = table.get(connection, info.id)
    assert row is not None
    assert (row.old_digest, row.old_until_ms) == (None, None)
    before = events(connection)
    assert key_admin.revoke(connection, gone, NOW + 9) == gone
    with pytest.raises(UnknownKey, match="revoked"):
        key_admin.update(connection, gone, KeyChange(name="bot"), NOW)
    with pytest.raises(UnknownKey, match="revoked"):
        key_admin.rotate(connection, gone, grace_s=1, now=NOW)
    assert events(connection) == before
    with pytest.raises(UnknownKey):
        key_admin.find(connection, "game")
    assert key_admin.listed(connection) == [gone]


@pytest.mark.parametrize("kept", ["", '{"areas": ["telepathy"]}', '{"weight": 1000}'])
def test_a_key_whose_terms_can_not_be_read_is_shown_as_one_that_may_nothing_and_can_be_mended_or_ended(
    connection: Connection, kept: str
) -> None:
    _, other = create(connection, "other")
    made, _ = create(connection)
    table.alter(connection, made.id, terms=kept)
    shown = key_admin.find(connection, "game")
    assert (shown.terms.models, shown.terms.areas) == ((), ())
    assert {each.id for each in key_admin.listed(connection)} == {other.id, made.id}
    mended = key_admin.update(connection, shown, KeyChange(terms=FREE), NOW)
    assert key_admin.find(connection, "game") == mended == replace(shown, terms=FREE)
    table.alter(connection, made.id, terms=kept)
    assert key_admin.revoke(connection, key_admin.find(connection, "game"), NOW).state(NOW) == "revoked"
