"""Commands of whoever runs a gateway, beside a stand-in for it, where no terminal looks on."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

from tests.support.gateway import INHERITED
from tests.support.nursery import run

KEY = "sk-hayate-admin-0123456789"


def around(folder: Path, language: str = "en", **more: str) -> dict[str, str]:
    """The environment of a command that knows no gateway but the one that is named."""
    kept = {name: os.environ[name] for name in INHERITED if name in os.environ}
    return {**kept, "HAYATE_LANG": language, "XDG_RUNTIME_DIR": str(folder), "HAYATE_ADMIN_KEY": KEY, **more}


async def hayate(folder: Path, *words: str, **env: str) -> tuple[int, str, str]:
    """The exit status, standard output and standard error where no terminal looks on."""
    ended = await asyncio.to_thread(run, [*words], around(folder, **env), folder)
    return ended.returncode, ended.stdout, ended.stderr
