"""The socket that the gateway listens on, had before anything else is started; and if it can't be had, what to do."""

from __future__ import annotations

import errno
import socket

from hayate.language import BilingualError, reason_of
from hayate.serve.interfaces import reachable_addresses

BACKLOG = 2048
FIRST_FREE_PORT = 1024
"""The ports below are root's, on most systems."""
TRIED = 50


class CannotListen(BilingualError):
    """The address can't be listened on. The text is one line that names the setting and says what to set."""


def listener(host: str, port: int) -> socket.socket:
    """A listening socket. Raises CannotListen."""
    try:
        return bind(host, port)
    except OSError as error:
        raise _refusal(host, port, error) from None


def bind(host: str, port: int) -> socket.socket:
    """A listening socket. Raises OSError."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    made = socket.socket(family, socket.SOCK_STREAM)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        made.bind((host, port))
        made.listen(BACKLOG)
    except OSError:
        made.close()
        raise
    made.setblocking(False)
    return made


def _refusal(host: str, port: int, error: OSError) -> CannotListen:
    where = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    if error.errno == errno.EADDRINUSE:
        other = _free_port(host, port)
        return CannotListen(
            f"{where} is used by another program. Stop that one, or choose another port: HAYATE_PORT={other}",
            f"{where}は別のプログラムに使用されています。そのプログラムを停止するか、"
            f"別のポートを指定してください: HAYATE_PORT={other}",
        )
    if error.errno == errno.EACCES and port < FIRST_FREE_PORT:
        other = _free_port(host, 8079)
        return CannotListen(
            f"Port {port} is for root alone. Choose one from {FIRST_FREE_PORT} on: HAYATE_PORT={other}",
            f"ポート{port}の使用にはroot権限が必要です。{FIRST_FREE_PORT}以上のポートを指定してください: HAYATE_PORT={other}",
        )
    if isinstance(error, socket.gaierror) or error.errno == errno.EADDRNOTAVAIL:
        ours = ", ".join(["127.0.0.1", *reachable_addresses(host)][:3])
        return CannotListen(
            f"HAYATE_HOST={host} is no address of this machine. Set one of these: {ours} (0.0.0.0 is all of them)",
            f"HAYATE_HOST={host}はこのマシンのアドレスではありません。次のいずれかを指定してください: {ours}（0.0.0.0ですべて）",
        )
    why = reason_of(error)
    return CannotListen(
        f"{where} can't be listened on: {why.en}. Set HAYATE_HOST and HAYATE_PORT to another address.",
        f"{where}で待ち受けできません（{why.ja}）。HAYATE_HOSTとHAYATE_PORTで別のアドレスを指定してください。",
    )


def _free_port(host: str, above: int) -> int:
    """The next port that could be had now."""
    for port in range(max(above + 1, FIRST_FREE_PORT), min(above + TRIED, 65536)):
        try:
            bind(host, port).close()
        except OSError:
            continue
        return port
    return 8081
