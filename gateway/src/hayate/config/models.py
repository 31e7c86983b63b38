"""The configuration: read once, validated whole, then frozen.

No file: `LLM_BACKEND`, `BACKEND_URL` and `MODEL` make one deployment behind the alias `default`. With a file
(`--config` or `HAYATE_CONFIG`), YAML with `${NAME}` and `${NAME:-fallback}` taken from the environment. Unknown keys are
refused and every mistake is named with its path and, for a file, its line. Secrets come from the environment only by habit:
`api_key: ${BACKEND_API_KEY}`. Blanks and line breaks around a value are nobody's intention and are taken off. What is accepted
here, starts.

The data folder, when it is not an absolute path: of a file, beside that file; of `HAYATE_DATA` or of neither, in the folder the
command runs in.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Self

import yaml
from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SecretStr,
    ValidationError,
    model_validator,
)

from hayate.config.addresses import base_url, listening_host
from hayate.config.environment import (
    DEFAULT_URLS,
    EMBEDDED,
    backend_name,
    from_env_alone,
    overlay,
    tidied,
    with_embedded,
)
from hayate.config.yaml_file import ConfigError, read_yaml, told
from hayate.telemetry.log_writer import QUEUE_BYTES
from hayate.wire.image_hosts import host_mistake

__all__ = ["DEFAULT_URLS", "EMBEDDED", "LOOPBACK", "Config", "ConfigError", "DeploymentConfig", "load_config"]

BackendName = Literal["vllm", "llamacpp", "openai", "sglang", "trtllm", "triton", "ollama"]
LOOPBACK = ("127.0.0.1", "localhost", "::1")


def _origin(value: object) -> object:
    """An engine's base URL without a trailing slash; `/v1` at the end is taken off, because paths carry it."""
    return base_url(value).removesuffix("/v1") if isinstance(value, str) else value


Origin = Annotated[str, BeforeValidator(_origin)]
Host = Annotated[str, AfterValidator(listening_host)]


def _image_host(entry: str) -> str:
    if mistake := host_mistake(entry):
        raise ValueError(mistake)
    return entry


def _probe_path(value: str) -> str:
    """A path of the engine's, or `none`."""
    if value != "none" and not (value.startswith("/") and value.isascii() and value.isprintable() and " " not in value):
        raise ValueError(f"{value!r} is neither a path of the engine's, such as /health, nor none")
    return value


class Section(BaseModel):
    """Every part of the configuration: frozen, and unknown keys are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class ServerConfig(Section):
    """Where the gateway listens and what it takes from a client's connection."""

    host: Host = "127.0.0.1"
    port: int = Field(default=8080, ge=0, le=65535)
    workers: int = Field(default=1, ge=1)
    max_connections: int = Field(default=8192, ge=1)
    max_header_bytes: int = Field(default=65536, ge=1024)
    max_header_lines: int = Field(default=256, ge=16)
    max_url_bytes: int = Field(default=262144, ge=1024)
    unfinished_heads_bytes: int = Field(default=64 * 1024 * 1024, ge=0)
    max_body_bytes: int = Field(default=10 * 1024 * 1024, ge=1024)
    max_json_weight_per_mib: int = Field(default=180_000, ge=10_000)
    header_timeout_s: float = Field(default=10.0, gt=0)
    body_timeout_s: float = Field(default=20.0, gt=0)
    body_min_bytes_per_s: int = Field(default=16384, ge=1)
    keep_alive_s: float = Field(default=75.0, gt=0)
    heartbeat_s: float = Field(default=15.0, gt=0)
    client_stall_s: float = Field(default=120.0, gt=0)
    half_close: Literal["cancel", "serve"] = "cancel"
    drain_s: float = Field(default=60.0, ge=0)
    log_queue_bytes: int = Field(default=QUEUE_BYTES, ge=65536)


class LimitsConfig(Section):
    """What one key may do; none of these is on unless set."""

    requests_per_minute: int | None = Field(default=None, ge=1)
    burst: int | None = Field(default=None, ge=1)


