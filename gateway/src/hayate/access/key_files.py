"""The gateway's own keys: from the environment, else from the data folder, else made there at its first start."""

from __future__ import annotations

import contextlib
import os
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from hayate.language import BilingualError

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
        if len(given) < MIN_KEY_CHARS or not _sendable(given):
            raise KeyFileError(
                f"{place.variable} must be at least {MIN_KEY_CHARS} printable ASCII characters without spaces.",
                f"{place.variable} は、空白を含まない印字可能なASCII文字で{MIN_KEY_CHARS}文字以上にしてください。",
            )
        return given
    path = data / place.file
    try:
        kept = path.read_text(encoding="ascii").strip()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise _out_of_reach(path, place, error) from None
    except UnicodeDecodeError:
        kept = "\0"
    if kept and not _sendable(kept):
        raise KeyFileError(
            f"{path} does not hold one key of printable ASCII characters: mend it, or set {place.variable}.",
            f"{path} の内容がAPIキー（空白を含まない印字可能なASCII、1行）ではありません。"
            f"修正するか、{place.variable} を設定してください。",
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
        return write_key(data, place), True
    except OSError as error:
        raise _out_of_reach(path, place, error) from None


def ensure_keys(data: Path, env: Mapping[str, str] = os.environ) -> tuple[str, bool]:
    """Both keys; the callers' is what is given back, and whether it was made just now. Raises KeyFileError."""
    main = ensure_key(data, env)
    ensure_key(data, env, ADMIN)
    return main


def write_key(data: Path, place: KeyPlace = MAIN) -> str:
    """Makes a new key and keeps it, replacing any before it in one step. Raises OSError."""
    key = place.prefix + secrets.token_urlsafe(32)
    fresh = data / f".{place.file}.{os.getpid()}"
    with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="ascii") as file:
        file.write(key + "\n")
    fresh.replace(data / place.file)
    return key


def _sendable(key: str) -> bool:
    return key.isascii() and key.isprintable() and " " not in key


def _out_of_reach(path: Path, place: KeyPlace, error: OSError) -> KeyFileError:
    reason = error.strerror or type(error).__name__
    return KeyFileError(
        f"{path}: {reason}. Set {place.variable}, or name a folder that can be written with HAYATE_DATA.",
        f"{path} を読み書きできません（{reason}）。{place.variable} を設定するか、"
        f"書き込めるフォルダーを HAYATE_DATA で指定してください。",
    )
