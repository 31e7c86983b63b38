"""Addresses as people write them: an engine's base URL, the host to listen on. What passes here can be resolved,
connected to or bound; whether anything answers there is another matter.
"""

from __future__ import annotations

import contextlib
import ipaddress
import re
from urllib.parse import SplitResult, urlsplit

from hayate.config.mistakes import Told

CALLS = (
    "/v2/health/live",
    "/v2/health/ready",
    "/api/chat",
    "/api/generate",
    "/api/embeddings",
    "/api/embed",
    "/api/tags",
    "/api/version",
    "/api/ps",
    "/chat/completions",
    "/completions",
    "/embeddings",
    "/responses",
    "/messages",
    "/models",
    "/rerank",
    "/generate",
    "/generate_stream",
    "/health",
    "/metrics",
)
"""The paths of single calls, which are easily pasted where a base URL belongs; a longer one stands before its own end."""
_NAME = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9_-]*[A-Za-z0-9_])?")
_MORE_THAN_A_HOST = re.compile(r"(?=.*:)(?:https?://)?([A-Za-z0-9_.-]+)(?::[0-9]*)?/?")
_PATH = re.compile(r"(?:/[A-Za-z0-9._~!$&'()*+,;=:@%-]*)*")


def base_url(text: str) -> str:
    """An engine's base URL: without blanks around it, slashes at its end, a slash too many in its path, and the path of a
    single call. Raises Told, which says what to write.
    """
    url = text.strip()
    parts, port = _split(url)
    if parts.username is not None or parts.password is not None:
        raise Told(
            f"{_shown(url)!r} holds a name or a password: take them out of the URL; what the engine asks for is its api_key",
            f"{_shown(url)!r}にユーザー名かパスワードが含まれています。URLから外し、エンジンのAPIキーはapi_keyに書いてください",
        )
    if "?" in url or "#" in url:
        base = re.split(r"[?#]", _shown(url), maxsplit=1)[0]
        raise Told(
            f"{base!r} has a query or a fragment (? or #) behind it: write the engine's base URL, {base}",
            f"{base!r}の後ろに?や#が付いています。エンジンのベースURL（{base}）を書いてください",
        )
    if port == 0 or parts.netloc.endswith(":"):
        raise _no_port(url)
    _check_host(parts.hostname or "")
    if _PATH.fullmatch(parts.path) is None:
        raise Told(
            f"{_shown(url)!r} has a character in its path that belongs in no URL; remove it",
            f"{_shown(url)!r}のパスに、URLに使えない文字があります。取り除いてください",
        )
    path = re.sub(r"/{2,}", "/", parts.path).rstrip("/")
    call = next((each for each in CALLS if path.endswith(each)), "")
    return f"{url[: len(parts.scheme)]}://{parts.netloc}{path.removesuffix(call)}"


def listening_host(text: str) -> str:
    """A host to listen on, an IPv6 address without its brackets. Raises Told."""
    host = text.strip()
    if host.startswith("[") and host.endswith("]"):
        host = host[1:-1]
    if (more := _MORE_THAN_A_HOST.fullmatch(host)) is not None:
        raise Told(
            f"{host!r} is not a host alone; write {more[1]} (the port is a setting of its own)",
            f"{host!r}はホスト名だけではありません。{more[1]}と書いてください（ポート番号は別の設定です）",
        )
    _check_host(host)
    return host


def _split(url: str) -> tuple[SplitResult, int | None]:
    if any(character.isspace() or not character.isprintable() for character in url):
        raise Told(
            f"{_shown(url)!r} has a blank or a control character inside; remove it",
            f"{_shown(url)!r}の中に空白か制御文字があります。取り除いてください",
        )
    try:
        parts = urlsplit(url)
    except ValueError:
        raise Told(
            f"{_shown(url)!r} has a bracket that does not belong to an IPv6 address, such as http://[::1]:8000",
            f"{_shown(url)!r}の角括弧の使い方が違います。IPv6アドレスはhttp://[::1]:8000のように書いてください",
        ) from None
    if parts.scheme not in ("http", "https") or not parts.netloc.rpartition("@")[2]:
        raise _no_url(url)
    if parts.netloc.rpartition("@")[2].count(":") > 1 and "[" not in parts.netloc:
        raise Told(
            f"{_shown(url)!r}: an IPv6 address stands in brackets, such as http://[::1]:8000",
            f"{_shown(url)!r}: IPv6アドレスは、http://[::1]:8000のように角括弧で囲んでください",
        )
    if not parts.hostname:
        raise Told(
            f"{_shown(url)!r} names no host; write one, such as http://127.0.0.1:8000",
            f"{_shown(url)!r}にホスト名がありません。http://127.0.0.1:8000のように書いてください",
        )
    try:
        return parts, parts.port
    except ValueError:
        raise _no_port(url) from None


def is_loopback(host: str) -> bool:
    """Whether it is this machine's own address, at which nobody else can be or ask."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host.lower() == "localhost"


def _no_url(url: str) -> Told:
    """Whoever left the scheme out is told the whole URL."""
    example = "http://127.0.0.1:8000"
    if "://" not in url and "@" not in url:
        with contextlib.suppress(Told):
            example = base_url(f"http://{url.lstrip('/')}")
    return Told(
        f"{_shown(url)!r} is not an http:// or https:// URL; write {example}",
        f"{_shown(url)!r}はhttp://かhttps://で始まるURLではありません。{example}のように書いてください",
    )


def _no_port(url: str) -> Told:
    return Told(
        f"{_shown(url)!r} has a port that is none: 1 to 65535, or none at all",
        f"{_shown(url)!r}のポート番号が正しくありません。1から65535までの数字を書くか、省いてください",
    )


def _check_host(host: str) -> None:
    if ":" in host:
        try:
            ipaddress.IPv6Address(host)
        except ValueError:
            raise Told(
                f"{host!r} is not an IPv6 address, such as ::1 (a port does not belong here)",
                f"{host!r}はIPv6アドレスではありません。::1のように書いてください（ポート番号はここには書きません）",
            ) from None
        return
    try:
        labels = host.encode("idna").decode("ascii").removesuffix(".").split(".")
    except UnicodeError:
        labels = [""]
    if len(host) > 253 or not all(len(label) < 64 and _NAME.fullmatch(label) for label in labels):
        raise Told(
            f"{host[:80]!r} is not a host's name or address, such as 127.0.0.1",
            f"{host[:80]!r}はホスト名でもアドレスでもありません。127.0.0.1のように書いてください",
        )


def _shown(url: str) -> str:
    """For messages: without what may be secret."""
    return re.sub(r"//[^/]*@", "//…@", re.split(r"[?#]", url, maxsplit=1)[0])[:120]
