"""Where this user's running gateways are: each leaves a small file while it runs, so that other commands find it.

The file lies in a folder of this user alone and holds the address, the data folder and the process, no key. The gateway
keeps it locked: the system lets go of the lock however the process ends, so a file without one is a leftover and is
taken away by whoever finds it. Where no such folder can be had, nothing is left and nothing found; the gateway runs on.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import stat
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

MAX_BYTES = 64 * 1024


@dataclass(frozen=True, slots=True)
class RunningGateway:
    """One that runs now."""

    url: str
    """As it listens: the host may be a wildcard."""
    data: Path
    pid: int


def runtime_folder(env: Mapping[str, str] = os.environ) -> Path:
    """Where this user's programs leave such files: XDG_RUNTIME_DIR, else a folder of our own among temporary files."""
    given = env.get("XDG_RUNTIME_DIR", "")
    return Path(given) / "hayate" if given else Path(tempfile.gettempdir()) / f"hayate-{os.getuid()}"


class Presence:
    """The file of one gateway, from when it listens to when it ends."""

    def __init__(self, folder: Path | None = None) -> None:
        self._folder = runtime_folder() if folder is None else folder
        self._path: Path | None = None
        self._descriptor: int | None = None

    def tell(self, url: str, data: Path) -> None:
        """Leaves the file, if it can."""
        with contextlib.suppress(OSError):
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            if not _is_ours(self._folder):
                return
            path = self._folder / f"{os.getpid()}.json"
            fresh = path.with_suffix(".new")
            descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o600)
            self._descriptor = descriptor
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            os.write(descriptor, json.dumps({"url": url, "data": str(data.resolve()), "pid": os.getpid()}).encode())
            fresh.replace(path)  # whoever looks finds it whole and locked
            self._path = path

    def forget(self) -> None:
        """Takes the file away again."""
        with contextlib.suppress(OSError):
            if self._path is not None:
                self._path.unlink()
        if self._descriptor is not None:
            os.close(self._descriptor)
        self._path = self._descriptor = None


def running_gateways(folder: Path | None = None) -> list[RunningGateway]:
    """All of this user that run now, in the order of their process numbers."""
    folder = runtime_folder() if folder is None else folder
    try:
        if not _is_ours(folder):
            return []
        paths = sorted(folder.glob("*.json"))
    except OSError:
        return []
    return sorted((found for path in paths for found in _read(path)), key=lambda each: each.pid)


def _read(path: Path) -> Iterator[RunningGateway]:
    """The gateway of this file; a leftover is removed. What we did not write is left alone."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError:
        return
    try:
        if _is_locked(descriptor):
            values = json.loads(os.read(descriptor, MAX_BYTES))
            yield RunningGateway(str(values["url"]), Path(values["data"]), int(values["pid"]))
        else:
            path.unlink()
    except (OSError, ValueError, LookupError, TypeError):
        return
    finally:
        os.close(descriptor)


def _is_locked(descriptor: int) -> bool:
    """Whether the gateway that wrote it still runs."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    return False


def _is_ours(folder: Path) -> bool:
    """Whether nobody else can have put anything there. Raises OSError."""
    found = folder.lstat()
    return stat.S_ISDIR(found.st_mode) and found.st_uid == os.getuid() and not found.st_mode & 0o022
