"""What the configuration accepts: the settings with checks on top. Unknown keys are refused, and every value is frozen.

Secrets come from the environment only by habit: `api_key: ${BACKEND_API_KEY}`. What is accepted here, starts.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SecretStr,
    field_validator,
    model_validator,
)
from pydantic.dataclasses import dataclass

from hayate.config.addresses import base_url, listening_host
from hayate.config.environment import backend_name
from hayate.settings import Capacity, Listening, Probing, RateLimits, Safety, Timeouts
from hayate.wire.image_hosts import host_mistake
from hayate.wire.origins import origin

BackendName = Literal["vllm", "llamacpp", "openai", "sglang", "trtllm", "triton", "ollama"]
STRICT = ConfigDict(extra="forbid", allow_inf_nan=False)


def _origin(value: object) -> object:
    """An engine's base URL without a trailing slash; `/v1` at the end is taken off, because paths carry it."""
    return base_url(value).removesuffix("/v1") if isinstance(value, str) else value


Origin = Annotated[str, BeforeValidator(_origin)]


def _image_host(entry: str) -> str:
    if mistake := host_mistake(entry):
        raise ValueError(mistake)
    return entry


def _listed(value: object) -> object:
    """A list, also where it is written as one text with commas, as the environment has it."""
    return [part for part in value.split(",") if part.strip()] if isinstance(value, str) else value


def _probe_path(value: str) -> str:
    """A path of the engine's, or `none`."""
    if value != "none" and not (value.startswith("/") and value.isascii() and value.isprintable() and " " not in value):
        raise ValueError(f"{value!r} is neither a path of the engine's, such as /health, nor none")
    return value


@dataclass(frozen=True, kw_only=True, config=STRICT)
class ServerConfig(Listening):
    """`server`."""

    cors_origins: Annotated[tuple[Annotated[str, AfterValidator(origin)], ...], BeforeValidator(_listed)] = (
        Listening.cors_origins
    )

    @field_validator("host")
    @classmethod
    def _is_an_address(cls, host: str) -> str:
        return listening_host(host)


@dataclass(frozen=True, kw_only=True, config=STRICT)
class LimitsConfig(RateLimits):
    """`limits`."""


@dataclass(frozen=True, kw_only=True, config=STRICT)
class SafetyConfig(Safety):
    """`safety`."""

    image_hosts: tuple[Annotated[str, AfterValidator(_image_host)], ...] = Safety.image_hosts


@dataclass(frozen=True, kw_only=True, config=STRICT)
class TimeoutConfig(Timeouts):
    """`deployments.<name>.timeouts`."""


@dataclass(frozen=True, kw_only=True, config=STRICT)
class HealthConfig(Probing):
    """`health`."""


@dataclass(frozen=True, kw_only=True, config=STRICT)
class DeploymentConfig(Capacity):
    """`deployments.<name>`: interchangeable replicas of one model on one kind of engine."""

    backend: Annotated[BackendName, BeforeValidator(backend_name)]
    model: str | None = None
    replicas: Annotated[tuple[Origin, ...], Field(min_length=1)]
    api_key: SecretStr | None = None
    probe: Annotated[str, AfterValidator(_probe_path)] | None = None
    canary: bool | None = None
    timeouts: TimeoutConfig = TimeoutConfig()
    options: Mapping[str, Any] = Field(default_factory=dict)


class Config(BaseModel):
    """Everything the gateway is told."""

    model_config = ConfigDict(**STRICT, frozen=True)

    server: ServerConfig = ServerConfig()
    data: Path = Path("data")
    deployments: Mapping[str, DeploymentConfig] = Field(min_length=1)
    aliases: Mapping[str, tuple[str, ...]] = {}
    limits: LimitsConfig = LimitsConfig()
    safety: SafetyConfig = SafetyConfig()
    health: HealthConfig = HealthConfig()

    @model_validator(mode="before")
    @classmethod
    def _one_name_is_a_list_of_one(cls, values: Any) -> Any:
        if isinstance(values, dict) and isinstance(values.get("aliases"), dict):
            aliases = {k: (v,) if isinstance(v, str) else v for k, v in values["aliases"].items()}
            return {**values, "aliases": {name: _expanded(name, aliases) for name in aliases}}
        return values

    @model_validator(mode="after")
    def _names_point_somewhere(self) -> Self:
        for alias, targets in self.aliases.items():
            if lost := [name for name in targets if name not in self.deployments]:
                raise ValueError(
                    f"aliases.{alias}: no deployment named {', '.join(lost)}; there are {', '.join(self.deployments)}"
                )
            if not targets:
                raise ValueError(f"aliases.{alias}: names no deployment")
            if alias in self.deployments and targets != (alias,):
                raise ValueError(f"aliases.{alias}: a deployment has this name too; rename one of them")
        return self

    @model_validator(mode="after")
    def _one_worker(self) -> Self:
        if self.server.workers > 1:
            raise ValueError(
                "server.workers: more than one needs limits shared through Redis, which this version does not have; run one"
            )
        return self


def _expanded(name: str, aliases: Mapping[str, Any], through: tuple[str, ...] = ()) -> Any:
    """An alias's deployments, with aliases among its targets replaced by theirs. What is no list is left to the model."""
    targets = aliases[name]
    if name in through:
        raise ValueError(f"aliases.{through[0]}: goes in a circle: {' -> '.join((*through, name))}")
    if not isinstance(targets, list | tuple):
        return targets
    found: list[Any] = []
    for target in targets:
        names = isinstance(target, str) and target != name and target in aliases
        found += _expanded(target, aliases, (*through, name)) if names else [target]
    return tuple(dict.fromkeys(found)) if all(isinstance(each, str) for each in found) else tuple(found)
