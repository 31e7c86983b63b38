"""What the environment says: the one deployment when there is no file, and the settings that mean the same with and
without one. Everything here is plain values, before they are validated (`config`).
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from hayate.config.mistakes import Mistake, Told, Where
from hayate.config.yaml_file import clean

BACKEND_ALIASES = {"trt": "trtllm", "llama.cpp": "llamacpp", "llama_cpp": "llamacpp"}
DEFAULT_URLS: Mapping[str, str] = {
    "vllm": "http://127.0.0.1:8000",
    "llamacpp": "http://127.0.0.1:8081",
    "openai": "http://127.0.0.1:8000",
    "sglang": "http://127.0.0.1:30000",
    "trtllm": "http://127.0.0.1:8000",
    "triton": "http://127.0.0.1:8000",
    "ollama": "http://127.0.0.1:11434",
}
CONTAINER = "HAYATE_CONTAINER"
"""Set in the image of the gateway alone: no engine is there to be run, and the models are not its to change."""
VARIABLES = (
    "HAYATE_CONFIG",
    CONTAINER,
    "HAYATE_DATA",
    "HAYATE_HOST",
    "HAYATE_PORT",
    "HAYATE_WORKERS",
    "HAYATE_CORS_ORIGINS",
    "HAYATE_LOG",
    "HAYATE_TOKENIZER",
    "HAYATE_ALLOW_FIELDS",
    "LLM_BACKEND",
    "BACKEND_URL",
    "BACKEND_API_KEY",
    "MODEL",
    "OLLAMA_CONTEXT_LENGTH",
    "OLLAMA_NUM_PARALLEL",
)
"""What is read of the environment by itself; a file may name more."""
EMBEDDED = "embedded"
"""The name of the deployment that `hayate up` adds."""


SETTINGS: Mapping[str, Where] = {
    "HAYATE_HOST": ("server", "host"),
    "HAYATE_PORT": ("server", "port"),
    "HAYATE_WORKERS": ("server", "workers"),
    "HAYATE_CORS_ORIGINS": ("server", "cors_origins"),
    "HAYATE_LOG": ("server", "log"),
    "HAYATE_ALLOW_FIELDS": ("safety", "allow_fields"),
}
"""What means the same with and without a file, and where a file says it. What the environment says wins."""
_ALONE: Mapping[str, Where] = {
    "LLM_BACKEND": ("backend",),
    "BACKEND_URL": ("replicas",),
    "BACKEND_API_KEY": ("api_key",),
    "OLLAMA_CONTEXT_LENGTH": ("context_tokens",),
    "OLLAMA_NUM_PARALLEL": ("options", "num_parallel"),
    "HAYATE_TOKENIZER": ("options", "tokenizer"),
    "MODEL": ("model",),
}
"""What says something of the one deployment that there is without a file."""


def backend_name(value: object) -> object:
    """A backend's own name for what people call it."""
    if not isinstance(value, str):
        return value
    name = value.strip().lower()
    return BACKEND_ALIASES.get(name, name) if name in {**BACKEND_ALIASES, **DEFAULT_URLS} else value


def looked_through(env: Mapping[str, str]) -> tuple[dict[str, str], list[Mistake]]:
    """The environment with our variables cleaned, and what is wrong with the others, which then count as unset."""
    found, mistakes = dict(env), []
    for name in VARIABLES:
        try:
            found[name] = clean(env, name)
        except Told as error:
            found[name] = ""
            mistakes.append(Mistake((), error.text, variable=name))
    return found, mistakes


def said_by(where: Where, env: Mapping[str, str], *, alone: bool) -> str | None:
    """The variable that says what stands at this place; `alone` if there is no file."""
    for name, place in SETTINGS.items():
        if env.get(name) and where[: len(place)] == place:
            return name
    if where[:1] == ("data",) and env.get("HAYATE_DATA"):
        return "HAYATE_DATA"
    if alone and where[:1] == ("deployments",):
        return next((name for name, place in _ALONE.items() if where[2 : 2 + len(place)] == place), "LLM_BACKEND")
    return None


def from_env_alone(env: Mapping[str, str]) -> dict[str, Any]:
    """One deployment, as LLM_BACKEND, BACKEND_URL and MODEL say."""
    backend = backend_name(env.get("LLM_BACKEND") or "vllm")
    model = env.get("MODEL") or None
    url = env.get("BACKEND_URL") or DEFAULT_URLS.get(str(backend), "http://127.0.0.1:8000")
    deployment: dict[str, Any] = {
        "backend": backend,
        "model": model,
        "replicas": [part for part in url.split(",") if part.strip()],
    }
    if env.get("BACKEND_API_KEY"):
        deployment["api_key"] = env["BACKEND_API_KEY"]
    if backend == "ollama" and env.get("OLLAMA_CONTEXT_LENGTH"):
        # Every call names a context (num_ctx), which wins over Ollama's own variable: so it has to be the same.
        deployment["context_tokens"] = env["OLLAMA_CONTEXT_LENGTH"]
    if backend == "ollama" and env.get("OLLAMA_NUM_PARALLEL", "0") not in ("", "0"):  # 0: Ollama's own choice
        deployment["options"] = {"num_parallel": env["OLLAMA_NUM_PARALLEL"]}  # it tells nobody how many it takes
    name = model or str(backend)
    return {"deployments": {name: deployment}}


def with_embedded(values: dict[str, Any], embedded: Mapping[str, Any]) -> dict[str, Any]:
    """The deployment `embedded`, as the first: so it is also the default unless the file says otherwise."""
    deployments = values.get("deployments") or {}
    if not isinstance(deployments, dict):
        return values
    return values | {"deployments": {EMBEDDED: embedded, **{k: v for k, v in deployments.items() if k != EMBEDDED}}}


def with_defaults(values: dict[str, Any], defaults: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """Other defaults for some settings, by section. What is no section is left to the model."""
    sections = {name: values.get(name) for name in defaults}
    mended = {
        name: {**defaults[name], **(given or {})} for name, given in sections.items() if isinstance(given, dict | None)
    }
    return values | mended


def overlay(values: dict[str, Any], env: Mapping[str, str]) -> dict[str, Any]:
    """The settings that mean the same with and without a file."""
    for name, (section, key) in SETTINGS.items():
        given = values.get(str(section))
        if env.get(name) and isinstance(given, dict | None):
            values[str(section)] = {**(given or {}), key: env[name]}
    if env.get("HAYATE_DATA"):
        values["data"] = env["HAYATE_DATA"]
    if env.get("HAYATE_TOKENIZER") and isinstance(values.get("deployments"), dict):
        values["deployments"] = {
            name: _with_tokenizer(each, env["HAYATE_TOKENIZER"]) for name, each in values["deployments"].items()
        }
    return values


def _with_tokenizer(deployment: Any, source: str) -> Any:
    """A deployment on Triton that names no tokenizer takes HAYATE_TOKENIZER."""
    options = deployment.get("options") or {} if isinstance(deployment, dict) else None
    if not isinstance(options, dict) or backend_name(deployment.get("backend")) != "triton":
        return deployment
    return {**deployment, "options": {"tokenizer": source, **options}}


def file_named(env: Mapping[str, str]) -> str | None:
    """The file of HAYATE_CONFIG. A device such as /dev/null is none: compose puts it where a file would be."""
    named = env.get("HAYATE_CONFIG")
    return named if named and not Path(named).is_char_device() else None
