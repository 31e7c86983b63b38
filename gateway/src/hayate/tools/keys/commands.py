"""`hayate key create`, `list`, `show`, `update`, `revoke` and `rotate`, on the store of the data folder.

A key is printed once and alone, on standard output; whatever else there is to say goes to standard error.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from time import time
from typing import TypeVar

import typer
from pydantic import BaseModel
from sqlalchemy import Connection
from sqlalchemy.exc import SQLAlchemyError

from hayate.access import key_admin
from hayate.access.key_admin import KeyChange, KeyInfo
from hayate.access.key_oddities import oddities_of
from hayate.access.key_views import KeysAnswer, answer_of
from hayate.access.terms import Terms
from hayate.language import Language, Text
from hayate.store.migrate import open_file
from hayate.store.sqlite import unusable, writing
from hayate.terminal import columns_of
from hayate.tools.environment import Environment
from hayate.tools.gateway.key import run_key
from hayate.tools.gateway.options import KeyOptions
from hayate.tools.keys.known import models_of
from hayate.tools.keys.options import CreateOptions, ListOptions, OneOptions, RotateOptions, UpdateOptions
from hayate.tools.keys.place import StorePlace, place_of_store
from hayate.tools.keys.report import key_lines, key_table, moment_in_words
from hayate.tools.keys.typed import Mistyped, check_some, expiry, grace, terms_of

MOST = 100_000
"""Keys of one list."""
Result = TypeVar("Result")


def create(options: CreateOptions, env: Environment) -> int:
    """Makes a key and shows it. Raises Mistyped, InvalidRequest, StoreRefused, ConfigError."""
    now, terms = time(), terms_of(options)
    expires_at = None if options.expires is None else expiry(options.expires, now)
    store = _store(options.config, env, make=True)
    made, info = _change(
        store,
        lambda c: key_admin.create(
            c, name=options.name, project=options.project, expires_at=expires_at, terms=terms, now=now
        ),
    )
    warnings = _warnings(options.config, store, env, terms)
    if options.json:
        return _json(answer_of(info, now, key=made.key, warnings=[each.en for each in warnings]))
    typer.echo(made.key)
    _tell(*key_lines(info, now, env.language), *(each.of(env.language) for each in warnings), _ONCE.of(env.language))
    return 0


def listed(options: ListOptions, env: Environment) -> int:
    """Lists keys, the oldest first. Raises NoStore, StoreRefused, ConfigError."""
    now = time()
    found = _change(_store(options.config, env), lambda c: key_admin.listed(c, limit=MOST))
    shown = [each for each in found if options.every or each.state(now) == "active"]
    if options.json:
        return _json(KeysAnswer(data=[answer_of(each, now) for each in shown], has_more=False))
    if not shown:
        _tell((_NO_KEYS if not found else _NONE_ACTIVE).of(env.language))
        return 0
    for line in key_table(shown, now, env.language, columns_of(1) if os.isatty(1) else None):
        typer.echo(line)
    return 0


def show(options: OneOptions, env: Environment) -> int:
    """Shows one key, without its secret. Raises UnknownKey, NoStore, StoreRefused, ConfigError."""
    info = _change(_store(options.config, env), lambda c: key_admin.find(c, options.key))
    return _shown(info, time(), env, as_json=options.json)


def update(options: UpdateOptions, env: Environment) -> int:
    """Changes what is typed of a key. Raises Mistyped, InvalidRequest, UnknownKey, NoStore, StoreRefused, ConfigError."""
    check_some(options)
    now = time()
    expires_at = None if options.expires is None else expiry(options.expires, now)
    store = _store(options.config, env)

    def change(connection: Connection) -> tuple[KeyInfo, Terms]:
        key = key_admin.find(connection, options.key)
        terms = terms_of(options, key.terms)
        changed = KeyChange(
            name=options.name,
            project=options.project,
            expires_at=expires_at,
            never_expires=options.expires is not None and expires_at is None,
            terms=terms,
        )
        return key_admin.update(connection, key, changed, now), terms

    info, terms = _change(store, change)
    return _shown(info, now, env, as_json=options.json, warnings=_warnings(options.config, store, env, terms))


def revoke(options: OneOptions, env: Environment) -> int:
    """Ends a key, and the calls that run with it. Raises UnknownKey, NoStore, StoreRefused, ConfigError."""
    now = time()
    store = _store(options.config, env)
    info = _change(store, lambda c: key_admin.revoke(c, key_admin.find(c, options.key), now))
    if options.json:
        return _json(answer_of(info, now))
    _tell(
        Text(
            f"{info.id} ({info.name}) is revoked; a running gateway follows within a second.",
            f"{info.id}（{info.name}）を失効させました。動作中のゲートウェイには1秒以内に反映されます。",
        ).of(env.language),
    )
    return 0


def rotate(options: RotateOptions, env: Environment) -> int:
    """A new secret for a key, which is shown; the old one stays good for a while. The owner's is no key of the store."""
    now, grace_s = time(), key_admin.GRACE_S if options.grace is None else grace(options.grace)
    if options.key == key_admin.OWNERS:
        if options.grace is not None:
            raise Mistyped(
                "--grace: the owner's old key is good until the gateway is restarted, and no longer.",
                "--grace: 所有者の古いキーが使えるのは、ゲートウェイを再起動するまでです。猶予は指定できません。",
            )
        return run_key(KeyOptions(config=options.config, rotate=True), env)
    store = _store(options.config, env)
    made, info = _change(store, lambda c: key_admin.rotate(c, key_admin.find(c, options.key), grace_s=grace_s, now=now))
    if options.json:
        return _json(answer_of(info, now, key=made.key))
    typer.echo(made.key)
    _tell(_rotated(info, env.language), _ONCE.of(env.language))
    return 0


