"""From the configuration to what runs: tables, limits, and how a changed file replaces them while calls are under way.

A reload is validated whole before anything changes; then the tables are swapped between two callbacks of the event
loop, so no call ever sees half of it. Calls under way keep the deployment, replica and adapter they started with.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Callable, Mapping
from dataclasses import fields

from hayate.api.gateway import CallSettings, Configured, Gateway, LastReload, Reloaded
from hayate.config.addresses import is_loopback
from hayate.config.deprecated import deprecated
from hayate.config.mistakes import ConfigError
from hayate.config.models import Config
from hayate.config.shown import shown
from hayate.config.turns import preloaded
from hayate.engines.ports import Ports
from hayate.errors import RefusedConfig
from hayate.fleet.spec import DeploymentSpec
from hayate.relay.ticker import MIN_TICK_S, TICK_S
from hayate.serve.keys import Keys
from hayate.serve.specs import specs
from hayate.settings import RateLimits
from hayate.store.costs import Prices
from hayate.telemetry.log import log_event, set_log_form
from hayate.telemetry.log_writer import set_queue_bytes
from hayate.wire.caps import Caps
from hayate.wire.image_hosts import ImageHosts

RESTART_ONLY = (
    "host",
    "port",
    "workers",
    "max_connections",
    "max_header_bytes",
    "max_header_lines",
    "max_url_bytes",
    "unfinished_heads_bytes",
    "header_timeout_s",
    "body_timeout_s",
    "body_min_bytes_per_s",
    "keep_alive_s",
    "drain_s",
)
"""What the listening side took when it started."""


def call_settings(config: Config, host: str | None = None) -> CallSettings:
    """What calls read of the configuration, put as they read it: sets to look things up in. `host` is listened on, whatever is
    configured by now.
    """
    safety, server = config.safety, config.server
    return CallSettings(
        caps=Caps(
            safety.max_n,
            safety.max_output_tokens,
            safety.max_media_bytes,
            frozenset(safety.allow_fields),
            ImageHosts(safety.image_hosts),
            server.max_json_weight_per_mib,
        ),
        max_body_bytes=server.max_body_bytes,
        heartbeat_s=server.heartbeat_s,
        client_stall_s=server.client_stall_s,
        limits=_plain(config.limits),
        model_limits={name: _plain(each) for name, each in config.limits.models.items()},
        recording=config.record,
        history=config.history,
        prices=Prices(config.prices, config.currency),
        serves_half_closed=server.half_close == "serve",
        openapi=is_loopback(host or server.host) if server.openapi is None else server.openapi,
        operator_over_http=server.operator_over_http,
    )


def _plain(limits: RateLimits) -> RateLimits:
    """Limits alone: they are compared with a key's own, which are of no section of a file."""
    return RateLimits(**{each.name: getattr(limits, each.name) for each in fields(RateLimits)})


def configure(gateway: Gateway, config: Config, host: str) -> None:
    """The settings that may change while the gateway runs."""
    gateway.settings = call_settings(config, host)
    gateway.origins.allow(config.server.cors_origins)
    gateway.ticker.tick_s = tick_s(config)
    gateway.store.configure(config.store, config.history)
    gateway.history.configure(config.history)
    gateway.engines.configure(config.gpus, preloaded(config))
    gateway.metrics.engines.residents = gateway.engines.residents
    set_queue_bytes(config.server.log_queue_bytes)
    set_log_form(config.server.log)


def tick_s(config: Config) -> float:
    """How often streams are looked at, in seconds: no limit's end is noticed later than an eighth of the shortest one."""
    # A probe that times out asks whether streams went on meanwhile: eight looks a second are not needed for that, two are.
    limits_s = [
        config.server.heartbeat_s,
        config.server.client_stall_s,
        config.health.probe_timeout_s * 4,
        config.health.quiet_s,
    ]
    for each in config.deployments.values():
        limits_s += [each.timeouts.first_byte_s, each.timeouts.silence_s, each.timeouts.total_s or math.inf]
    return max(MIN_TICK_S, min(TICK_S, *(limit_s / 8 for limit_s in limits_s)))


def _only_by_restart(old: Config, new: Config) -> tuple[str, ...]:
    """What has changed that is read at the start alone."""
    found = [f"server.{each}" for each in RESTART_ONLY if getattr(old.server, each) != getattr(new.server, each)]
    found += [each for each in ("data", "health") if getattr(old, each) != getattr(new, each)]
    found += ["store.file"] if old.store.file != new.store.file else []
    return tuple(found)


class Reloader:
    """Applies the configuration to the gateway, and then each changed file, one change at a time. `load` reads and validates it."""

    def __init__(
        self,
        gateway: Gateway,
        config: Config,
        load: Callable[[], Config],
        keys: Keys,
        ports: Ports,
        env: Mapping[str, str],
    ) -> None:
        self._env = env
        self._gateway = gateway
        self._keys = keys
        self._ports = ports
        self._config = self._started_with = config
        self._last: LastReload | None = None
        self._host = config.server.host
        self._load = load
        self._busy = asyncio.Lock()
        gateway.configured = self.configured
        self._configure(config)

    async def reload(self) -> Reloaded:
        """Reads, validates, swaps. Raises RefusedConfig, with the old configuration still serving."""
        async with self._busy:
            try:
                config, tables = await asyncio.to_thread(self._read)
            except ConfigError as error:
                log_event("reload_refused", reason=error.texts)
                self._last = LastReload(time.time(), None, error.texts)
                raise RefusedConfig(
                    f"The configuration has mistakes, and the old one still serves:\n{error.english}",
                    f"設定に誤りがあるため、元の設定のまま動作しています。\n{error.japanese}",
                ) from None
            fleet = self._gateway.relay.fleet
            fleet.apply(tables, config.aliases)
            self._configure(config)
            self._config = config
            restart = _only_by_restart(self._started_with, config)
            done = Reloaded(tuple(config.deployments), fleet.aliases, restart)
            log_event("reloaded", deployments=done.deployments, aliases=done.aliases, restart_needed=restart)
            self._last = LastReload(time.time(), done, None)
            return done

    def configured(self) -> Configured:
        """What holds now, and what has become of the last reload."""
        config = self._config
        settings = [each.as_json() for each in shown(config, self._env)]
        return Configured(settings, _only_by_restart(self._started_with, config), self._last)

    def _configure(self, config: Config) -> None:
        configure(self._gateway, config, self._host)
        self._keys.configure(config.keys)
        if config.record.content:
            log_event("content_is_kept", keys=tuple(config.record.content))
        for each in deprecated(config):
            log_event("setting_deprecated", setting=".".join(map(str, each.where)), why=each.text)

    def _read(self) -> tuple[Config, list[DeploymentSpec]]:
        """File and tokenizers are read off the loop: streams must not wait for a disk."""
        config = self._load()
        return config, specs(config, self._ports)
