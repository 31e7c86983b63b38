"""Runs the gateway on uvicorn and uvloop: serves, tells when it listens and when it ends, drains."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
import socket
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from types import FrameType
from typing import Final
from urllib.parse import urlsplit

import uvicorn
import uvloop

from hayate.access.key_files import MAIN, KeyFileError
from hayate.config.load import load_config
from hayate.config.models import Config
from hayate.downstream.head import Crowd
from hayate.downstream.protocol import ClientProtocol
from hayate.errors import RefusedConfig
from hayate.language import terminal_language
from hayate.serve.app import Hayate, create_app
from hayate.serve.data_folder import make_folder
from hayate.serve.interfaces import WILDCARDS, reachable_at
from hayate.serve.listening import CannotListen, listener
from hayate.serve.whereabouts import Presence, runtime_folder
from hayate.store.sqlite import StoreRefused
from hayate.telemetry.library_lines import hear_libraries
from hayate.telemetry.log import log_event, set_log_form
from hayate.telemetry.log_writer import take_standard_streams, write_error

TOLD_AT_ONCE: Final = 32
"""How many connections are told of the end in a turn of the event loop."""


@dataclass(frozen=True, slots=True)
class Notices:
    """What is told of the start, with the URL, and of the end's beginning. Neither may wait for who reads it."""

    listening: Callable[[str], None]
    stopping: Callable[[], None]


def _tell_where(url: str) -> None:
    """With the addresses for other machines, where all of this one's are listened on."""
    host = urlsplit(url).hostname or ""
    log_event("listening", url=url, **({"reachable_at": reachable_at(url)} if host in WILDCARDS else {}))


IN_THE_LOG = Notices(listening=_tell_where, stopping=lambda: log_event("stopping"))


class _Server(uvicorn.Server):
    """uvicorn's server, telling when it listens and when it is to stop."""

    def __init__(
        self, config: uvicorn.Config, app: Hayate, notices: Notices, leave_word: Callable[[str], None]
    ) -> None:
        super().__init__(config)
        self._leave_word = leave_word
        self._app = app
        self._notices = notices
        self._reloads: set[asyncio.Task[None]] = set()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Listens, and then says where that is."""
        await super().startup(sockets)
        self._app.state.sweeper.start()
        host, port = self.servers[0].sockets[0].getsockname()[:2]
        url = f"http://{f'[{host}]' if ':' in host else host}:{port}"
        self._leave_word(url)
        self._notices.listening(url)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """A second signal ends the waiting, not the cleaning up: uvicorn would leave the lifespan to die with the loop.

        Nor would it let anybody else have a turn until every connection has been told.
        """
        self._app.state.ending.set()
        for server in self.servers:
            server.close()
        for number, connection in enumerate(list(self.server_state.connections)):
            connection.shutdown()
            if number % TOLD_AT_ONCE == 0:
                await asyncio.sleep(0)
        await super().shutdown(sockets)
        if self.force_exit:
            await self.lifespan.shutdown()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """SIGTERM and SIGINT start the drain, a second one ends it; SIGHUP reloads. A proper end is exit status 0.

        A terminal that closes sends SIGHUP too: the gateway that was started in it goes with it.
        """
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self.handle_exit, number, None)
        had_terminal = _has_terminal()

        def hung_up() -> None:
            if had_terminal and not _has_terminal():
                self.handle_exit(signal.SIGHUP, None)
            else:
                self._reload()

        loop.add_signal_handler(signal.SIGHUP, hung_up)
        try:
            yield
        finally:
            for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
                loop.remove_signal_handler(number)

    def _reload(self) -> None:
        """SIGHUP: a refused file has been told in the log."""

        async def reload() -> None:
            with contextlib.suppress(RefusedConfig):
                await self._app.state.reload()

        task = asyncio.get_running_loop().create_task(reload())
        self._reloads.add(task)
        task.add_done_callback(self._reloads.discard)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """The first signal drains; any further one stops waiting."""
        if self.should_exit:
            self.force_exit = True
        else:
            self._notices.stopping()
        self.should_exit = True


def _has_terminal() -> bool:
    """Whether this process belongs to a terminal that is still there."""
    try:
        os.close(os.open("/dev/tty", os.O_RDONLY | os.O_NOCTTY))
    except OSError:
        return False
    return True


async def serve(
    config: Config,
    *,
    sockets: list[socket.socket] | None = None,
    notices: Notices = IN_THE_LOG,
    load: Callable[[], Config] = load_config,
    env: Mapping[str, str] = os.environ,
) -> None:
    """Runs the gateway until SIGTERM or SIGINT, then drains: no new calls, running streams end within `server.drain_s`.

    SIGHUP applies what `load` then returns, if it is valid.
    """
    limits = config.server
    set_log_form(limits.log, env)
    app = create_app(config, load, env)
    # A class for each server: uvicorn makes a protocol for each connection, and has no way to hand it anything of ours.
    shared = {"limits": limits, "hot": app.hot, "origins": app.origins}
    shared["crowd"] = Crowd(limits.unfinished_heads_bytes)
    protocol = type("Protocol", (ClientProtocol,), {"__slots__": (), **shared})
    settings = uvicorn.Config(
        app,
        http=protocol,
        ws="none",
        lifespan="on",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        backlog=2048,
        timeout_keep_alive=int(limits.keep_alive_s),
        timeout_graceful_shutdown=max(1, round(limits.drain_s)),
    )
    presence = Presence(runtime_folder(env))
    server = _Server(settings, app, notices, lambda url: presence.tell(url, config.data))
    listeners = sockets or [listener(limits.host, limits.port)]
    try:
        await server.serve(listeners)
    finally:
        presence.forget()
        for each in listeners:
            each.close()


class _NotTheEndOfADrain(logging.Filter):
    """A call that is cancelled when the drain's time is over has been told so: no traceback for each, and no count of them."""

    def filter(self, record: logging.LogRecord) -> bool:
        cancelled = record.exc_info is not None and record.exc_info[0] is asyncio.CancelledError
        return not cancelled and not str(record.msg).startswith("Cancel ")


def quiet_libraries() -> None:
    """Libraries speak on standard error, and only of faults: a stranger's broken request is not one. Nobody waits for a reader."""
    take_standard_streams()
    hear_libraries()
    logging.getLogger("uvicorn.error").setLevel(logging.ERROR)
    logging.getLogger("uvicorn.error").addFilter(_NotTheEndOfADrain())


def run(config: Config, load: Callable[[], Config] = load_config, env: Mapping[str, str] = os.environ) -> None:
    """`hayate serve`. `load` reads the configuration again. Raises KeyFileError, StoreRefused.

    The port is held before anything is made: a gateway that can't start leaves nothing behind.
    """
    set_log_form(config.server.log, env)
    try:
        held = listener(config.server.host, config.server.port)
    except CannotListen as error:
        write_error(error.text(terminal_language(env)) + "\n")
        raise SystemExit(1) from None
    try:
        _, newly_made = make_folder(config, env)
    except (KeyFileError, StoreRefused):
        held.close()
        raise
    if newly_made:
        log_event("key_made", file=str((config.data / MAIN.file).resolve()))
    uvloop.run(serve(config, sockets=[held], load=load, env=env))
    log_event("stopped")
