"""`hayate key create`, `list`, `show`, `update`, `revoke` and `rotate`, on the store of the data folder.

A key is printed once and alone, on standard output; whatever else there is to say goes to standard error.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from time import time
from typing import TypeVar

import typer
from pydantic import BaseModel
from sqlalchemy import Connection

from hayate.access import key_admin
from hayate.access.key_admin import KeyChange, KeyInfo
from hayate.access.key_views import KeysAnswer, answer_of
from hayate.config.load import whole_config
from hayate.config.models import Config
from hayate.language import Text
from hayate.store.migrate import open_file
from hayate.store.sqlite import writing
from hayate.tools.environment import Environment
from hayate.tools.gateway.key import run_key
from hayate.tools.gateway.options import KeyOptions
from hayate.tools.keys.options import CreateOptions, ListOptions, OneOptions, RotateOptions, UpdateOptions
from hayate.tools.keys.report import key_lines, key_table
from hayate.tools.keys.typed import expiry, grace, terms_of
from hayate.tools.running import all_running

OWNER_KEY = "owner"
"""What the gateway's own key is called where keys are named."""
MOST = 100_000
"""Keys of one list."""
Result = TypeVar("Result")


def create(options: CreateOptions, env: Environment) -> int:
    """Makes a key and shows it. Raises Mistyped, InvalidRequest, StoreRefused, ConfigError."""
    now, terms = time(), terms_of(options)
    expires_at = None if options.expires is None else expiry(options.expires, now)
    made, info = _change(
        options.config,
        env,
        lambda c: key_admin.create(
            c, name=options.name, project=options.project, expires_at=expires_at, terms=terms, now=now
        ),
    )
    if options.json:
        return _json(answer_of(info, now, key=made.key))
    typer.echo(made.key)
    _tell(*key_lines(info, now, env.language), _ONCE.of(env.language))
    return 0


def listed(options: ListOptions, env: Environment) -> int:
    """Lists keys, the oldest first."""
    now = time()
    found = _change(options.config, env, lambda c: key_admin.listed(c, limit=MOST))
    shown = [each for each in found if options.every or each.state(now) == "active"]
    if options.json:
        return _json(KeysAnswer(data=[answer_of(each, now) for each in shown], has_more=False))
    if not shown:
        _tell(_NO_KEYS.of(env.language))
        return 0
    for line in key_table(shown, now, env.language):
        typer.echo(line)
    return 0


def show(options: OneOptions, env: Environment) -> int:
    """Shows one key, without its secret."""
    now = time()
    info = _change(options.config, env, lambda c: key_admin.find(c, options.key))
    if options.json:
        return _json(answer_of(info, now))
    for line in key_lines(info, now, env.language):
        typer.echo(line)
    return 0


def update(options: UpdateOptions, env: Environment) -> int:
    """Changes what is typed of a key."""
    now = time()
    expires_at = None if options.expires is None else expiry(options.expires, now)

    def change(connection: Connection) -> KeyInfo:
        key = key_admin.find(connection, options.key)
        return key_admin.update(
            connection,
            key,
            KeyChange(
                name=options.name,
                project=options.project,
                expires_at=expires_at,
                never_expires=options.expires is not None and expires_at is None,
                terms=terms_of(options, key.terms),
            ),
            now,
        )

    info = _change(options.config, env, change)
    if options.json:
        return _json(answer_of(info, now))
    for line in key_lines(info, now, env.language):
        typer.echo(line)
    return 0


def revoke(options: OneOptions, env: Environment) -> int:
    """Ends a key, and the calls that run with it."""
    now = time()
    info = _change(options.config, env, lambda c: key_admin.revoke(c, key_admin.find(c, options.key), now))
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
    if options.key == OWNER_KEY:
        return run_key(KeyOptions(config=options.config, rotate=True), env)
    now, grace_s = time(), grace(options.grace)
    made, info = _change(
        options.config,
        env,
        lambda c: key_admin.rotate(c, key_admin.find(c, options.key), grace_s=grace_s, now=now),
    )
    if options.json:
        return _json(answer_of(info, now, key=made.key))
    typer.echo(made.key)
    _tell(
        Text(
            f"{info.id} ({info.name}): the old key stays good for {options.grace}.",
            f"{info.id}（{info.name}）: 古いキーは {options.grace} の間使えます。",
        ).of(env.language),
        _ONCE.of(env.language),
    )
    return 0


def store_of(config: Config, env: Environment) -> Path:
    """The store's file that is meant: the configured one, or that of the only gateway that runs, where the configured one
    is not there.
    """
    running = all_running(env)
    if not config.store_file.exists() and len(running) == 1:
        return running[0].data / config.store.file
    return config.store_file


def _change(config: Path | None, env: Environment, how: Callable[[Connection], Result]) -> Result:
    engine, _ = open_file(store_of(whole_config(config, env), env))
    try:
        with writing(engine) as connection, connection.begin():
            return how(connection)
    finally:
        engine.dispose()


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
