"""A real gateway for a test: `hayate serve` in a process of its own, with a data folder and a key of its own. Unless it is
started `through` another command, it is forked (`tests.support.nursery`).

    async with running_gateway({"LLM_BACKEND": "vllm", "BACKEND_URL": engine.url}) as gateway:
        reply = await fetch(gateway.url, "/v1/models", key=gateway.key)
        gateway.calls()          # the call log so far

It must go on SIGTERM with status 0, and what it wrote must hold no traceback: both are checked at the end.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import tempfile
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any

from tests.support.http import fetch
from tests.support.nursery import HAYATE, Born, born, must_be_started
from tests.support.ports import free_port
from tests.support.waiting import LAST_RESORT_S, eventually

KEY = "sk-hayate-test-0123456789abcdef"
INHERITED = ("PATH", "PYTHONPATH", "HOME", "LANG", "TMPDIR", "COVERAGE_PROCESS_START")
"""PYTHONPATH: the gateway that is tested is the one beside the tests, in whatever checkout."""
COMPLAINTS = ("Traceback (most recent call last)", "was never retrieved", "was never awaited", "ResourceWarning")
Process = asyncio.subprocess.Process | Born


@dataclass
class RunningGateway:
    """Where it listens, how to call it, and what it wrote."""

    url: str
    port: int
    key: str
    data: Path
    process: Process
    stdout_file: Path
    stderr_file: Path
    _calls: list[dict[str, Any]] = field(default_factory=list)
    _calls_bytes: int = 0

    @property
    def pid(self) -> int:
        return self.process.pid

    @property
    def running(self) -> bool:
        return self.process.returncode is None

    def stdout(self) -> str:
        return self.stdout_file.read_text(encoding="utf-8")

    def stderr(self) -> str:
        return self.stderr_file.read_text(encoding="utf-8", errors="replace")

    def calls(self) -> list[dict[str, Any]]:
        """The call log: one object per finished call. A last line still being written is left out."""
        with self.stdout_file.open("rb") as file:
            file.seek(self._calls_bytes)
            new = file.read()
        new = new[: new.rfind(b"\n") + 1]
        self._calls_bytes += len(new)
        self._calls += [json.loads(line) for line in new.split(b"\n") if line.startswith(b"{")]
        return list(self._calls)

    async def logged(self, count: int, within_s: float = LAST_RESORT_S) -> list[dict[str, Any]]:
        """The call log once it holds `count` calls."""
        await eventually(lambda: len(self.calls()) >= count, within_s)
        return self.calls()

    async def logged_as(self, request_id: str, within_s: float = LAST_RESORT_S) -> dict[str, Any]:
        """What the call log says of one call, whatever other calls are written down meanwhile."""

        def found() -> list[dict[str, Any]]:
            return [call for call in self.calls() if call["request_id"] == request_id]

        await eventually(found, within_s)
        return found()[0]

    async def ready(self, within_s: float = LAST_RESORT_S) -> None:
        """Until some replica of the default alias answers."""

        async def is_ready() -> bool:
            return (await fetch(self.url, "/health/readiness")).status == 200

        await eventually(is_ready, within_s, every_s=0.05)

    async def stop(self, with_signal: signal.Signals = signal.SIGTERM, within_s: float = LAST_RESORT_S) -> int:
        """The exit status after the signal; killed, and a failure, when it takes longer."""
        if self.running:
            self.process.send_signal(with_signal)
            try:
                await asyncio.wait_for(self.process.wait(), within_s)
            except TimeoutError:
                self.process.kill()
                await self.process.wait()
                raise AssertionError(f"the gateway did not end within {within_s} s\n{self.stderr()}") from None
        assert self.process.returncode is not None
        return self.process.returncode


@asynccontextmanager
async def running_gateway(
    env: Mapping[str, str] | None = None,
    *,
    config: str | None = None,
    key: str = KEY,
    verb: str = "serve",
    wait_s: float = LAST_RESORT_S,
    through: Sequence[str] = (),
    streams: Mapping[str, int] = MappingProxyType({}),
) -> AsyncIterator[RunningGateway]:
    """A gateway that listens for the length of the block; `config` is the text of its YAML file.

    `through` is a command that starts it, `streams` are descriptors in place of the files that it writes to.
    """
    with tempfile.TemporaryDirectory(prefix="hayate-test-") as folder:
        home = Path(folder)
        port = free_port()
        settings = {name: os.environ[name] for name in INHERITED if name in os.environ}
        settings |= {"HAYATE_PORT": str(port), "HAYATE_DATA": str(home / "data"), "HAYATE_API_KEY": key}
        settings |= {"XDG_RUNTIME_DIR": str(home), **(env or {})}
        if config is not None:
            (home / "config.yaml").write_text(config, encoding="utf-8")
            settings["HAYATE_CONFIG"] = str(home / "config.yaml")
        files = home / "stdout", home / "stderr"
        with files[0].open("wb") as stdout, files[1].open("wb") as stderr:
            out, err = streams.get("stdout", stdout.fileno()), streams.get("stderr", stderr.fileno())
            process: Process
            if through or must_be_started(settings):
                words = (*through, HAYATE, *verb.split())
                process = await asyncio.create_subprocess_exec(*words, env=settings, cwd=home, stdout=out, stderr=err)
            else:
                process = born(verb.split(), settings, home, stdout=out, stderr=err)
        gateway = RunningGateway(f"http://127.0.0.1:{port}", port, key, home / "data", process, *files)
        try:
            await _listening(gateway, wait_s)
            yield gateway
        finally:
            status = await gateway.stop()
        assert status in (0, -signal.SIGKILL), f"the gateway ended with {status}\n{gateway.stderr()}"
        for complaint in COMPLAINTS:
            assert complaint not in gateway.stderr(), gateway.stderr()


async def _listening(gateway: RunningGateway, within_s: float) -> None:
    async def answers() -> bool:
        assert gateway.running, f"the gateway ended with {gateway.process.returncode}\n{gateway.stderr()}"
        try:
            return (await fetch(gateway.url, "/health")).status == 200
        except ConnectionError:
            return False

    await eventually(answers, within_s, every_s=0.02)


async def reload(gateway: RunningGateway, config: str) -> None:
    """Its file is another, and SIGHUP has been heeded."""
    before = gateway.stderr().count('"reloaded"')
    (gateway.data.parent / "config.yaml").write_text(config, encoding="utf-8")
    gateway.process.send_signal(signal.SIGHUP)
    await eventually(lambda: gateway.stderr().count('"reloaded"') > before)
