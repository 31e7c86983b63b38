"""A shell in which the blocks of a guide are typed, beside a running gateway."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from tests.support.engine_script import Chat
from tests.support.fake_engine import running_engine
from tests.support.gateway import RunningGateway, running_gateway
from tests.support.waiting import LAST_RESORT_S

BIN = Path(sys.executable).parent


class Terminal:
    """One shell: what a block exports, the next one has."""

    def __init__(self, gateway: RunningGateway, folder: Path, language: str, **env: str) -> None:
        self._gateway, self._folder = gateway, folder
        self._env = {
            "PATH": f"{BIN}:{os.environ['PATH']}",
            "HOME": str(folder),
            "HAYATE_LANG": language,
            "HAYATE_DATA": str(gateway.data),
            "XDG_RUNTIME_DIR": str(gateway.data.parent),
            "PYTHONPATH": os.environ.get("PYTHONPATH", ""),
            **env,
        }

    def beside(self, code: str) -> str:
        """The code for this gateway's port."""
        return code.replace("127.0.0.1:8080", f"127.0.0.1:{self._gateway.url.rpartition(':')[2]}")

    async def types(self, code: str) -> str:
        """What is shown. Every line must end well."""
        script = f"[ ! -e .exports ] || . ./.exports\nset -eo pipefail\n{self.beside(code)}\nexport -p > .exports\n"
        process = await asyncio.create_subprocess_exec(
            "bash", "-c", script, cwd=self._folder, env=self._env, stdout=-1, stderr=asyncio.subprocess.STDOUT
        )
        out, _ = await asyncio.wait_for(process.communicate(), LAST_RESORT_S)
        shown = out.decode()
        assert process.returncode == 0, f"{code}\n{shown}"
        return shown


@asynccontextmanager
async def beside(deployment: str, *said: str, **more: Any) -> AsyncIterator[RunningGateway]:
    """A gateway that a page's blocks run beside: `deployment` with `{model}` and `{url}` of an engine that says `said`. `more` are
    arguments of `running_gateway`.
    """
    async with running_engine(Chat([*said])) as engine:
        config = deployment.format(model=engine.model, url=engine.url)
        async with running_gateway(config=config, **more) as found:
            await found.ready()
            yield found