class SafetyConfig(Section):
    """Request fields that can hurt an engine: how far they may go."""

    max_n: int = Field(default=4, ge=1)
    max_output_tokens: int | None = Field(default=None, ge=1)
    max_media_bytes: int = Field(default=8 * 1024 * 1024, ge=0)
    allow_fields: tuple[str, ...] = ()
    image_hosts: tuple[Annotated[str, AfterValidator(_image_host)], ...] = ()


class TimeoutConfig(Section):
    """Limits of one attempt, in seconds. There is no total limit on a live stream unless `total_s` is set."""

    connect_s: float = Field(default=5.0, gt=0)
    first_byte_s: float = Field(default=300.0, gt=0)
    silence_s: float = Field(default=60.0, gt=0)
    total_s: float | None = Field(default=None, gt=0)
    whole_s: float | None = Field(default=None, gt=0)


class HealthConfig(Section):
    """When a replica is asked, thrown out and taken back."""

    probe_interval_s: float = Field(default=5.0, gt=0)
    probe_timeout_s: float = Field(default=2.0, gt=0)
    eject_after: int = Field(default=5, ge=1)
    eject_s: float = Field(default=30.0, gt=0)
    quiet_s: float = Field(default=30.0, gt=0)
    canary_s: float = Field(default=10.0, gt=0)


class DeploymentConfig(Section):
    """Interchangeable replicas of one model on one kind of engine."""

    backend: Annotated[BackendName, BeforeValidator(backend_name)]
    model: str | None = None
    replicas: tuple[Origin, ...] = Field(min_length=1)
    api_key: SecretStr | None = None
    max_in_flight: int = Field(default=4096, ge=1)
    max_queued: int = Field(default=512, ge=0)
    queue_timeout_s: float = Field(default=60.0, gt=0)
    context_tokens: int | None = Field(default=None, ge=1)
    probe: Annotated[str, AfterValidator(_probe_path)] | None = None
    canary: bool | None = None
    timeouts: TimeoutConfig = TimeoutConfig()
    options: Mapping[str, Any] = {}


class Config(Section):
    """Everything the gateway is told."""

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


def _mistakes(error: ValidationError, root: yaml.Node | None) -> Iterator[str]:
    found = error.errors(include_url=False)
    for each in found:
        if each["type"] == "too_short" and any(other["loc"][:-1] == each["loc"] for other in found):
            continue  # its items were refused, each by itself: that none is left is no mistake of its own
        where = tuple(part for part in each["loc"] if not (isinstance(part, str) and part.startswith("function-")))
        text = each["msg"].removeprefix("Value error, ")
        if each["type"] == "extra_forbidden":
            text = "is not an option; see config.example.yaml"
        named, colon, rest = text.partition(": ")
        if not where and colon and " " not in named:  # a check over several sections says itself where
            where, text = tuple(named.split(".")), rest
        yield told(root, where, text)


Check = Callable[["Config"], Iterable[tuple[tuple[int | str, ...], str]]]
"""Finds mistakes that the models can't see, each with its place; `serve.specs.option_mistakes` is one."""


def load_config(
    path: str | Path | None = None,
    env: Mapping[str, str] | None = None,
    *,
    embedded: Mapping[str, Any] | None = None,
    check: Check | None = None,
) -> Config:
    """The configuration from `path`, else `HAYATE_CONFIG`, else the environment alone. Raises ConfigError.

    `embedded` is the deployment of `hayate up`: it stands beside what a file names, and instead of what the environment does.
    """
    env = tidied(os.environ if env is None else env)
    path = path or env.get("HAYATE_CONFIG") or None
    source, root = "environment", None
    if path is None:
        values: Any = from_env_alone(env) if embedded is None else {}
    else:
        source = str(path)
        values, root = read_yaml(Path(path), env)
        if isinstance(values.get("data", "data"), str):
            values["data"] = Path(path).parent / values.get("data", "data")
    if embedded is not None:
        values = with_embedded(values, embedded)
    try:
        config = Config.model_validate(overlay(values, env))
    except ValidationError as error:
        raise ConfigError("\n".join(f"{source}: {mistake}" for mistake in _mistakes(error, root))) from None
    if check is not None and (found := [told(root, where, text) for where, text in check(config)]):
        raise ConfigError("\n".join(f"{source}: {mistake}" for mistake in found))
    return config
