"""Addresses as the configuration writes them: an engine's base URL, the host to listen on. What passes here can be
resolved, connected to or bound; whether anything answers there is another matter.
"""

from __future__ import annotations

import ipaddress
import re
from urllib.parse import SplitResult, urlsplit

CALLS = (
    "/chat/completions",
    "/completions",
    "/embeddings",
    "/responses",
    "/messages",
    "/models",
    "/rerank",
    "/generate",
    "/generate_stream",
    "/api/chat",
    "/api/tags",
    "/health",
)
"""The paths of single calls, which are easily pasted where a base URL belongs."""
_NAME = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9_-]*[A-Za-z0-9_])?")
_PATH = re.compile(r"(?:/[A-Za-z0-9._~!$&'()*+,;=:@%-]*)*")


def base_url(text: str) -> str:
    """An engine's base URL without blanks around it and without slashes at its end. Raises ValueError, which says what to write."""
    url = text.strip()
    parts, port = _split(url)
    if parts.username is not None or parts.password is not None:
        raise ValueError("no credentials in URLs: use api_key")
    if "?" in url or "#" in url:
        raise ValueError(f"{_shown(url)!r} has a query or a fragment: give the engine's base URL")
    if port == 0 or parts.netloc.endswith(":"):
        raise ValueError(f"{_shown(url)!r} has a port that is none: 1 to 65535")
    _check_host(parts.hostname or "")
    if _PATH.fullmatch(parts.path) is None:
        raise ValueError(f"{_shown(url)!r} has a character in its path that belongs in no URL")
    path = parts.path.rstrip("/")
    for call in CALLS:
        if path.endswith(call):
            base = f"{parts.scheme}://{parts.netloc}{path.removesuffix(call)}"
            raise ValueError(f"{_shown(url)!r} is the address of one call: give the engine's base URL, {base}")
    return url.rstrip("/")


def listening_host(text: str) -> str:
    """A host to listen on, an IPv6 address without its brackets. Raises ValueError."""
    host = text.strip()
    if host.startswith("[") and host.endswith("]"):
        host = host[1:-1]
    _check_host(host)
    return host


def _split(url: str) -> tuple[SplitResult, int | None]:
    if any(character.isspace() or not character.isprintable() for character in url):
        raise ValueError(f"{_shown(url)!r} has a blank or a control character inside")
    try:
        parts = urlsplit(url)
    except ValueError:
        raise ValueError(f"{_shown(url)!r} has a bracket that does not belong to an IPv6 address") from None
    if parts.scheme not in ("http", "https") or not parts.netloc.rpartition("@")[2]:
        raise ValueError(f"{_shown(url)!r} is not an http:// or https:// URL")
    if parts.netloc.rpartition("@")[2].count(":") > 1 and "[" not in parts.netloc:
        raise ValueError(f"{_shown(url)!r}: an IPv6 address stands in brackets, such as http://[::1]:8000")
    if not parts.hostname:
        raise ValueError(f"{_shown(url)!r} names no host")
    try:
        return parts, parts.port
    except ValueError:
        raise ValueError(f"{_shown(url)!r} has a port that is none: 1 to 65535") from None


def _check_host(host: str) -> None:
    if ":" in host:
        try:
            ipaddress.IPv6Address(host)
        except ValueError:
            raise ValueError(f"{host!r} is not an IPv6 address") from None
        return
    try:
        labels = host.encode("idna").decode("ascii").removesuffix(".").split(".")
    except UnicodeError:
        labels = [""]
    if len(host) > 253 or not all(len(label) < 64 and _NAME.fullmatch(label) for label in labels):
        raise ValueError(f"{host[:80]!r} is not a host's name or address")


def _shown(url: str) -> str:
    """For messages: without what may be secret."""
    return re.sub(r"//[^/]*@", "//…@", re.split(r"[?#]", url, maxsplit=1)[0])[:120]
