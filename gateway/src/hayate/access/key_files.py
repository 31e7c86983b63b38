"""The gateway's own keys: from the environment, else from the data folder, else made there at its first start."""

from __future__ import annotations

import contextlib
import os
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from hayate.language import BilingualError, Text, reason_of
from hayate.store.alone import alone_in

MIN_KEY_CHARS = 16


class KeyFileError(BilingualError):
    """A key can't be read or kept. Raised before anything serves: the text is one line."""


@dataclass(frozen=True, slots=True)
class KeyPlace:
    """Where a key comes from: a variable of the environment, else a file of the data folder."""

    variable: str
    file: str
    prefix: str


MAIN = KeyPlace("HAYATE_API_KEY", "api_key", "sk-hayate-")
ADMIN = KeyPlace("HAYATE_ADMIN_KEY", "admin_key", "sk-hayate-admin-")


def find_key(data: Path, env: Mapping[str, str] = os.environ, place: KeyPlace = MAIN) -> str | None:
    """The key, from the environment or else from the data folder, if there is one. Makes nothing. Raises KeyFileError."""
    given = env.get(place.variable, "").strip()
    if given:
        if mistake := _mistake(given):
            raise KeyFileError(
                f"{place.variable} {mistake.en}. Set one of {MIN_KEY_CHARS} or more letters, digits and signs without "
                f"blanks, or leave it out: the gateway then makes one.",
                f"{place.variable}{mistake.ja}。空白を含まない英数字と記号{MIN_KEY_CHARS}文字以上を設定するか、"
                f"設定を外してください（起動時に自動で作成されます）。",
            )
        return given
    path = data / place.file
    try:
        kept = path.read_text(encoding="ascii").strip()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise out_of_reach(path, error) from None
    except UnicodeDecodeError:
        kept = "\0"
    if kept and not _sendable(kept):
        raise KeyFileError(
            f"{path} does not hold one key of printable ASCII characters: mend it, or set {place.variable}.",
            f"{path}の内容がAPIキー（空白を含まない印字可能なASCII、1行）ではありません。"
            f"修正するか、{place.variable}を設定してください。",
        )
    return kept or None


def ensure_key(data: Path, env: Mapping[str, str] = os.environ, place: KeyPlace = MAIN) -> tuple[str, bool]:
    """The key and whether it was made just now: from the environment, else from the data folder, else a new one kept
    there with mode 0600. Raises KeyFileError.
    """
    found = find_key(data, env, place)
    path = data / place.file
    if found is not None:
        # Where the mode can't be changed (a read-only mount), the key is as secret as its owner wanted it.
        with contextlib.suppress(OSError):
            if path.stat().st_mode & 0o077:
                path.chmod(0o600)
        return found, False
    try:
        data.mkdir(parents=True, exist_ok=True)
        with alone_in(data):  # of two that start at once, one makes it
            found = find_key(data, env, place)
            return (found, False) if found is not None else (write_key(data, place), True)
    except OSError as error:
        raise out_of_reach(path, error) from None


def ensure_keys(data: Path, env: Mapping[str, str] = os.environ) -> tuple[str, bool]:
    """Both keys; the callers' is what is given back, and whether it was made just now. Raises KeyFileError."""
    main = ensure_key(data, env)
    ensure_key(data, env, ADMIN)
    return main


def write_key(data: Path, place: KeyPlace = MAIN) -> str:
    """Makes a new key and keeps it, replacing any before it in one step. Raises OSError, with nothing left behind."""
    key = place.prefix + secrets.token_urlsafe(32)
    fresh = data / f".{place.file}.{os.getpid()}"
    try:
        with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="ascii") as file:
            file.write(key + "\n")
        fresh.replace(data / place.file)
    except OSError:
        with contextlib.suppress(OSError):
            fresh.unlink()
        raise
    return key


def _mistake(key: str) -> Text | None:
    """What is wrong with a given key. The key itself is not repeated: terminals are looked at, and logs kept."""
    if any(each.isspace() for each in key):
        return Text("has a blank or a line break in it", "の途中に空白か改行があります")
    if not _sendable(key):
        return Text(
            "has a character in it that no header can carry", "にヘッダーで送れない文字（全角文字など）があります"
        )
    if len(key) < MIN_KEY_CHARS:
        return Text(f"has only {len(key)} characters", f"が短すぎます（{len(key)}文字）")
    return None


def _sendable(key: str) -> bool:
    return key.isascii() and key.isprintable() and " " not in key


def out_of_reach(path: Path, error: OSError) -> KeyFileError:
    """The one way out that mends it for both keys: another folder. What the environment says needs none, if it says both."""
    why, both = reason_of(error), f"{MAIN.variable}, {ADMIN.variable}"
    return KeyFileError(
        f"{path} can't be used: {why.en}. Name a folder that you can write to with HAYATE_DATA (or set {both}).",
        f"{path}を使用できません（{why.ja}）。書き込めるフォルダーをHAYATE_DATAで指定してください"
        f"（または{both}を設定してください）。",
    )
