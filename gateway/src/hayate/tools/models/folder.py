"""The folder with the models, and that nothing which is put there or taken away is anywhere else.

(1) a name is relative: words with `/` between them, none of them empty or beginning with a dot, and all printable
(2) no folder on the way to it is a link; the models folder itself may be one, it is its owner's
(3) what has come of a model that is not whole stands in `.pull`, which no name leads to
"""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from hayate.language import reason_of
from hayate.terminal import plain
from hayate.tools.models.refusals import FolderRefused, OutsideModels

VARIABLE = "HAYATE_MODELS_DIR"
USUAL = "models"
STAGING = ".pull"
MOST_CHARS = 1000
READ_ONLY = (errno.EROFS, errno.EACCES, errno.EPERM)


@dataclass(frozen=True, slots=True)
class ModelsFolder:
    """Where it is."""

    path: Path

    def place(self, name: str) -> Path:
        """The path of what has this name. Raises OutsideModels, also where a folder on the way is a link."""
        words = name.split("/")
        if len(name) > MOST_CHARS or not all(
            each.isprintable() and each.strip(" ")[:1] not in ("", ".") for each in words
        ):
            raise OutsideModels(
                f"{plain(name, 200)!r} is no name within {self.path}: words with / between them, none beginning with a dot.",
                f"「{plain(name, 200)}」は{self.path}の中の名前ではありません。"
                f"ドットで始まらない名前を/で区切って指定してください。",
            )
        folder = self.path
        for word in words[:-1]:
            folder = folder / word
            if folder.is_symlink():
                raise OutsideModels(
                    f"{folder} is a link: nothing is put in or taken away behind it. Name the folder that it leads to.",
                    f"{folder}はリンクのため、その先のファイルは操作しません。リンク先のフォルダーを指定してください。",
                )
        return folder / words[-1]

    def check(self) -> None:
        """Raises FolderRefused for one that is there and can't be written: before anybody is asked for anything."""
        if self.path.is_dir() and not os.access(self.path, os.W_OK):
            is_read_only = os.statvfs(self.path).f_flag & os.ST_RDONLY
            number = errno.EROFS if is_read_only else errno.EACCES
            raise self.refused(OSError(number, os.strerror(number)))

    def staging(self, key: str) -> Path:
        """A folder for what is not whole yet, made where it is not there. Raises FolderRefused."""
        found = self.path / STAGING
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            found.mkdir(exist_ok=True)
            if found.is_symlink():
                raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR))
            (found / key).mkdir(exist_ok=True)
            # A folder that is there says nothing of a disk that has become read-only.
            if not os.access(found / key, os.W_OK):
                raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
        except OSError as error:
            raise self.refused(error) from None
        return found / key

    def cleared(self, key: str) -> None:
        """What is left of a download that is over is taken away, and the folder itself where nothing else is in it."""
        shutil.rmtree(self.path / STAGING / key, ignore_errors=True)
        try:
            (self.path / STAGING).rmdir()
        except OSError:
            pass

    @property
    def free_bytes(self) -> int:
        """What the disk has left. Raises OSError."""
        return shutil.disk_usage(self.path).free

    def refused(self, error: OSError) -> FolderRefused:
        """Why the folder can't be written, and what to do; where it is a container's, that is done outside."""
        why = reason_of(error)
        if error.errno in READ_ONLY:
            return FolderRefused(
                f"{self.path} can't be written ({why.en}). In a container models are read-only: pull on the host beside "
                f"models/ (`hayate pull`, or `hf download --local-dir`), or let the engine fetch MODEL itself. Elsewhere name "
                f"another folder with --models or {VARIABLE}.",
                f"{self.path}に書き込めません（{why.ja}）。コンテナ内ではモデルは読み取り専用です。"
                f"ホストのmodels/があるフォルダーで"
                f"`hayate pull`（または`hf download --local-dir`）を実行するか、エンジンにMODELを取得させてください。"
                f"それ以外の場合は、"
                f"別のフォルダーを--modelsか{VARIABLE}で指定してください。",
            )
        return FolderRefused(
            f"{self.path} can't be used ({why.en}). Name another folder with --models or {VARIABLE}.",
            f"{self.path}を使用できません（{why.ja}）。別のフォルダーを--modelsか{VARIABLE}で指定してください。",
        )


def models_folder(typed: Path | None, env: Mapping[str, str]) -> ModelsFolder:
    """The one that was typed, else that of HAYATE_MODELS_DIR, else `models` where the command runs."""
    return ModelsFolder(typed or Path(env.get(VARIABLE) or USUAL))
