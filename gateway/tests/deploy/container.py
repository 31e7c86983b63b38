"""The gateway's image in a container, started as compose.yml starts it: its own user, a root it can't write to, no rights left.

docker and podman take the same arguments here (podman's `--init` needs the package catatonit). `HAYATE_RUN_ARGS` adds to them,
for a host that needs it.
"""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import time
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any

from tests.support.ports import free_port
from tests.support.waiting import LAST_RESORT_S

HARDENED = ("--read-only", "--tmpfs=/tmp", "--cap-drop=ALL", "--security-opt=no-new-privileges", "--init")


@dataclass(frozen=True)
class Image:
    """An image, and the tool that knows it."""

    tool: str
    name: str

    def ask(self, *arguments: str, limit_s: float = LAST_RESORT_S) -> str:
        """What the tool prints; a failure shows what it complained of."""
        done = subprocess.run([self.tool, *arguments], capture_output=True, text=True, timeout=limit_s, check=False)
        assert done.returncode == 0, f"{self.tool} {shlex.join(arguments)}: {done.stderr or done.stdout}"
        return done.stdout.strip()

    def once(self, *command: str, entrypoint: str | None = None) -> str:
        """A command in a fresh container."""
        given = (f"--entrypoint={entrypoint}",) if entrypoint else ()
        return self.ask("run", "--rm", *self.arguments(), *given, self.name, *command)

    def arguments(self) -> tuple[str, ...]:
        """On this machine's network, so that an engine on loopback is reached; otherwise as compose.yml has it."""
        return ("--network=host", *HARDENED, *shlex.split(os.environ.get("HAYATE_RUN_ARGS", "")))

    def details(self) -> dict[str, Any]:
        """What the image says of itself."""
        found: dict[str, Any] = json.loads(self.ask("image", "inspect", self.name))[0]
        return found

    def health_command(self) -> list[str]:
        """The image's own health check, which docker and podman file differently."""
        details = self.details()
        check = details["Config"].get("Healthcheck") or details.get("Healthcheck")
        assert check, "the image has no health check (an OCI-format build drops it: build with --format docker)"
        kind, *command = check["Test"]
        assert kind == "CMD"
        return list(command)


@dataclass
class Container:
    """A gateway in a container."""

    image: Image
    name: str
    port: int

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def run(self, *command: str) -> str:
        """A command beside the gateway, as its user."""
        return self.image.ask("exec", self.name, *command)

    def refuses(self, *command: str) -> bool:
        """Does this command fail in there?"""
        done = subprocess.run(
            [self.image.tool, "exec", self.name, *command], capture_output=True, timeout=LAST_RESORT_S, check=False
        )
        return done.returncode != 0

    def stop(self, grace_s: int) -> tuple[int, float]:
        """SIGTERM, and SIGKILL after the grace: the exit status and how long it took."""
        began = time.monotonic()
        self.image.ask("stop", "-t", str(grace_s), self.name, limit_s=grace_s + 60)
        took_s = time.monotonic() - began
        return int(self.image.ask("inspect", "--format", "{{.State.ExitCode}}", self.name)), took_s

    def logs(self) -> str:
        done = subprocess.run(
            [self.image.tool, "logs", self.name],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        return done.stdout


@contextmanager
def volume(image: Image) -> Iterator[str]:
    """A data volume, gone at the end."""
    name = f"hayate-test-{uuid.uuid4().hex[:8]}"
    image.ask("volume", "create", name)
    try:
        yield name
    finally:
        with suppress(AssertionError):
            image.ask("volume", "rm", name)


@contextmanager
def running_container(image: Image, data: str, env: Mapping[str, str]) -> Iterator[Container]:
    """A gateway that was started; the block decides when it is up and when it stops."""
    container = Container(image, f"hayate-test-{uuid.uuid4().hex[:8]}", free_port())
    settings = {"HAYATE_HOST": "127.0.0.1", "HAYATE_PORT": str(container.port), **env}
    try:
        # fmt: off
        image.ask(
            "run", "--detach", f"--name={container.name}", *image.arguments(), f"--volume={data}:/data",
            *(f"--env={name}={value}" for name, value in settings.items()), image.name,
        )
        # fmt: on
        yield container
    finally:
        with suppress(AssertionError):
            image.ask("rm", "--force", container.name)
