"""Words typed at the command line, in this process.

The tree of commands is made once: Typer would make it anew for each line, which takes longer than most commands.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import Any
from unittest.mock import patch

from typer.main import get_command
from typer.testing import CliRunner, Result

from hayate.cli import app


def typed_in(*words: str, env: Mapping[str, str | None]) -> Result:
    """What `hayate` does with them, where these variables are set, and those that are None are not."""
    with patch("typer.testing._get_command", lambda _: commands()):
        return CliRunner().invoke(app, list(words), env=env)


@functools.cache
def commands() -> Any:
    """The tree."""
    return get_command(app)