def _store(config: Path | None, env: Environment, *, make: bool = False) -> StorePlace:
    """The store that is meant, with what is odd about it said."""
    store = place_of_store(config, env, make=make)
    if store.note is not None:
        _tell(store.note.of(env.language))
    return store


def _change(store: StorePlace, how: Callable[[Connection], Result]) -> Result:
    engine, _ = open_file(store.path)
    try:
        with writing(engine) as connection, connection.begin():
            return how(connection)
    except SQLAlchemyError as error:
        raise unusable(store.path, error) from None
    finally:
        engine.dispose()


def _warnings(config: Path | None, store: StorePlace, env: Environment, terms: Terms) -> list[Text]:
    """What is legal and odd. Nobody is asked for the models where the key names none."""
    names_some = bool(terms.models or terms.model_limits or terms.defaults.model)
    known = models_of(config, store.data, env) if names_some else None
    return oddities_of(terms, lambda name: known is None or name in known)


def _shown(info: KeyInfo, now: float, env: Environment, *, as_json: bool, warnings: Sequence[Text] = ()) -> int:
    if as_json:
        return _json(answer_of(info, now, warnings=[each.en for each in warnings]))
    for line in key_lines(info, now, env.language):
        typer.echo(line)
    _tell(*(each.of(env.language) for each in warnings))
    return 0


def _rotated(info: KeyInfo, language: Language) -> str:
    until = moment_in_words(info.old_until)
    if until is None:
        return Text(
            f"{info.id} ({info.name}) has a new key; the old one is over.",
            f"{info.id}（{info.name}）のキーを交換しました。古いキーは使えません。",
        ).of(language)
    return Text(
        f"{info.id} ({info.name}) has a new key; the old one stays good until {until}.",
        f"{info.id}（{info.name}）のキーを交換しました。古いキーは{until}まで使えます。",
    ).of(language)


def _json(answer: BaseModel) -> int:
    typer.echo(answer.model_dump_json(indent=2))
    return 0


def _tell(*lines: str) -> None:
    for line in lines:
        typer.echo(line, err=True)


_ONCE = Text(
    "The key is shown this once: only its hash is kept.",
    "キーが表示されるのは今回だけです（保存されるのはハッシュのみ）。",
)
_NO_KEYS = Text(
    "No keys yet besides the gateway's own. Make one: hayate key create --name game",
    "ゲートウェイ自身のキー以外に、まだキーはありません。作成するには: hayate key create --name game",
)
_NONE_ACTIVE = Text(
    "No key is active. `hayate key list --all` shows those that were revoked or have expired.",
    "有効なキーはありません。失効済み・期限切れのキーは `hayate key list --all` で表示できます。",
)
