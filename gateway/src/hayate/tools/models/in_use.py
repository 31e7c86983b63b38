"""Who needs a model that is to be taken away: the configuration, the gateways of this user that run, and whatever process has
its files open.

What can't be asked is passed over: a gateway that does not answer has its model's file open, or none.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path, PurePosixPath

from hayate.access.key_files import KeyFileError
from hayate.language import Text
from hayate.serve.whereabouts import RunningGateway
from hayate.terminal import plain
from hayate.tools.embedded.reference import served_name
from hayate.tools.lenient import objects_in, text_in
from hayate.tools.models.configured import Configured
from hayate.tools.running import Place, reachable
from hayate.tools.status.ask import ask
from hayate.tools.status.refusals import CannotTell
from hayate.tools.status.target import target_of

ASK_S = 3.0
PROC = Path("/proc")
MOST_MAPS_BYTES = 16 * 1024 * 1024


def names(word: str, target: Path, folder: Path) -> bool:
    """Whether a word of a configuration or a command is this model: its path here, or as a container has it."""
    said = word.rpartition("=")[2]
    if not said or "\0" in said:
        return False
    path = Path(os.path.expanduser(said))  # noqa: PTH111  that of Path raises for users that there are not
    if path.absolute() == target.absolute() or path.absolute().is_relative_to(target.absolute()):
        return True
    wanted, parts = target.relative_to(folder).parts, PurePosixPath(said).parts
    if not parts or not (said.startswith("/") or parts[0] == folder.name):
        return False  # `owner/repo` is the Hub's
    return any(parts[at : at + len(wanted)] == wanted for at in range(1, len(parts)))


def by_configuration(targets: Iterable[Path], folder: Path, found: Iterable[Configured]) -> Iterator[Text]:
    """The deployments whose `model`, or whose command, names one of these."""
    known = tuple(targets)
    for each in found:
        words = (each.model or "", *each.command)
        if any(names(word, target, folder) for word in words for target in known):
            yield Text(f"deployments.{each.name} of the configuration", f"設定のdeployments.{each.name}")


def by_gateways(
    targets: Iterable[Path], folder: Path, running: Iterable[RunningGateway], env: Mapping[str, str]
) -> Iterator[Text]:
    """The deployments of gateways that run now."""
    known, gateways = tuple(targets), tuple(running)
    served = {served_name(each.name) for each in known}
    for gateway in gateways:
        place = Place(reachable(gateway.url), gateway.data, gateway.pid)
        try:
            told = ask(target_of(place.url, lambda here=place: here, gateways, env), ASK_S)  # type: ignore[misc]
        except (CannotTell, KeyFileError):
            continue
        for each in objects_in(told.get("deployments")):
            model = text_in(each.get("model")) or ""
            if model.lower() in served or any(names(model, target, folder) for target in known):
                name = plain(text_in(each.get("name")) or "?", 200)
                yield Text(f"{name} of the gateway at {place.url}", f"{place.url}のゲートウェイの{name}")


def by_processes(targets: Iterable[Path], proc: Path = PROC) -> Iterator[Text]:
    """Processes that have a file of these open or in their memory, as far as this user may see them."""
    files = {(stat.st_dev, stat.st_ino) for target in targets for stat in _stats(target)}
    for folder in proc.iterdir() if proc.is_dir() else ():
        if folder.name.isdigit() and int(folder.name) != os.getpid() and files & set(_open_in(folder)):
            try:
                name = (folder / "comm").read_text(encoding="utf-8", errors="replace").strip()
            except OSError:
                name = "?"
            yield Text(f"process {folder.name} ({plain(name, 50)})", f"プロセス{folder.name}（{plain(name, 50)}）")


def _stats(target: Path) -> Iterator[os.stat_result]:
    for path in [target, *(target.rglob("*") if target.is_dir() and not target.is_symlink() else ())]:
        if path.is_file():
            yield path.stat()


def _open_in(folder: Path) -> Iterator[tuple[int, int]]:
    """Device and number of the files that a process has open, or mapped."""
    try:
        for each in (folder / "fd").iterdir():
            stat = each.stat()
            yield stat.st_dev, stat.st_ino
    except OSError:
        pass
    try:
        with (folder / "maps").open("rb") as file:
            lines = file.read(MOST_MAPS_BYTES).splitlines()
    except OSError:
        return
    for line in lines:
        fields = line.split(maxsplit=5)
        if len(fields) == 6 and fields[4] != b"0" and fields[4].isdigit():
            major, _, minor = fields[3].partition(b":")
            yield os.makedev(int(major, 16), int(minor, 16)), int(fields[4])
