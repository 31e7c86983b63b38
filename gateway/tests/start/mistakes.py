"""What a row of `broken` is made of: the mistake, the line that tells it in both languages, the cure that the line names."""

from __future__ import annotations

import re
import socket
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path

from hayate.tools.embedded.weights import tiny
from tests.support.hub_stand_in import hub_stand_in

TINY = str(tiny().path)
KEY = "sk-hayate-0123456789abcdef"
LISTENING, LOADED = "listening", "llama.cpp"
"""What a command has said when it is past all of these mistakes."""
Env = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Broken:
    """The two patterns find the line; their groups are what the advice names. `cure` is the environment after it."""

    verb: str
    env: Callable[[Path], Env]
    english: str
    japanese: str
    cure: Callable[[Path, re.Match[str]], Env]
    plain: bool = False
    full: bool = False
    around: Callable[[], AbstractContextManager[Env]] = field(default=nullcontext)  # type: ignore[assignment]  # of {}


def file_at(folder: Path, name: str, content: str | bytes = "x", mode: int = 0o644) -> str:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    path.chmod(mode)
    return str(path)


def folder_at(folder: Path, name: str, mode: int = 0o755) -> str:
    path = folder / name
    path.mkdir(parents=True)
    path.chmod(mode)
    return str(path)


def port_taken() -> AbstractContextManager[Env]:
    listener = socket.create_server(("127.0.0.1", 0))
    port = str(listener.getsockname()[1])

    class Held(AbstractContextManager[Env]):
        def __enter__(self) -> Env:
            return {"HAYATE_PORT": port}

        def __exit__(self, *_: object) -> None:
            listener.close()

    return Held()


class Hub(AbstractContextManager[Env]):
    """A Hub that has the tiny model, for those with the right token."""

    def __init__(self, *, gated: bool = False) -> None:
        repositories = {"owner/tiny-GGUF": {"tiny-Q4_K_M.gguf": tiny().path.read_bytes()}}
        held = frozenset(repositories) if gated else frozenset[str]()
        self._stand_in = hub_stand_in(repositories, token="hf_good", gated=held)

    def __enter__(self) -> Env:
        return {"HF_ENDPOINT": self._stand_in.__enter__().url}

    def __exit__(self, *_: object) -> None:
        self._stand_in.__exit__(None, None, None)


def elsewhere(folder: Path, _: re.Match[str]) -> Env:
    return {"HAYATE_DATA": folder_at(folder, "elsewhere", 0o777)}


def as_told(name: str) -> Callable[[Path, re.Match[str]], Env]:
    """The value that the line itself tells to set."""
    return lambda _, told: {name: told.group(1)}


def left_out(name: str) -> Callable[[Path, re.Match[str]], Env]:
    return lambda _, told: {name: ""}


def a_whole_file(_: Path, told: re.Match[str]) -> Env:
    return {"MODEL": TINY}


DATA_EN = r"^{path} can't be used: {why}\. Name a folder that you can write to with HAYATE_DATA"
DATA_JA = r"^{path}を使用できません（{why}）。書き込めるフォルダーをHAYATE_DATAで指定してください"


def data_lines(path: str, english: str, japanese: str) -> tuple[str, str]:
    return DATA_EN.format(path=path, why=english), DATA_JA.format(path=path, why=japanese)


DENIED = ("permission denied", "アクセス権がありません")
A_FILE = ("a part of this path is a file", "パスの途中がフォルダーではなくファイルです")
KEY_EN = r"^HAYATE_{which}_KEY {why}\. Set one of 16 or more letters, digits and signs without blanks, or leave it out"
KEY_JA = r"^HAYATE_{which}_KEY{why}。空白を含まない英数字と記号16文字以上を設定するか、設定を外してください"


def key_mistake(value: str, english: str, japanese: str, which: str = "API") -> Broken:
    name = f"HAYATE_{which}_KEY"
    said = KEY_EN.format(which=which, why=english), KEY_JA.format(which=which, why=japanese)
    return Broken("serve", lambda _: {name: value}, *said, cure=left_out(name))


def setting_mistake(env: Env, english: str, japanese: str) -> Broken:
    """One that `config` reads; the line tells a value that will do."""
    ((name, _),) = env.items()
    return Broken("serve", lambda _: env, english, japanese, cure=as_told(name))


def up_mistake(
    env: Callable[[Path], Env],
    english: str,
    japanese: str,
    cure: Callable[[Path, re.Match[str]], Env] = a_whole_file,
    *,
    plain: bool = False,
    around: Callable[[], AbstractContextManager[Env]] = nullcontext,  # type: ignore[assignment]
) -> Broken:
    return Broken("up", env, english, japanese, cure, plain=plain, around=around)


def from_hub(folder: Path, **env: str) -> Env:
    return {"MODEL": "owner/tiny-GGUF", "HF_HOME": str(folder / "hf"), **env}
