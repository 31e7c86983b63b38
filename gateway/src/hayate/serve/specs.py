"""From the configuration's deployments to what the fleet is made of: each with its adapter."""

from __future__ import annotations

from collections.abc import Iterator

from hayate.backends.base import Backend
from hayate.backends.options import OptionError
from hayate.backends.registry import Wanted, check_options, make_backend
from hayate.config.models import Config, DeploymentConfig
from hayate.config.yaml_file import ConfigError
from hayate.fleet.spec import DeploymentSpec


def specs(config: Config) -> list[DeploymentSpec]:
    """The deployments with their adapters made. Raises ConfigError for an option that an adapter does not have."""
    return [_spec(name, each) for name, each in config.deployments.items()]


def option_mistakes(config: Config) -> Iterator[tuple[tuple[str, ...], str]]:
    """Every option that its adapter would refuse: where it stands and what is wrong with it. Loads nothing."""
    for name, each in config.deployments.items():
        try:
            check_options(_wanted(each))
        except OptionError as error:
            yield ("deployments", name, "options", error.key), str(error)


def _wanted(each: DeploymentConfig) -> Wanted:
    return Wanted(each.backend, each.model, each.context_tokens, each.options)


def _backend(name: str, each: DeploymentConfig) -> Backend:
    try:
        return make_backend(_wanted(each))
    except OptionError as error:
        raise ConfigError(f"deployments.{name}.options.{error.key}: {error}") from None


def _spec(name: str, each: DeploymentConfig) -> DeploymentSpec:
    credentials = ((b"authorization", b"Bearer " + each.api_key.get_secret_value().encode()),) if each.api_key else ()
    return DeploymentSpec(
        name=name,
        backend=_backend(name, each),
        model=each.model,
        replicas=each.replicas,
        credentials=credentials,
        max_in_flight=each.max_in_flight,
        max_queued=each.max_queued,
        queue_timeout_s=each.queue_timeout_s,
        context_tokens=each.context_tokens,
        probe=each.probe,
        canary=each.canary,
        timeouts=each.timeouts,
    )
