"""What is told of liveness, readiness and models (`api.health`): the shapes."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel

Kind = Literal["alias", "deployment", "served_model"]


class LiveAnswer(BaseModel):
    """The process answers."""

    status: Literal["ok"] = "ok"


class ReasonWord(BaseModel):
    """Why an engine can't be used, for those who may call: no address, no setting."""

    code: str
    text: str


class ReplicaReadiness(BaseModel):
    """How one engine does."""

    healthy: bool
    state: str
    reason: ReasonWord | None


class ReplicaInUse(ReplicaReadiness):
    """The same, for those who may know of everybody's calls."""

    in_flight: int


class DeploymentReadiness(BaseModel):
    """How a deployment does."""

    ready: bool
    replicas: list[ReplicaInUse | ReplicaReadiness]


class ReadyAnswer(BaseModel):
    """Whether some replica of the alias `default` has been seen to answer."""

    status: Literal["ready", "not_ready"]


class ReadyInDetail(ReadyAnswer):
    """The same, for who brings a key."""

    deployments: dict[str, DeploymentReadiness]


class ModelFacts(BaseModel):
    """What is behind a name."""

    kind: Kind
    engine: str
    model: str | None
    targets: list[str]
    ready: bool
    reason: ReasonWord | None
    context_tokens: int | None
    max_output_tokens: int | None
    """Of one answer, for this key."""


class Architecture(BaseModel):
    """What goes in, as OpenRouter and llama.cpp tell it."""

    input_modalities: list[Literal["text", "image"]]


class ModelAnswer(BaseModel):
    """A model in OpenAI's form, and what is behind it. What others tell, too, has their names: vLLM's `max_model_len`, OpenRouter's
    `architecture` and `default_parameters`. null: not known.
    """

    id: str
    object: Literal["model"] = "model"
    created: int
    owned_by: str = "hayate"
    max_model_len: int | None
    """The context, in tokens, prompt and answer."""
    architecture: Architecture | None
    default_parameters: dict[str, int | float]
    """What holds where a request leaves it open: what the engine samples with, as far as it tells, and the key's `max_tokens`."""
    hayate: ModelFacts


class ModelsAnswer(BaseModel):
    """The models that may be called."""

    object: Literal["list"] = "list"
    data: list[ModelAnswer]
