"""From the configuration's deployments to what the fleet is made of: each with its adapter."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.util import find_spec
from shutil import which

from hayate.backends.base import Backend
from hayate.backends.options import OptionError
from hayate.backends.registry import Wanted, check_options, make_backend, unread_source
from hayate.config.deployment import DeploymentConfig
from hayate.config.mistakes import ConfigError
from hayate.config.models import Config
from hayate.config.turns import takes_turns
from hayate.engines.ports import HOST, NoPort, Ports
from hayate.fleet.spec import DeploymentSpec
from hayate.language import Text
from hayate.settings import LLAMACPP


def specs(config: Config, ports: Ports) -> list[DeploymentSpec]:
    """The deployments with their adapters made, and an address for each engine that is run here: on a reload the one that it had.
    Raises ConfigError for an option that an adapter does not have.
    """
    return [_spec(config, name, each, ports) for name, each in config.deployments.items()]


def option_mistakes(config: Config) -> Iterator[tuple[tuple[str, ...], Text]]:
    """Every option that its adapter would refuse: where it stands and what is wrong with it. Loads nothing."""
    for name, each in config.deployments.items():
        for error in check_options(_wanted(config, each)):
            yield ("deployments", name, "options", error.key), error.texts


def start_mistakes(config: Config) -> Iterator[tuple[tuple[str, ...], Text]]:
    """As `option_mistakes`, and what only making the adapters shows; asks nobody beyond this machine."""
    found = list(option_mistakes(config))
    yield from found
    wrong = {where[1] for where, _ in found}
    for name, each in config.deployments.items():
        if name not in wrong and unread_source(_wanted(config, each)) is None:
            try:
                make_backend(_wanted(config, each))
            except OptionError as error:
                yield ("deployments", name, "options", error.key), error.texts


def left_for_the_start(config: Config) -> Iterator[Text]:
    """What can't be known before the gateway starts, because others have to be asked."""
    for name, each in config.deployments.items():
        if (source := unread_source(_wanted(config, each))) is not None:
            yield Text(
                f"deployments.{name}: the tokenizer {source} comes from the Hub, or its cache here; "
                f"whether it can be had is seen at the start",
                f"deployments.{name}: トークナイザー{source}はHub（またはキャッシュ）から取得します。"
                f"取得できるかどうかは起動時に分かります",
            )


def not_here(config: Config) -> Iterator[Text]:
    """Engines that are to be run and are not on this machine, which may not be the one that they are to be run on."""
    for name, each in config.deployments.items():
        if each.run is None:
            continue
        program = "xllamacpp" if each.run == LLAMACPP else each.run.command[0]
        if (find_spec(program) if each.run == LLAMACPP else which(program)) is None:
            yield Text(
                f"deployments.{name}.run: {program} is not on this machine, where it would have to be to be run",
                f"deployments.{name}.run: {program}がこのマシンに見つかりません。起動するマシンには必要です",
            )


def _wanted(config: Config, each: DeploymentConfig) -> Wanted:
    told = takes_turns(config, each) and each.run is None
    return Wanted(each.backend, each.model, each.context_tokens, each.options, told)


def _backend(config: Config, name: str, each: DeploymentConfig) -> Backend:
    try:
        return make_backend(_wanted(config, each))
    except OptionError as error:
        where = f"deployments.{name}.options.{error.key}"
        raise ConfigError(f"{where}: {error.english}", f"{where}: {error.japanese}") from None


def _replicas(name: str, each: DeploymentConfig, ports: Ports) -> tuple[str, ...]:
    if each.run is None:
        return each.replicas
    try:
        return (f"http://{HOST}:{ports.of(name)}",)
    except NoPort:
        raise ConfigError(
            f"deployments.{name}.run: no port is free for it on {HOST}",
            f"deployments.{name}.run: {HOST}に、エンジン用の空きポートがありません",
        ) from None


def _credentials(name: str, each: DeploymentConfig, ports: Ports) -> tuple[tuple[bytes, bytes], ...]:
    """What is sent with every request. llama.cpp that is run here always has a key: others on this machine could ask it, too."""
    key = each.api_key.get_secret_value() if each.api_key else ports.key(name) if each.run == LLAMACPP else ""
    return ((b"authorization", f"Bearer {key}".encode()),) if key else ()


def _spec(config: Config, name: str, each: DeploymentConfig, ports: Ports) -> DeploymentSpec:
    return DeploymentSpec(
        name=name,
        backend=_backend(config, name, each),
        model=each.model,
        replicas=_replicas(name, each, ports),
        credentials=_credentials(name, each, ports),
        max_in_flight=each.max_in_flight,
        min_tokens_per_s=each.min_tokens_per_s,
        max_queued=each.max_queued,
        queue_timeout_s=each.queue_timeout_s,
        gpu=each.gpu,
        memory=each.memory,
        pin=each.pin,
        idle_unload_s=each.idle_unload_s,
        load_timeout_s=each.load_timeout_s,
        context_tokens=each.context_tokens,
        images=each.images,
        probe=each.probe,
        canary=each.canary,
        run=each.run,
        timeouts=each.timeouts,
    )
