"""`hayate usage` and `hayate db …`: the way in from the command line. Each imports what it needs when it runs."""

from __future__ import annotations

from hayate.tools.environment import Environment
from hayate.tools.records.options import BackupOptions, DbOptions, UsageOptions


def usage(options: UsageOptions, env: Environment) -> int:
    """Add up what was used."""
    from hayate.tools.records.usage import usage as run

    return run(options, env)


def check(options: DbOptions, env: Environment) -> int:
    """Read the whole file and say whether it is sound."""
    from hayate.tools.records.db import check as run

    return run(options, env)


def backup(options: BackupOptions, env: Environment) -> int:
    """Copy the file, while a gateway may write to it."""
    from hayate.tools.records.db import backup as run

    return run(options, env)


def vacuum(options: DbOptions, env: Environment) -> int:
    """Give back what deleted records have left free."""
    from hayate.tools.records.db import vacuum as run

    return run(options, env)


def migrate(options: DbOptions, env: Environment) -> int:
    """Bring the file to this release's tables."""
    from hayate.tools.records.db import migrate as run

    return run(options, env)
