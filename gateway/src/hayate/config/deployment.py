"""What the configuration says of one deployment: which engine, and either where it answers or how it is run."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr, ValidationInfo, field_validator
from pydantic.dataclasses import dataclass
from pydantic_core import PydanticKnownError

from hayate.config.environment import backend_name
from hayate.config.mistakes import Told
from hayate.config.running import Running
from hayate.config.values import STRICT, Size, engine_address, gpu_name, listed, probe_path
from hayate.settings import LLAMACPP, Capacity, Timeouts

BackendName = Literal["vllm", "llamacpp", "openai", "sglang", "trtllm", "triton", "ollama"]

Origin = Annotated[str, BeforeValidator(engine_address)]


@dataclass(frozen=True, kw_only=True, config=STRICT)
class TimeoutConfig(Timeouts):
    """`deployments.<name>.timeouts`."""


@dataclass(frozen=True, kw_only=True, config=STRICT)
class DeploymentConfig(Capacity):
    """`deployments.<name>`: interchangeable replicas of one model on one kind of engine, or one engine that is run here."""

    backend: Annotated[BackendName, BeforeValidator(backend_name)]
    model: str | None = None
    run: Running | None = None
    replicas: Annotated[tuple[Origin, ...], BeforeValidator(listed)] = Field(
        default=(),
        validate_default=True,
        kw_only=True,  # else pydantic looks at it before all others, and nothing is known of `run` yet
    )
    api_key: SecretStr | None = None
    probe: Annotated[str, AfterValidator(probe_path)] | None = None
    canary: bool | None = None
    memory: Size | None = None
    gpu: Annotated[tuple[Annotated[str, AfterValidator(gpu_name)], ...], BeforeValidator(listed)] = Capacity.gpu
    timeouts: TimeoutConfig = TimeoutConfig()
    options: Mapping[str, Any] = Field(default_factory=dict)

    @field_validator("run")
    @classmethod
    def _has_what_it_is_run_with(cls, run: Running | None, info: ValidationInfo) -> Running | None:
        backend, model = info.data.get("backend", LLAMACPP), info.data.get("model", LLAMACPP)
        if run == LLAMACPP and backend != LLAMACPP:
            raise Told(
                f"llamacpp runs llama.cpp, and backend is {backend}; write backend: llamacpp, or the command of {backend}",
                f"run: llamacppはllama.cppを起動しますが、backendは{backend}です。backend: llamacppにするか、"
                f"{backend}のコマンドを書いてください",
            )
        if run is not None and (run == LLAMACPP or run.needs_model) and not model:
            raise Told(
                "needs a model: write model: with its file, its folder or its name on the Hub",
                "modelが必要です。モデルのファイルかフォルダー、またはHubの名前をmodel:に書いてください",
            )
        return run

    @field_validator("replicas")
    @classmethod
    def _one_way_to_reach_it(cls, replicas: tuple[str, ...], info: ValidationInfo) -> tuple[str, ...]:
        run = info.data.get("run", LLAMACPP)  # absent: something is wrong with it
        if run is None and not replicas:
            raise PydanticKnownError("missing")
        if info.data.get("run") is not None and replicas:
            raise Told(
                "exclude run: the gateway chooses the address of an engine that it runs; remove one of them",
                "replicasとrunは同時に書けません。ゲートウェイが起動するエンジンのアドレスはゲートウェイが決めます。どちらかを取り除いてください",
            )
        return replicas

    @field_validator("replicas")
    @classmethod
    def _ollamas_own_paths_begin_with_api(cls, replicas: tuple[str, ...], info: ValidationInfo) -> tuple[str, ...]:
        if info.data.get("backend") != "ollama":
            return replicas
        return tuple(each.removesuffix("/api") for each in replicas)
