"""Environments that a first start stumbles over: what is wrong, the line that says so in both languages, and the advice in
it, which the test follows. A new one is a row here.
"""

from __future__ import annotations

import os
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
    """`says` and `sagt` find the line; their groups are what the advice names. `cure` is the environment after it."""

    verb: str
    env: Callable[[Path], Env]
    english: str
    japanese: str
    cure: Callable[[Path, re.Match[str]], Env]
    plain: bool = False
    full: bool = False
    around: Callable[[], AbstractContextManager[Env]] = field(default=nullcontext)  # type: ignore[assignment]  # of {}


def _file(folder: Path, name: str, content: str | bytes = "x", mode: int = 0o644) -> str:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    path.chmod(mode)
    return str(path)


def _folder(folder: Path, name: str, mode: int = 0o755) -> str:
    path = folder / name
    path.mkdir(parents=True)
    path.chmod(mode)
    return str(path)


def _taken() -> AbstractContextManager[Env]:
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


def _elsewhere(folder: Path, _: re.Match[str]) -> Env:
    return {"HAYATE_DATA": _folder(folder, "elsewhere", 0o777)}


def _named(name: str) -> Callable[[Path, re.Match[str]], Env]:
    """The value that the line itself tells to set."""
    return lambda _, told: {name: told.group(1)}


def _left_out(name: str) -> Callable[[Path, re.Match[str]], Env]:
    return lambda _, told: {name: ""}


def _a_file(_: Path, told: re.Match[str]) -> Env:
    return {"MODEL": TINY}


DATA_EN = r"^{path} can't be used: {why}\. Name a folder that you can write to with HAYATE_DATA"
DATA_JA = r"^{path}を使用できません（{why}）。書き込めるフォルダーをHAYATE_DATAで指定してください"


def _data(path: str, english: str, japanese: str) -> tuple[str, str]:
    return DATA_EN.format(path=path, why=english), DATA_JA.format(path=path, why=japanese)


DENIED = ("permission denied", "アクセス権がありません")
A_FILE = ("a part of this path is a file", "パスの途中がフォルダーではなくファイルです")
KEY_EN = r"^HAYATE_{which}_KEY {why}\. Set one of 16 or more letters, digits and signs without blanks, or leave it out"
KEY_JA = r"^HAYATE_{which}_KEY{why}。空白を含まない英数字と記号16文字以上を設定するか、設定を外してください"


def _key(value: str, english: str, japanese: str, which: str = "API") -> Broken:
    name = f"HAYATE_{which}_KEY"
    said = KEY_EN.format(which=which, why=english), KEY_JA.format(which=which, why=japanese)
    return Broken("serve", lambda _: {name: value}, *said, cure=_left_out(name))


def _up(
    env: Callable[[Path], Env],
    english: str,
    japanese: str,
    cure: Callable[[Path, re.Match[str]], Env] = _a_file,
    *,
    plain: bool = False,
    around: Callable[[], AbstractContextManager[Env]] = nullcontext,  # type: ignore[assignment]
) -> Broken:
    return Broken("up", env, english, japanese, cure, plain=plain, around=around)


def _hf(folder: Path, **env: str) -> Env:
    return {"MODEL": "owner/tiny-GGUF", "HF_HOME": str(folder / "hf"), **env}


