"""Runs the gateway on uvicorn and uvloop: binds, serves, tells when it listens, drains."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import logging
import os
import signal
import socket
from collections.abc import Callable, Iterator, Mapping
from types import FrameType

import uvicorn
import uvloop

from hayate.access.key_files import MAIN, KeyFileError, ensure_keys
from hayate.config.load import load_config
from hayate.config.models import Config
from hayate.downstream.head import Crowd
from hayate.downstream.protocol import ClientProtocol
from hayate.errors import RefusedConfig
from hayate.serve.app import Hayate, create_app
from hayate.serve.whereabouts import Presence, runtime_folder
from hayate.telemetry.log import log_event
from hayate.telemetry.log_writer import take_standard_streams, write_error


class _Server(uvicorn.Server):
    """uvicorn's server, telling when it listens."""

    def __init__(
        self,
        config: uvicorn.Config,
        app: Hayate,
        announce: Callable[[str], None] | None,
        leave_word: Callable[[str], None],
    ) -> None:
        super().__init__(config)
        self._leave_word = leave_word
        self._app = app
        self._announce = announce
        self._reloads: set[asyncio.Task[None]] = set()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Listens, then says where: to `announce`, or in the log."""
        await super().startup(sockets)
        # What has been loaded stays: the collector need not walk it again and again, in pauses that every stream would feel.
        gc.collect()
        gc.freeze()
        host, port = self.servers[0].sockets[0].getsockname()[:2]
        url = f"http://{f'[{host}]' if ':' in host else host}:{port}"
        self._leave_word(url)
        if self._announce is not None:
            self._announce(url)
        else:
            log_event("listening", url=url)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """A second signal ends the waiting, not the cleaning up: uvicorn would leave the lifespan to die with the loop."""
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
        self.should_exit = True


def _has_terminal() -> bool:
    """Whether this process belongs to a terminal that is still there."""
    try:
        os.close(os.open("/dev/tty", os.O_RDONLY | os.O_NOCTTY))
    except OSError:
        return False
    return True


def bind(host: str, port: int) -> socket.socket:
    """A listening socket, bound before anything else is started. Raises OSError, in one line, when the port is taken."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
        listener.listen(2048)
    except OSError:
        listener.close()
        raise
    listener.setblocking(False)
    return listener


async def serve(
    config: Config,
    *,
    sockets: list[socket.socket] | None = None,
    announce: Callable[[str], None] | None = None,
    load: Callable[[], Config] = load_config,
    env: Mapping[str, str] = os.environ,
) -> None:
    """Runs the gateway until SIGTERM or SIGINT, then drains: no new calls, running streams end within `server.drain_s`.

    SIGHUP applies what `load` then returns, if it is valid.
    """
    limits = config.server
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
    server = _Server(settings, app, announce, lambda url: presence.tell(url, config.data))
    listeners = sockets or [bind(limits.host, limits.port)]
    try:
        await server.serve(listeners)
    finally:
        presence.forget()
        for listener in listeners:
            listener.close()


class _NotTheEndOfADrain(logging.Filter):
    """A call that is cancelled when the drain's time is over has been told so: no traceback for each."""

    def filter(self, record: logging.LogRecord) -> bool:
        return not (record.exc_info and record.exc_info[0] is asyncio.CancelledError)


def quiet_libraries() -> None:
    """Libraries speak on standard error, and only of faults: a stranger's broken request is not one. Nobody waits for a reader."""
    take_standard_streams()
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(name)s: %(message)s")
    logging.getLogger("uvicorn.error").setLevel(logging.ERROR)
    logging.getLogger("uvicorn.error").addFilter(_NotTheEndOfADrain())


def run(config: Config, load: Callable[[], Config] = load_config, env: Mapping[str, str] = os.environ) -> None:
    """`hayate serve`. `load` reads the configuration again. Raises KeyFileError.

    The port is held before a key is made: a gateway that can't start leaves nothing behind.
    """
    try:
        listener = bind(config.server.host, config.server.port)
    except OSError as error:
        where = f"{config.server.host}:{config.server.port}"
        write_error(f"{where} can't be listened on: {error.strerror}. Does another program use it? Set HAYATE_PORT.\n")
        raise SystemExit(1) from None
    try:
        _, newly_made = ensure_keys(config.data, env)
    except KeyFileError:
        listener.close()
        raise
    if newly_made:
        log_event("key_made", file=str((config.data / MAIN.file).resolve()))
    uvloop.run(serve(config, sockets=[listener], load=load, env=env))
