"""How engines are run and what GPUs they share, as a configuration says it: a command is a list that no shell reads."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    ValidatorFunctionWrapHandler,
    WrapValidator,
    model_validator,
)
from pydantic.dataclasses import dataclass

from hayate.config.environment import backend_name
from hayate.config.mistakes import Told
from hayate.config.values import STRICT, Size, engine_path
from hayate.engines.placeholders import MODEL, PLACEHOLDERS, PORT, names_in
from hayate.settings import LLAMACPP, Gpu, Run

MAX_ARGUMENTS: Final = 1000
_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,127}")


def _spelled(value: object) -> object:
    """A number where text belongs is meant as it is written."""
    return str(value) if isinstance(value, int | float) and not isinstance(value, bool) else value


def _template(text: str) -> str:
    for name in names_in(text):
        if name not in PLACEHOLDERS:
            braces = name if name in "{}" else f"{{{name}}}"
            known = ", ".join(f"{{{each}}}" for each in PLACEHOLDERS)
            raise Told(
                f"{braces} is no placeholder: there are {known}, and a brace is written twice ({{{{ or }}}})",
                f"{braces}というプレースホルダーはありません。使えるのは{known}です。波括弧そのものは2つ重ねて（{{{{や}}}}）書きます",
            )
    return text


def _variable(name: str) -> str:
    if not _NAME.fullmatch(name):
        raise Told(
            f"{name[:60]!r} is no name of a variable: letters, digits and _, such as CUDA_VISIBLE_DEVICES",
            f"{name[:60]!r}は環境変数の名前として使えません。CUDA_VISIBLE_DEVICESのように英数字と_で書いてください",
        )
    return name


Template = Annotated[str, BeforeValidator(_spelled), AfterValidator(_template)]


@dataclass(frozen=True, kw_only=True, config=STRICT)
class RunConfig(Run):
    """`deployments.<name>.run`, where it is not the word llamacpp."""

    command: tuple[Template, ...] = Field(min_length=1, max_length=MAX_ARGUMENTS, repr=False)
    env: Mapping[Annotated[str, AfterValidator(_variable)], Template] = Field(default_factory=dict, repr=False)
    ready: Annotated[str, AfterValidator(engine_path)] = Run.ready

    @model_validator(mode="after")
    def _knows_its_port(self) -> RunConfig:
        if not self.names(PORT):
            raise Told(
                "has no {port}: the gateway chooses the port and calls the engine there; write it in the command, such as "
                '--port "{port}", or in env, for an engine that reads it there',
                "{port}がありません。ポートはゲートウェイが選び、そこでエンジンを呼び出します。commandに"
                '--port "{port}"のように書くか、環境変数から読むエンジンであればenvに書いてください',
            )
        return self

    def names(self, placeholder: str) -> bool:
        """Whether the placeholder stands in the command or in a variable."""
        return any(placeholder in names_in(each) for each in (*self.command, *self.env.values()))

    @property
    def needs_model(self) -> bool:
        """Whether it can't be run without a model's name."""
        return self.names(MODEL)


@dataclass(frozen=True, kw_only=True, config=STRICT)
class GpuConfig(Gpu):
    """`gpus.<name>`."""

    memory: Size


def _run(value: object, section: ValidatorFunctionWrapHandler) -> Any:
    return LLAMACPP if backend_name(value) == LLAMACPP else section(value)


if TYPE_CHECKING:
    Running = RunConfig | Literal["llamacpp"]
else:
    # A union would put its members' names into the place of every mistake.
    Running = Annotated[RunConfig, WrapValidator(_run)]