PORT_80_IS_ROOTS = int(Path("/proc/sys/net/ipv4/ip_unprivileged_port_start").read_text(encoding="ascii")) > 80
BROKEN: dict[str, Broken] = {
    "the data folder is a file": Broken(
        "serve", lambda at: {"HAYATE_DATA": _file(at, "x")}, *_data(".*/x/api_key", *A_FILE), cure=_elsewhere
    ),
    "the data folder lies below a file": Broken(
        "up", lambda at: {"HAYATE_DATA": _file(at, "x") + "/y"}, *_data(".*/x/y/api_key", *A_FILE), cure=_elsewhere
    ),
    "the data folder is read-only": Broken(
        "serve",
        lambda at: {"HAYATE_DATA": _folder(at, "ro", 0o555)},
        *_data(".*/ro/api_key", *DENIED),
        cure=_elsewhere,
        plain=True,
    ),
    "the data folder is another user's": Broken(
        "serve",
        lambda at: {"HAYATE_DATA": str(Path(_file(at, "their/api_key", KEY, 0o000)).parent)},
        DATA_EN.format(path=".*/their/api_key", why=DENIED[0]) + r" \(or set (HAYATE_API_KEY), (HAYATE_ADMIN_KEY)\)\.$",
        DATA_JA.format(path=".*/their/api_key", why=DENIED[1])
        + "（または(HAYATE_API_KEY), (HAYATE_ADMIN_KEY)を設定してください）。$",
        cure=lambda _, told: {told.group(1): KEY, told.group(2): KEY[::-1]},
        plain=True,
    ),
    "the key of another user is asked for": Broken(
        "key",
        lambda at: {"HAYATE_DATA": str(Path(_file(at, "their/api_key", KEY, 0o000)).parent)},
        *_data(".*/their/api_key", *DENIED),
        cure=lambda at, _: {"HAYATE_DATA": str(Path(_file(at, "ours/api_key", KEY)).parent)},
        plain=True,
    ),
    "no file may grow where the key is made": Broken(
        "serve",
        lambda _: {},
        *_data(".*/data/api_key", "files may not grow that large here", "ファイルサイズの制限を超えています"),
        cure=lambda _, told: {"HAYATE_API_KEY": KEY, "HAYATE_ADMIN_KEY": KEY[::-1]},
        full=True,
    ),
    "the port is taken, of serve": Broken(
        "serve",
        lambda _: {},
        r"^127\.0\.0\.1:\d+ is used by another program\. Stop that one, or choose another port: HAYATE_PORT=(\d+)$",
        r"^127\.0\.0\.1:\d+は別のプログラムに使用されています。.*別のポートを指定してください: HAYATE_PORT=(\d+)$",
        cure=_named("HAYATE_PORT"),
        around=_taken,
    ),
    "the port is taken, of up": _up(
        lambda _: {},
        r"^127\.0\.0\.1:\d+ is used by another program\. .*: HAYATE_PORT=(\d+)$",
        r"^127\.0\.0\.1:\d+は別のプログラムに使用されています。.*: HAYATE_PORT=(\d+)$",
        _named("HAYATE_PORT"),
        around=_taken,
    ),
    "the host is not this machine's": Broken(
        "serve",
        lambda _: {"HAYATE_HOST": "192.0.2.1"},
        r"^HAYATE_HOST=192\.0\.2\.1 is no address of this machine\. Set one of these: ([\d.]+)",
        r"^HAYATE_HOST=192\.0\.2\.1はこのマシンのアドレスではありません。次のいずれかを指定してください: ([\d.]+)",
        cure=_named("HAYATE_HOST"),
    ),
    "the host's name is not known": _up(
        lambda _: {"HAYATE_HOST": "no-such-host.invalid"},
        r"^HAYATE_HOST=no-such-host\.invalid is no address of this machine\. Set one of these: ([\d.]+)",
        r"^HAYATE_HOST=no-such-host\.invalidはこのマシンのアドレスではありません。次のいずれかを指定してください: ([\d.]+)",
        _named("HAYATE_HOST"),
    ),
    "the key is too short": _key("short", r"has only 5 characters", "が短すぎます（5文字）"),
    "the key has a blank in it": _key(
        "sk-0123456789 0123", "has a blank or a line break in it", "の途中に空白か改行があります"
    ),
    "the key has a line break in it": _key(
        "sk-0123456\nsk-789", "has a blank or a line break in it", "の途中に空白か改行があります"
    ),
    "the key is not ASCII": _key(
        "鍵" * 20, "has a character in it that no header can carry", "にヘッダーで送れない文字.*があります"
    ),
    "the operator's key is too short": _key("short", r"has only 5 characters", "が短すぎます（5文字）", "ADMIN"),
    "the model is not there": _up(
        lambda at: {"MODEL": str(at / "none.gguf")},
        r"^MODEL=.*/none\.gguf does not exist\. Name a \.gguf file",
        r"^MODEL=.*/none\.ggufが存在しません。完全な\.ggufファイルを指定するか、",
    ),
    "the model is a folder without one": _up(
        lambda at: {"MODEL": _folder(at, "models")},
        r"^MODEL=.*/models holds no whole GGUF file\. Name a \.gguf file",
        r"^MODEL=.*/modelsに完全なGGUFファイルがありません。完全な\.ggufファイルを指定するか、",
    ),
    "the model is something else": _up(
        lambda at: {"MODEL": _file(at, "m.gguf", b"\x00" * 64)},
        r"^.*/m\.gguf: not a usable GGUF file .*or name another: MODEL=",
        r"^.*/m\.gguf: GGUFファイルとして読めません.*別のファイルを指定してください: MODEL=",
    ),
    "the model is another user's": _up(
        lambda at: {"MODEL": _file(at, "m.gguf", b"", 0o000)},
        r"^.*/m\.gguf: permission denied\. .*or name another: MODEL=",
        r"^.*/m\.gguf: 読み取れません（アクセス権がありません）。.*別のファイルを指定してください: MODEL=",
        plain=True,
    ),
    "the model is no name at all": _up(
        lambda _: {"MODEL": "some model"},
        r"^MODEL=some model is neither a \.gguf file nor a Hugging Face reference",
        r"^MODEL=some modelは\.ggufファイルでも、Hugging Faceの名前（.*）でもありません。",
    ),
    "the Hub can't be reached": _up(
        lambda at: _hf(at, HF_ENDPOINT="http://127.0.0.1:9"),
        r"can't be had from http://127\.0\.0\.1:9: .*Connect to the network, or name a file: MODEL=",
        r"^http://127\.0\.0\.1:9に接続できないため、owner/tiny-GGUFを取得できません。.*指定してください: MODEL=",
    ),
    "the Hub's address is none": _up(
        lambda at: _hf(at, HF_ENDPOINT="127.0.0.1:9", HF_HUB_OFFLINE=""),
        r"^HF_ENDPOINT=127\.0\.0\.1:9 is no http:// or https:// URL: mend it",
        r"^HF_ENDPOINT=127\.0\.0\.1:9がhttp://またはhttps://で始まっていません。修正するか、",
    ),
    "the Hub may not be asked": _up(
        lambda at: _hf(at, HF_HUB_OFFLINE="1"),
        r"^HF_HUB_OFFLINE is set and .* is not in the cache .*: unset it, or name a file: MODEL=",
        r"^HF_HUB_OFFLINEが設定されており、.*キャッシュ（.*）にありません。.*指定してください: MODEL=",
    ),
    "the token is not good": _up(
        lambda at: _hf(at, HF_TOKEN="hf_bad"),
        r"is not on .*, or is private: check the name \(MODEL\), or set an HF_TOKEN that may see it\.$",
        r"にないか、非公開です。名前（MODEL）を確かめるか、閲覧できるHF_TOKENを設定してください。$",
        lambda at, _: {"HF_TOKEN": "hf_good"},
        around=Hub,
    ),
    "the Hub's cache can't be written": _up(
        lambda at: _hf(at, HF_TOKEN="hf_good", HF_HOME=_folder(at, "ro", 0o555)),
        r"can't be kept in .*/ro/hub: permission denied\. Mend that, or name another folder with HF_HOME\.$",
        r"ro/hubに保存できません（アクセス権がありません）。解消するか、別のフォルダーをHF_HOMEで指定してください。$",
        lambda at, _: {"HF_HOME": _folder(at, "hf2", 0o777)},
        plain=True,
        around=Hub,
    ),
}
if PORT_80_IS_ROOTS and os.getuid() == 0:
    BROKEN["the port is root's"] = Broken(
        "serve",
        lambda _: {"HAYATE_PORT": "80"},
        r"^Port 80 is for root alone\. Choose one from 1024 on: HAYATE_PORT=(\d+)$",
        r"^ポート80の使用にはroot権限が必要です。1024以上のポートを指定してください: HAYATE_PORT=(\d+)$",
        cure=_named("HAYATE_PORT"),
        plain=True,
    )
