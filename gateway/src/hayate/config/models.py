"""What the configuration accepts: the settings with checks on top. Unknown keys are refused, and every value is frozen.

Secrets come from the environment only by habit: `api_key: ${BACKEND_API_KEY}`. What is accepted here, starts.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SecretStr,
    ValidationInfo,
    field_validator,
    model_validator,
)
from pydantic.dataclasses import dataclass

from hayate.config.addresses import base_url, listening_host
from hayate.config.aliases import expanded
from hayate.config.environment import backend_name
from hayate.config.mistakes import Told
from hayate.settings import (
    Capacity,
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
    Timeouts,
)
from hayate.wire.image_hosts import host_mistake
from hayate.wire.origins import origin

BackendName = Literal["vllm", "llamacpp", "openai", "sglang", "trtllm", "triton", "ollama"]
STRICT = ConfigDict(extra="forbid", allow_inf_nan=False)


SECTIONS = ("server", "aliases", "limits", "safety", "health", "store", "keys", "prices", "record")
MAX_CURRENCY_CHARS = 8
_KEY_ID = re.compile(r"main|[0-9a-f]{12}")
PRICE_DECIMALS = 12
INNER_SECTIONS = ("timeouts", "options", "models", "content")


def _origin(value: object) -> object:
    """An engine's base URL without a trailing slash; `/v1` at the end is taken off, because paths carry it."""
    return base_url(value).removesuffix("/v1") if isinstance(value, str) else value


def listed(value: object) -> object:
    """One text where a list belongs is the list of what commas part it into, as in the environment."""
    return [part for each in value.split(",") if (part := each.strip())] if isinstance(value, str) else value


Origin = Annotated[str, BeforeValidator(_origin)]


def _image_host(entry: str) -> str:
    if mistake := host_mistake(entry):
        raise Told(mistake.en, mistake.ja)
    return entry


def _page_origin(entry: str) -> str:
    try:
        return origin(entry)
    except ValueError as error:
        raise Told(
            str(error),
            f"{entry[:80]!r}はオリジンではありません。https://game.exampleやhttp://localhost:5173のように"
            "（スキーム、ホスト、ポートだけで、パスは付けずに）書くか、すべてを許可する*を書いてください",
        ) from None


def _probe_path(value: str) -> str:
    """A path of the engine's, or `none`."""
    if value != "none" and not (value.startswith("/") and value.isascii() and value.isprintable() and " " not in value):
        raise Told(
            f"{value[:80]!r} is neither a path of the engine's, such as /health, nor none",
            f"{value[:80]!r}は、/healthのようなエンジンのパスでもnoneでもありません",
        )
    return value


@dataclass(frozen=True, kw_only=True, config=STRICT)
class ServerConfig(Listening):
    """`server`."""

    cors_origins: Annotated[tuple[Annotated[str, AfterValidator(_page_origin)], ...], BeforeValidator(listed)] = (
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
    image_hosts: Annotated[tuple[Annotated[str, AfterValidator(_image_host)], ...], BeforeValidator(listed)] = (
        Safety.image_hosts
    )


@dataclass(frozen=True, kw_only=True, config=STRICT)
class TimeoutConfig(Timeouts):
    """`deployments.<name>.timeouts`."""


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
class DeploymentConfig(Capacity):
    """`deployments.<name>`: interchangeable replicas of one model on one kind of engine."""

    backend: Annotated[BackendName, BeforeValidator(backend_name)]
    model: str | None = None
    replicas: Annotated[tuple[Origin, ...], BeforeValidator(listed), Field(min_length=1)]
    api_key: SecretStr | None = None
    probe: Annotated[str, AfterValidator(_probe_path)] | None = None
    canary: bool | None = None
    timeouts: TimeoutConfig = TimeoutConfig()
    options: Mapping[str, Any] = Field(default_factory=dict)

    @field_validator("replicas")
    @classmethod
    def _ollamas_own_paths_begin_with_api(cls, replicas: tuple[str, ...], info: ValidationInfo) -> tuple[str, ...]:
        if info.data.get("backend") != "ollama":
            return replicas
        return tuple(each.removesuffix("/api") for each in replicas)


def _key_id(text: str) -> str:
    if not _KEY_ID.fullmatch(text):
        raise Told(
            f"{text[:20]!r} is no key's id: `hayate key list` shows them, and main is the owner's key",
            f"{text[:20]!r}はAPIキーのIDではありません。IDは`hayate key list`で確認できます（所有者のキーはmain）",
        )
    return text


@dataclass(frozen=True, kw_only=True, config=STRICT)
class KeptContentConfig(KeptContent):
    """`record.content.<id>`."""


@dataclass(frozen=True, kw_only=True, config=STRICT)
class RecordConfig(Recording):
    """`record`."""

    content: Mapping[Annotated[str, AfterValidator(_key_id)], KeptContentConfig] = Field(default_factory=dict)


@dataclass(frozen=True, kw_only=True, config=STRICT)
class HistoryConfig(History):
    """`history`."""


def _currency(text: str) -> str:
    if not 1 <= len(text) <= MAX_CURRENCY_CHARS or not text.isprintable() or any(map(str.isspace, text)):
        raise Told(
            f"{text[:20]!r} is no currency's name or sign, such as USD or JPY",
            f"{text[:20]!r}は通貨の名前や記号ではありません。JPYやUSDのように書いてください",
        )
    return text


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
    deployments: Mapping[str, DeploymentConfig] = Field(min_length=1)
    aliases: Mapping[str, tuple[str, ...]] = {}
    limits: LimitsConfig = LimitsConfig()
    safety: SafetyConfig = SafetyConfig()
    health: HealthConfig = HealthConfig()
    store: StoreConfig = StoreConfig()
    keys: KeysConfig = KeysConfig()
    record: RecordConfig = RecordConfig()
    history: HistoryConfig = HistoryConfig()
    currency: Annotated[str, AfterValidator(_currency)] | None = None
    prices: Mapping[str, PriceConfig] = {}

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
