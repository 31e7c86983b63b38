"""The body of `hayate rm`: what the name means in the models folder, who needs it, and how much it frees.

The status of the command: 0 when it is gone; 1 when it stays; 2 when what was typed means nothing.
"""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Final

import orjson

from hayate.config.mistakes import ConfigError
from hayate.language import BilingualError, Text, reason_of
from hayate.terminal import plain
from hayate.tools.embedded.reference import PART
from hayate.tools.embedded.speaker import Speaker
from hayate.tools.environment import Environment
from hayate.tools.models.configured import Configured, deployments
from hayate.tools.models.folder import STAGING, ModelsFolder, models_folder
from hayate.tools.models.in_use import by_configuration, by_gateways, by_processes, names
from hayate.tools.models.ollama_pull import PREFIX
from hayate.tools.models.options import RmOptions
from hayate.tools.models.refusals import Mistyped, OutsideModels, StillUsed
from hayate.tools.running import all_running
from hayate.tools.transfer import size_text

STAYS: Final = 1
MISTYPED: Final = 2
REMOVED: Final = "removed"
YES: Final = ("y", "yes", "はい", "ｙ")


def run_rm(options: RmOptions, env: Environment) -> int:
    """Takes what was named away and tells of it, on standard error, and as JSON if that is wished; the status of the command."""
    say = Speaker(env.language)
    folder = models_folder(options.models, env)
    values: dict[str, Any] = {"name": options.name, "removed": [], "freed_bytes": 0, "used_by": [], "error": None}
    status = 0
    try:
        targets = targets_of(options.name, folder)
        users = _users(targets, folder, options, env)
        values["used_by"] = [each.en for each in users]
        if users and not options.force:
            raise _still_used(targets, users)
        size = sum(_size(each) for each in targets)
        if not options.yes and not _confirmed(targets, size, options, env):
            raise StillUsed("It stays.", "削除しませんでした。")
        _take_away(targets, folder)
        values.update(removed=[str(each) for each in targets], freed_bytes=size)
        say(*_done(targets, size))
    except BilingualError as error:
        status = MISTYPED if isinstance(error, Mistyped | OutsideModels) else STAYS
        values["error"] = error.english
        say(error.english, error.japanese)
    except OSError as error:
        why = reason_of(error)
        status, values["error"] = STAYS, f"{options.name} can't be taken away: {why.en}."
        say(values["error"], f"{options.name}を削除できません（{why.ja}）。")
    except (KeyboardInterrupt, EOFError):
        status, values["error"] = STAYS, "stopped"
        say.over_the_keys("It stays.", "削除しませんでした。")
    if options.as_json:
        sys.stdout.write(orjson.dumps(values, option=orjson.OPT_INDENT_2).decode() + "\n")
    return status


def targets_of(name: str, folder: ModelsFolder) -> list[Path]:
    """What the name means: a file, a folder, a link, all parts of a split GGUF in the order in which they go, or what has
    come of a download that is not whole. Raises OutsideModels and Mistyped.
    """
    if name.lower().startswith(PREFIX):
        tag = plain(name[len(PREFIX) :], 200)
        raise Mistyped(
            f"Ollama keeps its models by itself: `ollama rm {tag}` takes this one away.",
            f"Ollamaのモデルは、Ollama自身が管理しています。`ollama rm {tag}`で削除してください。",
        )
    said = name.removesuffix("/") if len(name) > 1 else name
    path = folder.place(said)
    stem = PART.sub("", path.name) if PART.search(path.name) else path.name.removesuffix(".gguf")
    if PART.search(path.name) or not os.path.lexists(path):
        parts = [each for each in _siblings(path) if PART.search(each.name) and PART.sub("", each.name) == stem]
        if parts:
            return sorted(parts)  # without its first part no engine takes the others for a model
    if os.path.lexists(path):
        return [path]
    unfinished = folder.path / STAGING / said.partition(":")[0].replace("/", "--")
    if unfinished.is_dir() and not unfinished.is_symlink() and not (folder.path / STAGING).is_symlink():
        return [unfinished]
    there = sorted(each.name for each in _siblings(folder.path / "any") if not each.name.startswith("."))
    shown = ", ".join(plain(each, 100) for each in there[:20]) or "-"
    raise Mistyped(
        f"{path} is not there; {folder.path} has: {shown}.", f"{path}はありません。{folder.path}にあるもの: {shown}"
    )


def _siblings(path: Path) -> list[Path]:
    try:
        return list(path.parent.iterdir())
    except OSError:
        return []


def _users(targets: Sequence[Path], folder: ModelsFolder, options: RmOptions, env: Environment) -> list[Text]:
    found: Iterable[Configured] = ()
    try:
        found = deployments(options.config, env).values()
    except ConfigError:
        if options.config is not None and not options.force:
            raise
    named = any(names(env.get("MODEL", ""), target, folder.path) for target in targets)
    return [
        *([Text("MODEL in the environment or in .env", "環境変数か.envのMODEL")] if named else []),
        *by_configuration(targets, folder.path, found),
        *by_gateways(targets, folder.path, all_running(env), env),
        *by_processes(targets),
    ]


def _still_used(targets: Sequence[Path], users: Sequence[Text]) -> StillUsed:
    who = Text(", ".join(each.en for each in users[:8]), "、".join(each.ja for each in users[:8]))
    return StillUsed(
        f"{targets[0]} is used by {who.en}. Take it out there first, or say --force.",
        f"{targets[0]}は使用中か、設定で参照されています（{who.ja}）。先にそちらを変更するか、"
        f"--forceを指定してください。",
    )


def _confirmed(targets: Sequence[Path], size: int, options: RmOptions, env: Environment) -> bool:
    """Asks, where somebody can answer. Raises Mistyped where nobody can, and EOFError."""
    if not sys.stdin.isatty() or options.as_json:
        raise Mistyped(
            "Nobody can be asked here: say --yes to take it away.",
            "確認の入力ができないため、削除するには--yesを指定してください。",
        )
    what = (
        f"{targets[0]} ({size_text(size)})"
        if len(targets) == 1
        else f"{targets[0]}, … ({len(targets)}, {size_text(size)})"
    )
    question = Text(f"Take {what} away? [y/N] ", f"{what}を削除しますか？ [y/N] ")
    sys.stderr.write(question.of(env.language))
    sys.stderr.flush()
    line = sys.stdin.readline()
    if not line:
        raise EOFError
    return line.strip().lower() in YES


def _size(target: Path) -> int:
    """What the disk gets back: nothing for a link, nor for a file that has another name as well."""
    files = [target] if target.is_symlink() or not target.is_dir() else list(target.rglob("*"))
    found = [each.lstat() for each in files if each.is_file() and not each.is_symlink()]
    return sum(each.st_size for each in found if each.st_nlink == 1)


def _take_away(targets: Sequence[Path], folder: ModelsFolder) -> None:
    """A folder is gone in one step, whatever its files take. Raises OSError."""
    for target in targets:
        if target.is_symlink() or not target.is_dir():
            target.unlink()
            continue
        if target.parent == folder.path / STAGING:
            folder.cleared(target.name)
            continue
        aside = folder.staging(REMOVED)
        shutil.rmtree(aside / target.name, ignore_errors=True)
        target.rename(aside / target.name)
        shutil.rmtree(aside / target.name)
        folder.cleared(REMOVED)


def _done(targets: Sequence[Path], size: int) -> tuple[str, str]:
    what = ", ".join(str(each) for each in targets[:4]) + (", …" if len(targets) > 4 else "")
    return f"{what} is gone; {size_text(size)} are free again.", f"{what}を削除し、{size_text(size)}を解放しました。"
