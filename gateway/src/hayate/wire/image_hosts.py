"""Which http(s) image URLs may pass to an engine, which then fetches them from inside the operator's network.

Engines read URLs by several parsers, and where two parsers disagree about the host, a listed name hides another one. So
a URL passes only in a form on which none can disagree: ASCII, no credentials, no backslash, no percent sign before the
path, no fragment. What is compared is the whole host, never a part of it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

from hayate.language import Text

_NAME: Final = r"[a-z0-9](?:[a-z0-9_-]{0,62})(?:\.[a-z0-9](?:[a-z0-9_-]{0,62}))*"
_URL: Final = re.compile(
    rf"(https?)://({_NAME}|\[[0-9a-f:.]{{2,45}}\])(?::([0-9]{{1,5}}))?(?:/[a-z0-9._~!$&'()*+,;=:@%/?-]*)?",
    re.IGNORECASE,
)
_ENTRY: Final = re.compile(rf"(?:\*\.{_NAME}|{_NAME}|\[[0-9a-f:.]{{2,45}}\])(?::[0-9]{{1,5}})?", re.IGNORECASE)
_PORTS: Final = {"http": 80, "https": 443}
MAX_URL_CHARS: Final = 8192
MAX_HOST_CHARS: Final = 253
"""As long as a name in the DNS can be."""


def host_mistake(entry: str) -> Text | None:
    """What is wrong with a listed host, if anything: `host`, `host:port`, `*.domain`, `[IPv6]`."""
    if _ENTRY.fullmatch(entry) is None:
        return Text(
            f"{entry[:80]!r} is not a host: write images.example, images.example:8443, *.example.com or [2001:db8::1]",
            f"{entry[:80]!r}はホストではありません。images.example、images.example:8443、*.example.com、[2001:db8::1]のように書いてください",
        )
    name, port = _split(entry)
    if port is not None and not 0 < port < 65536:
        return Text(
            f"{entry!r} has a port that is none: 1 to 65535",
            f"{entry!r}のポート番号が正しくありません。1から65535までにしてください",
        )
    if name.startswith("*.") and ("." not in name[2:] or name[-1].isdigit()):
        return Text(
            f"{entry!r} is too wide: name a domain after '*.', such as *.example.com",
            f"{entry!r}は範囲が広すぎます。*.example.comのように、*.の後にドメインを書いてください",
        )
    return None


class ImageHosts:
    """The listed hosts. A `*.` at the front stands for any name below, not for the domain itself; without a port it is
    the scheme's own.
    """

    def __init__(self, entries: Iterable[str] = ()) -> None:
        self._listed = frozenset(_split(entry.lower()) for entry in entries)

    def __bool__(self) -> bool:
        return bool(self._listed)

    def allow(self, url: str) -> bool:
        """Whether an engine may fetch `url`."""
        if not self._listed or len(url) > MAX_URL_CHARS:
            return False
        found = _URL.fullmatch(url)
        if found is None:
            return False
        scheme, host = found[1].lower(), found[2].lower()
        if len(host) > MAX_HOST_CHARS:
            return False
        port = _PORTS[scheme] if found[3] is None else int(found[3])
        ports = (port, None) if port == _PORTS[scheme] else (port,)
        return any((name, each) in self._listed for name in _names(host) for each in ports)


def _names(host: str) -> list[str]:
    """What may be listed for `host`: itself, and `*.` with each domain above it."""
    above = host.split(".")[1:]
    return [host, *("*." + ".".join(above[n:]) for n in range(len(above)))]


def _split(entry: str) -> tuple[str, int | None]:
    name, colon, port = entry.rpartition(":")
    if not colon or entry.endswith("]"):
        return entry, None
    return name, int(port)


NO_HOSTS: Final = ImageHosts()
