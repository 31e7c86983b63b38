"""Which gateway is asked, with which key, and where both come from.

The key that a gateway keeps in its data folder goes to that gateway alone; any other address gets HAYATE_ADMIN_KEY.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import SplitResult, urlsplit

from hayate.access.key_files import ADMIN, find_key
from hayate.language import Text
from hayate.serve.interfaces import WILDCARDS
from hayate.serve.whereabouts import RunningGateway
from hayate.tools.loopback import LOOPBACK
from hayate.tools.running import Place, reachable
from hayate.tools.status.refusals import CannotTell

PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True, slots=True)
class Target:
    """An address without its path's end, the operator's key, and what to say of where the two were found."""

    url: str
    key: str | None
    key_from: Text
    found_by: Text


def target_of(
    url: str | None,
    place_of: Callable[[], Place],
    running: Iterable[RunningGateway],
    env: Mapping[str, str],
) -> Target:
    """What is meant. Raises CannotTell, KeyFileError, and what `place_of` raises, which is not asked beside a `url`
    that some running gateway has.
    """
    if url is None:
        place = place_of()
        found_by = (
            Text("a gateway of yours that runs", "動作中のゲートウェイ")
            if place.pid
            else Text("the configuration", "設定")
        )
        return Target(place.url, *_key(place.data, env), found_by)
    parts = _parts(url)
    asked = f"{parts.scheme}://{parts.netloc}{parts.path.rstrip('/')}"
    asked = asked if parts.path.rstrip("/") else reachable(asked)
    data = next((each.data for each in running if _is_at(asked, reachable(each.url))), None)
    if data is None and not env.get(ADMIN.variable, "").strip():
        place = place_of()
        data = place.data if _is_at(asked, place.url) else None
    return Target(asked, *_key(data, env), Text("--url", "--url"))


def _parts(url: str) -> SplitResult:
    """Raises CannotTell for what is no address."""
    try:
        parts = urlsplit(url if "://" in url else f"http://{url}")
        fine = parts.scheme in PORTS and bool(parts.hostname) and parts.port != 0
    except ValueError:
        fine = False
    if not fine or not (url.isascii() and url.isprintable() and " " not in url) or parts.username is not None:
        raise CannotTell(
            "--url: an http:// or https:// address is expected, such as http://127.0.0.1:8080.",
            "--urlにはhttp://127.0.0.1:8080のようなhttp://かhttps://のアドレスを指定してください。",
        )
    return parts


def _is_at(asked: str, known: str) -> bool:
    """Whether an address is that of a gateway of this machine: only this machine's own names stand for each other."""
    one, other = urlsplit(asked), urlsplit(known)
    same_host = one.hostname == other.hostname or {one.hostname, other.hostname} <= {*LOOPBACK, *WILDCARDS}
    return same_host and one.scheme == other.scheme and _port(one) == _port(other)


def _port(parts: SplitResult) -> int | None:
    return parts.port or PORTS.get(parts.scheme)


def _key(data: Path | None, env: Mapping[str, str]) -> tuple[str | None, Text]:
    """The operator's key, if there is one, and where it is from or should be. Raises KeyFileError."""
    given = bool(env.get(ADMIN.variable, "").strip())
    if data is None or given:
        return find_key(Path(), env, ADMIN) if given else None, Text(ADMIN.variable, ADMIN.variable)
    place = str((data / ADMIN.file).absolute())
    return find_key(data, {}, ADMIN), Text(place, place)
