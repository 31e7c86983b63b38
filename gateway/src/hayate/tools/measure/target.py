"""Where the calls go and the key they carry.

The key that a gateway keeps in its data folder goes to that gateway's own address only; any other server gets a key
when one is given for it, by --key or HAYATE_API_KEY.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal
from urllib.parse import urlsplit

from hayate.tools.loopback import LOOPBACK
from hayate.tools.measure.refusal import CannotMeasure
from hayate.tools.running import Place

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


def parse_target(
    url: str | None, api: str, key: str | None, env: Mapping[str, str], find: Callable[[], Place]
) -> Target:
    """What was typed, checked; the gateway that `find` finds, where no address was. Raises CannotMeasure."""
    known = next((each for each in APIS if each == api), None)
    if known is None:
        raise CannotMeasure(
            f"--api {api}: openai or generate_stream.", f"--api {api}: openaiかgenerate_streamを指定してください。"
        )
    place = None if url else find()
    origin = _origin(url or (place.url if place else ""), known)
    found = (key or env.get("HAYATE_API_KEY") or "").strip() or _kept_key(origin, place, find)
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


def _kept_key(origin: str, place: Place | None, find: Callable[[], Place]) -> str | None:
    """The key in the data folder, if `origin` is the gateway that keeps it."""
    parts = urlsplit(origin)
    if place is None:
        if parts.hostname not in LOOPBACK:
            return None
        place = find()
    if parts.port != urlsplit(place.url).port:
        return None
    try:
        return (place.data / "api_key").read_text(encoding="ascii").strip() or None
    except (OSError, UnicodeDecodeError):
        return None
