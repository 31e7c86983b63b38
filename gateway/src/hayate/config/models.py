"""What the configuration accepts: the settings with checks on top. Unknown keys are refused, and every value is frozen.

Secrets come from the environment only by habit: `api_key: ${BACKEND_API_KEY}`. What is accepted here, starts.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PrivateAttr,
    field_validator,
    model_validator,
)
from pydantic.dataclasses import dataclass

from hayate.config.addresses import listening_host
from hayate.config.aliases import expanded
from hayate.config.deployment import DeploymentConfig
from hayate.config.mistakes import Told
from hayate.config.running import GpuConfig
from hayate.config.values import STRICT, currency_name, gpu_name, image_host, key_id, listed, page_origin
from hayate.settings import (
    DefaultLimits,
    Following,
    History,
    Keeping,
    KeptContent,
    Listening,
    Price,
    Probing,
    RateLimits,
    Recording,
    Safety,
)

SECTIONS = (
    *("server", "gpus", "preload", "aliases", "limits", "safety"),
    *("health", "store", "keys", "prices", "record", "history"),
)
PRICE_DECIMALS = 12
INNER_SECTIONS = ("timeouts", "options", "models", "content")


@dataclass(frozen=True, kw_only=True, config=STRICT)
class ServerConfig(Listening):
    """`server`."""

    cors_origins: Annotated[tuple[Annotated[str, AfterValidator(page_origin)], ...], BeforeValidator(listed)] = (
        Listening.cors_origins
    )

    @field_validator("host")
    @classmethod
    def _is_an_address(cls, host: str) -> str:
        return listening_host(host)

    @field_validator("workers")
    @classmethod
    def _one_worker(cls, workers: int) -> int:
        if workers > 1:
            raise Told(
                "more than one needs limits shared through Redis, which this version does not have; write 1",
                "2以上にするにはRedisで制限を共有する必要がありますが、このバージョンにはその機能がありません。1にしてください",
            )
        return workers


@dataclass(frozen=True, kw_only=True, config=STRICT)
class ModelLimitsConfig(RateLimits):
    """`limits.models.<name>`."""


@dataclass(frozen=True, kw_only=True, config=STRICT)
class LimitsConfig(DefaultLimits):
    """`limits`."""

    models: Mapping[str, ModelLimitsConfig] = Field(default_factory=dict)


@dataclass(frozen=True, kw_only=True, config=STRICT)
class SafetyConfig(Safety):
    """`safety`."""

    allow_fields: Annotated[tuple[str, ...], BeforeValidator(listed)] = Safety.allow_fields
    image_hosts: Annotated[tuple[Annotated[str, AfterValidator(image_host)], ...], BeforeValidator(listed)] = (
        Safety.image_hosts
    )


@dataclass(frozen=True, kw_only=True, config=STRICT)
class HealthConfig(Probing):
    """`health`."""


@dataclass(frozen=True, kw_only=True, config=STRICT)
class StoreConfig(Keeping):
    """`store`."""

    @field_validator("file")
    @classmethod
    def _is_a_file(cls, file: str) -> str:
        if not file or file.endswith("/") or Path(file).name in ("", ".."):
            raise Told(
                f"{file[:80]!r} names no file; write one such as {Keeping.file}",
                f"{file[:80]!r}はファイル名ではありません。{Keeping.file}のように書いてください",
            )
        return file


@dataclass(frozen=True, kw_only=True, config=STRICT)
class KeysConfig(Following):
    """`keys`."""


@dataclass(frozen=True, kw_only=True, config=STRICT)
class KeptContentConfig(KeptContent):
    """`record.content.<id>`."""


@dataclass(frozen=True, kw_only=True, config=STRICT)
class RecordConfig(Recording):
    """`record`."""

    content: Mapping[Annotated[str, AfterValidator(key_id)], KeptContentConfig] = Field(default_factory=dict)


@dataclass(frozen=True, kw_only=True, config=STRICT)
class HistoryConfig(History):
    """`history`."""


@dataclass(frozen=True, kw_only=True, config=STRICT)
class PriceConfig(Price):
    """`prices.<name>`."""

    @field_validator("input", "cached_input", "output")
    @classmethod
    def _can_be_reckoned_with(cls, amount: Decimal | None) -> Decimal | None:
        """Sums are exact: so there is an end to the digits."""
        if amount is not None and amount != round(amount, PRICE_DECIMALS):
            raise Told(
                f"has more than {PRICE_DECIMALS} digits behind the point; round it",
                f"小数点以下が{PRICE_DECIMALS}桁を超えています。丸めてください",
            )
        return amount


class Config(BaseModel):
    """Everything the gateway is told."""

    model_config = ConfigDict(**STRICT, frozen=True)

    server: ServerConfig = ServerConfig()
    data: Path = Path("data")
    gpus: Mapping[Annotated[str, AfterValidator(gpu_name)], GpuConfig] = {}
    deployments: Mapping[str, DeploymentConfig] = Field(min_length=1)
    preload: Annotated[tuple[str, ...], BeforeValidator(listed)] = ()
    aliases: Mapping[str, tuple[str, ...]] = {}
    limits: LimitsConfig = LimitsConfig()
    safety: SafetyConfig = SafetyConfig()
    health: HealthConfig = HealthConfig()
    store: StoreConfig = StoreConfig()
    keys: KeysConfig = KeysConfig()
    record: RecordConfig = RecordConfig()
    history: HistoryConfig = HistoryConfig()
    currency: Annotated[str, AfterValidator(currency_name)] | None = None
    prices: Mapping[str, PriceConfig] = {}

    _sources: Any = PrivateAttr(default=None)

    def read_from(self, sources: object) -> None:
        """Notes where it comes from (`config.load.Sources`), which is no part of what it says."""
        self._sources = sources

    @property
    def sources(self) -> Any:
        """Where it comes from; None for one that was not read."""
        return self._sources

    @property
    def store_file(self) -> Path:
        """Where keys and the record of calls are kept."""
        return self.data / self.store.file

    @model_validator(mode="before")
    @classmethod
    def _as_it_is_meant(cls, values: Any) -> Any:
        """A section in which nothing is left, or all is a comment, is as if it weren't there; aliases may name aliases."""
        if not isinstance(values, dict):
            return values
        values = {key: each for key, each in values.items() if each is not None or key not in SECTIONS}
        if isinstance(deployments := values.get("deployments"), dict):
            values["deployments"] = {name: _without_empty_sections(each) for name, each in deployments.items()}
        for name in values.keys() & {"limits", "record"}:
            values[name] = _without_empty_sections(values[name])
        if isinstance(aliases := values.get("aliases"), dict):
            values["aliases"] = expanded(aliases)
        return values

    @model_validator(mode="after")
    def _names_point_somewhere(self) -> Self:
        """The least that has to hold; `config.aliases` says in more words what doesn't."""
        for alias, targets in self.aliases.items():
            lost = [name for name in targets if name not in self.deployments]
            if lost or not targets or (alias in self.deployments and targets != (alias,)):
                raise Told(
                    f"the alias {alias} leads to no deployment, or is one; there are {', '.join(self.deployments)}",
                    f"エイリアス{alias}の先にデプロイメントがないか、同じ名前のデプロイメントがあります。あるのは{'、'.join(self.deployments)}です",
                )
        return self


def _without_empty_sections(section: Any) -> Any:
    if not isinstance(section, dict):
        return section
    return {key: each for key, each in section.items() if each is not None or key not in INNER_SECTIONS}
