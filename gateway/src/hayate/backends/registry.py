"""Which adapter each backend name of the configuration means, and what it is made of."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from hayate.backends.base import Backend
from hayate.backends.llamacpp_client import LlamaCppClient
from hayate.backends.ollama_client import OllamaClient, OllamaOptions
from hayate.backends.openai_compat import OpenAICompatible
from hayate.backends.options import NoOptions, OptionError, read_options
from hayate.backends.sglang_client import SGLangClient, SGLangOptions
from hayate.backends.tokenizer import TokenizerError, check_source, load_tokenizer
from hayate.backends.triton_client import TritonClient, TritonOptions
from hayate.backends.trt_client import TrtLLMClient
from hayate.backends.vllm_client import VLLMClient
from hayate.config.models import Config, ConfigError, DeploymentConfig

Maker = tuple[type[Any], Callable[[DeploymentConfig, Any], Backend]]
"""The options an adapter declares, and how it is made with them."""


def _ollama(each: DeploymentConfig, options: OllamaOptions) -> Backend:
    return OllamaClient(options, model=each.model, context_tokens=each.context_tokens)


def _tokenizer_of(each: DeploymentConfig, options: TritonOptions) -> str:
    source = options.tokenizer or each.model
    if source is None:
        raise OptionError(
            "tokenizer", "is needed: the folder or Hub id of the model's tokenizer files (or set HAYATE_TOKENIZER)"
        )
    try:
        check_source(source)
    except TokenizerError as error:
        raise OptionError("tokenizer", str(error)) from None
    return source


def _triton(each: DeploymentConfig, options: TritonOptions) -> Backend:
    try:
        prompts = load_tokenizer(_tokenizer_of(each, options))
    except TokenizerError as error:
        raise OptionError("tokenizer", str(error)) from None
    return TritonClient(prompts, options, model=each.model, context_tokens=each.context_tokens)


def _without_options(adapter: Callable[[], Backend]) -> Maker:
    return NoOptions, lambda *_: adapter()


_MAKERS: dict[str, Maker] = {
    "vllm": _without_options(VLLMClient),
    "llamacpp": _without_options(LlamaCppClient),
    "openai": _without_options(OpenAICompatible),
    "sglang": (SGLangOptions, lambda _, options: SGLangClient(options)),
    "trtllm": _without_options(TrtLLMClient),
    "triton": (TritonOptions, _triton),
    "ollama": (OllamaOptions, _ollama),
}


def make_backend(name: str, each: DeploymentConfig) -> Backend:
    """The adapter for the deployment `name`. Raises ConfigError for an option that it does not have or can't use."""
    kind, make = _MAKERS[each.backend]
    try:
        return make(each, read_options(kind, each.options))
    except OptionError as error:
        raise ConfigError(f"deployments.{name}.options.{error.key}: {error}") from None


def option_mistakes(config: Config) -> Iterator[tuple[tuple[str, ...], str]]:
    """Every option that its adapter would refuse: where it stands and what is wrong with it. Loads nothing."""
    for name, each in config.deployments.items():
        kind, _ = _MAKERS[each.backend]
        try:
            options = read_options(kind, each.options)
            if isinstance(options, TritonOptions):
                _tokenizer_of(each, options)
        except OptionError as error:
            yield ("deployments", name, "options", error.key), str(error)
