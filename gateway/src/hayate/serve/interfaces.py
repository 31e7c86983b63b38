"""Where other machines find this one: the addresses of its network interfaces, asked of the system's own library.

Left out is what nobody else could open: loopback, link-local addresses, interfaces that are down, and the bridges by
which a machine talks to its own containers. In a container the answer is nothing: what counts there is the host's.
"""

from __future__ import annotations

import ctypes
import ctypes.util
import ipaddress
import socket
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

IN_CONTAINER = (Path("/.dockerenv"), Path("/run/.containerenv"))
BRIDGES = ("docker", "br-", "veth", "virbr", "cni", "podman", "lxc", "lxdbr", "cali", "flannel")
UP = 0x1
MAX_ADDRESSES = 8
_OFFSETS = {socket.AF_INET: (4, 4), socket.AF_INET6: (8, 16)}
"""Where the address lies in a `sockaddr` of that family, and how long it is; the same on Linux, macOS and the BSDs."""


class _Interface(ctypes.Structure):
    """The beginning of `struct ifaddrs`, which is the same everywhere."""


_Interface._fields_ = [
    ("next", ctypes.POINTER(_Interface)),
    ("name", ctypes.c_char_p),
    ("flags", ctypes.c_uint),
    ("address", ctypes.c_void_p),
]


WILDCARDS = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}  # noqa: S104  recognised, not bound
"""Listening there is listening on all addresses of this machine; and the one of them that it can call itself at."""


def reachable_at(url: str) -> list[str]:
    """The same URL as other machines open it, for one of a wildcard."""
    parts = urlsplit(url)
    found = reachable_addresses(parts.hostname or "")
    return [f"{parts.scheme}://{f'[{each}]' if ':' in each else each}:{parts.port}" for each in found]


def reachable_addresses(host: str) -> list[str]:
    """For a server that listens on `host`, a wildcard: the addresses to open from elsewhere, IPv4 first. Never raises."""
    if any(mark.exists() for mark in IN_CONTAINER):
        return []
    return openable(list(_interfaces()), ipv6=":" in host)


def openable(found: list[tuple[str, int, str]], *, ipv6: bool) -> list[str]:
    """Of interfaces with their names, flags and addresses, the addresses that other machines can open."""
    kept: dict[str, int] = {}
    for name, flags, text in found:
        address = ipaddress.ip_address(text)
        if not flags & UP or name.startswith(BRIDGES) or (address.version == 6 and not ipv6):
            continue
        if not (address.is_loopback or address.is_link_local or address.is_multicast or address.is_unspecified):
            kept[text] = address.version
    return sorted(kept, key=lambda text: kept[text])[:MAX_ADDRESSES]


def _interfaces() -> Iterator[tuple[str, int, str]]:
    """Every address of every interface; nothing where the system has no `getifaddrs`."""
    try:
        library = ctypes.CDLL(ctypes.util.find_library("c") if sys.platform == "darwin" else None)
        ask, give_back = library.getifaddrs, library.freeifaddrs
    except (OSError, AttributeError):
        return
    first = ctypes.POINTER(_Interface)()
    if ask(ctypes.byref(first)) != 0:
        return
    try:
        each = first
        while each:
            interface = each.contents
            if (address := _address(interface.address)) is not None:
                yield (interface.name or b"").decode(errors="replace"), interface.flags, address
            each = interface.next
    finally:
        give_back(first)


def _address(pointer: int | None) -> str | None:
    """The text of a `sockaddr` that holds an internet address."""
    if not pointer:
        return None
    # Linux begins with the family in two bytes; the BSDs with a length and then the family, a byte each.
    head = ctypes.string_at(pointer, 2)
    family = int.from_bytes(head, sys.byteorder) if sys.platform == "linux" else head[1]
    if family not in _OFFSETS:
        return None
    offset, size = _OFFSETS[socket.AddressFamily(family)]
    return socket.inet_ntop(family, ctypes.string_at(pointer + offset, size))
