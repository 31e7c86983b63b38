"""Where a browser says that a request comes from: in `Origin`, and in `Sec-Fetch-Site`. No page can change what these say."""

from __future__ import annotations

from ipaddress import ip_address
from typing import Final

from hayate.wire.http1 import Fields

NO_ORIGIN: Final = b"null"
_OURS: Final = (None, b"same-origin", b"none")


def from_elsewhere(found: Fields) -> bool:
    """Whether the request comes from a page of another origin than the one that it goes to, or of none."""
    origin = found.get(b"origin")
    if found.get(b"sec-fetch-site") not in _OURS or origin == NO_ORIGIN:
        return True
    return origin is not None and origin.partition(b"://")[2] != found.get(b"host")


def is_overheard(origin: bytes) -> bool:
    """Whether what a page of this origin sends can be read on its way: it came over plain http, and not from this machine."""
    scheme, _, rest = origin.decode("latin-1").lower().partition("://")
    host = rest.partition("]")[0].strip("[") if rest.startswith("[") else rest.partition(":")[0]
    if scheme == "https" or host == "localhost" or host.endswith(".localhost"):
        return False
    try:
        return not ip_address(host).is_loopback
    except ValueError:
        return True


def cookie_named(what: str, found: Fields, port: int) -> str:
    """The name of a cookie that no other gateway on the host has: it carries the port that the browser asks at, or where the
    address has none, the one that is listened on.
    """
    return f"{what}_{port_named(found) or port}"


def cookie_in(cookies: bytes, name: str) -> str | None:
    """The last value of that name in a `Cookie` field; None where there is none, or an empty one. It is read in linear time, which
    the standard library's reader of cookies takes the square of (CVE-2024-7592), and has no escapes: ours need none.
    """
    wanted, found = name.encode(), b""
    for each in cookies.split(b";"):
        key, _, value = each.partition(b"=")
        if key.strip() == wanted:
            found = value.strip()
    if len(found) > 1 and found[:1] == found[-1:] == b'"':
        found = found[1:-1]
    return found.decode("latin-1") or None


def port_named(found: Fields) -> str:
    """The port that the browser knows the gateway by; empty where the address has none."""
    host, colon, port = found.get(b"host", b"").decode("latin-1").rpartition(":")
    return port if colon and port.isascii() and port.isdigit() and len(port) <= 5 and host else ""
