"""`hayate up`: the gateway with llama.cpp's own server behind it, from one command.

The order, so that what can fail cheaply fails first: (1) the configuration, (2) the port, held from here on, (3) the
key and the store, (4) the weights, (5) memory, (6) the child, (7) the gateway, and at the end the child again.
"""

from __future__ import annotations

import dataclasses
import os
import secrets
import socket
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import uvloop

from hayate.access.key_files import MAIN, out_of_reach
from hayate.config.environment import EMBEDDED
from hayate.config.load import load_config
from hayate.config.models import Config
from hayate.engines.llamacpp import LlamaCpp
from hayate.engines.ports import NoPort, Ports
from hayate.language import Text, terminal_language
from hayate.serve.data_folder import make_folder
from hayate.serve.interfaces import reachable_at
from hayate.serve.listening import CannotListen, listener
from hayate.serve.server import Notices, serve
from hayate.serve.specs import option_mistakes
from hayate.tools.embedded.announcement import KeyNews, Place, announcement
from hayate.tools.embedded.fit import context_of, need_of, require_memory
from hayate.tools.embedded.machine import available_memory_bytes
from hayate.tools.embedded.options import UpOptions
from hayate.tools.embedded.refusals import AddressRefused, CannotStart, DataRefused, EngineFailed
from hayate.tools.embedded.spare_gpu import spare_gpu
from hayate.tools.embedded.speaker import Speaker
from hayate.tools.embedded.supervisor import Supervisor
from hayate.tools.embedded.weights import Weights, find_weights

LOG_FILE = "engine.log"
DRAIN_S = 1.0
PROBE_INTERVAL_S = 1.0
"""The child is on this machine: asking it often costs nothing, and readiness is prompt."""
INTERRUPTED = 130


def run_up(options: UpOptions, env: Mapping[str, str]) -> int:
    """Runs until told to stop; the exit status. Raises ConfigError, KeyFileError, StoreRefused."""
    say = Speaker(terminal_language(env))
    status = 0
    try:
        _up(options, env, say)
    except CannotStart as error:
        say(error.english, error.japanese)
        return 1
    except KeyboardInterrupt:
        status = INTERRUPTED
    say.over_the_keys("Stopped.", "停止しました。")
    return status


def _up(options: UpOptions, env: Mapping[str, str], say: Speaker) -> None:
    require_installed()
    port, engine_key = free_port(), secrets.token_urlsafe(32)
    config = configuration(options, env, port, engine_key)  # (1)
    held = _listener(config)  # (2)
    try:
        news = _key_news(config, env)  # (3)
        weights = find_weights((options.model or env.get("MODEL") or "").strip() or None, say)  # (4)
        context_tokens = context_of(weights, options.context_tokens)
        if options.memory_check:  # (5)
            require_memory(weights, need_of(weights, context_tokens, options.slots), available_memory_bytes())
        settings = LlamaCpp(
            model=str(weights.path),
            served_model=weights.served_model,
            port=port,
            key=engine_key,
            context_tokens=context_tokens,
            slots=options.slots,
            threads=options.threads,
            is_verbose=options.show_engine,
        )
        gpu = spare_gpu()
        say(f"Starting llama.cpp with {weights.path}", f"llama.cppを起動しています: {weights.path}")
        supervisor = Supervisor(settings, None if options.show_engine else _log_file(config.data), say)

        def load() -> Config:
            return _filled(configuration(options, env, port, engine_key), weights, context_tokens)

        serving = partial(
            serve,
            load(),
            sockets=[held],
            notices=Notices(
                listening=lambda url: _announce(url, settings, news, say, gpu),
                stopping=lambda: say.over_the_keys(
                    "Stopping. (Ctrl-C again: at once)", "停止しています（もう一度Ctrl-Cで即時終了）。"
                ),
            ),
            load=load,
            env=env,
        )
        uvloop.run(_run(serving, supervisor))
    finally:
        held.close()


async def _run(serving: Callable[[], Awaitable[None]], supervisor: Supervisor) -> None:
    try:
        await supervisor.start()  # (6)
        await serving()  # (7)
    finally:
        await supervisor.stop()


def _key_news(config: Config, env: Mapping[str, str]) -> KeyNews:
    """The callers' key, made now if there is none. Raises KeyFileError, StoreRefused."""
    key, newly_made = make_folder(config, env)
    given = env.get(MAIN.variable, "").strip()
    return KeyNews(key, newly_made, None if given else (config.data / MAIN.file).resolve())


def configuration(options: UpOptions, env: Mapping[str, str], port: int, engine_key: str) -> Config:
    """The file's or the environment's settings with the child as a deployment. Raises ConfigError.

    Unless set, the drain is short, so that Ctrl-C ends everything at once, and the probe is quick.
    """
    deployment: dict[str, Any] = {
        "backend": "llamacpp",
        "replicas": [f"http://127.0.0.1:{port}"],
        "api_key": engine_key,
        "max_in_flight": options.slots,
    }
    defaults = {"server": {"drain_s": DRAIN_S}, "health": {"probe_interval_s": PROBE_INTERVAL_S}}
    return load_config(options.config, env, embedded=deployment, defaults=defaults, check=option_mistakes)


def _filled(config: Config, weights: Weights, context_tokens: int) -> Config:
    """With what is known once the weights are there."""
    embedded = dataclasses.replace(
        config.deployments[EMBEDDED], model=weights.served_model, context_tokens=context_tokens
    )
    return config.model_copy(update={"deployments": {**config.deployments, EMBEDDED: embedded}})


def _listener(config: Config) -> socket.socket:
    try:
        return listener(config.server.host, config.server.port)
    except CannotListen as error:
        raise AddressRefused(error.english, error.japanese) from None


def _log_file(data: Path) -> Path:
    """An empty file for the engine's output, for our eyes only. Raises DataRefused."""
    path = data / LOG_FILE
    try:
        data.mkdir(parents=True, exist_ok=True)
        path.unlink(missing_ok=True)
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
    except OSError as error:
        told = out_of_reach(path, error)
        raise DataRefused(told.english, told.japanese) from None
    return path


def free_port() -> int:
    """A port for the child. Should another program take it before the child does, that is said."""
    try:
        return Ports().of(EMBEDDED)
    except NoPort as error:
        raise AddressRefused(f"{error.english}.", f"{error.japanese}。") from None


def require_installed(names: Iterable[str] = ("xllamacpp", "huggingface_hub")) -> None:
    """The engine's packages are an extra of ours. Raises EngineFailed."""
    if missing := [name for name in names if find_spec(name) is None]:
        raise EngineFailed(
            f"The embedded engine is not installed ({', '.join(missing)}): use `make run`, or `make setup` first.",
            f"内蔵エンジンがインストールされていません（{', '.join(missing)}）。"
            "`make run`で起動するか、先に`make setup`を実行してください。",
        )


def _announce(url: str, settings: LlamaCpp, news: KeyNews, say: Speaker, gpu: Sequence[Text]) -> None:
    name, tokens, slots = settings.served_model, settings.context_tokens, settings.slots
    model = Text(f"{name}, {tokens} tokens × {slots}", f"{name}（{tokens}トークン × {slots}）")
    say(f"Hayate is ready: {url}", f"疾風 Hayateの準備ができました: {url}")
    say.write(announcement(Place(url, reachable_at(url)), model, news, say.language, gpu))
