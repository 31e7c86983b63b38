"""Where the calls go and the key they carry.

The key that a gateway keeps in its data folder goes to that gateway's own address only; any other server gets a key
when one is given for it, by --key or HAYATE_API_KEY.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

from hayate.tools.loopback import LOOPBACK
from hayate.tools.measure.refusal import CannotMeasure

Api = Literal["openai", "generate_stream"]
APIS: tuple[Api, ...] = ("openai", "generate_stream")
PATHS: Mapping[Api, str] = {"openai": "/v1/chat/completions", "generate_stream": "/generate_stream"}
_ENDINGS: Mapping[Api, tuple[str, ...]] = {
    "openai": ("/chat/completions", "/v1"),
    "generate_stream": ("/generate_stream",),
}


@dataclass(frozen=True, slots=True)
class Target:
    """One server and its dialect."""

    origin: str
    api: Api
    key: str | None

    @property
    def address(self) -> str:
        """Host and port, to name the run after."""
        return urlsplit(self.origin).netloc


def default_url(env: Mapping[str, str]) -> str:
    """The gateway of this machine."""
    return f"http://127.0.0.1:{_default_port(env)}"


def _default_port(env: Mapping[str, str]) -> str:
    return env.get("HAYATE_PORT") or "8080"


def parse_target(url: str | None, api: str, key: str | None, env: Mapping[str, str]) -> Target:
    """What was typed, checked. Raises CannotMeasure."""
    known = next((each for each in APIS if each == api), None)
    if known is None:
        raise CannotMeasure(
            f"--api {api}: openai or generate_stream.", f"--api {api}: openai か generate_stream を指定してください。"
        )
    origin = _origin(url or default_url(env), known)
    found = (key or env.get("HAYATE_API_KEY") or "").strip() or _kept_key(origin, env)
    if found is not None and not (found.isascii() and found.isprintable() and " " not in found):
        raise CannotMeasure(
            "The key must be printable ASCII without spaces.",
            "キーに使えるのは、空白を含まない印字可能なASCIIだけです。",
        )
    return Target(origin, known, found)


def _origin(url: str, api: Api) -> str:
    try:
        parts = urlsplit(url)
        port_is_fine = parts.port is None or parts.port > 0
    except ValueError:
        parts, port_is_fine = urlsplit(""), False
    if parts.scheme not in ("http", "https") or not parts.hostname or not port_is_fine:
        raise CannotMeasure(
            f"--url {url}: an http:// or https:// address is expected, such as http://127.0.0.1:8080.",
            f"--url {url}: http://127.0.0.1:8080 のような http:// か https:// のアドレスを指定してください。",
        )
    if parts.username or parts.password or parts.query or parts.fragment:
        raise CannotMeasure(
            "--url takes an address alone, without credentials or a query; give the key with --key or HAYATE_API_KEY.",
            "--url にはアドレスだけを書いてください。キーは --key か HAYATE_API_KEY で渡します。",
        )
    path = parts.path.rstrip("/")
    for ending in _ENDINGS[api]:
        path = path.removesuffix(ending).rstrip("/")
    if any(character <= " " or character > "~" for character in parts.netloc + path):
        raise CannotMeasure(
            f"--url {url}: it must be plain ASCII (xn--… for other names).",
            f"--url {url}: 使えるのはASCII文字だけです（日本語のホスト名は xn--… の形で）。",
        )
    return f"{parts.scheme}://{parts.netloc}{path}"


def _kept_key(origin: str, env: Mapping[str, str]) -> str | None:
    """The key in the data folder, if `origin` is the gateway that keeps it."""
    parts = urlsplit(origin)
    if parts.hostname not in LOOPBACK or str(parts.port) != _default_port(env):
        return None
    beside = Path(env["HAYATE_CONFIG"]).parent if env.get("HAYATE_CONFIG") else Path()
    try:
        return (Path(env.get("HAYATE_DATA") or beside / "data") / "api_key").read_text(encoding="ascii").strip() or None
    except (OSError, UnicodeDecodeError):
        return None
