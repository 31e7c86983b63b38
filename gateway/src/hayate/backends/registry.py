"""Which adapter each backend name of the configuration means, and what it is made of."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from hayate.backends.base import Backend
from hayate.backends.llamacpp_client import LlamaCppClient
from hayate.backends.ollama_client import OllamaClient, OllamaOptions
from hayate.backends.openai_compat import OpenAICompatible, OpenAIOptions
from hayate.backends.options import NoOptions, OptionError, option_mistakes, read_options
from hayate.backends.sglang_client import SGLangClient, SGLangOptions
from hayate.backends.tokenizer import TokenizerError, check_source, is_folder, load_tokenizer
from hayate.backends.triton_client import TritonClient, TritonOptions
from hayate.backends.trt_client import TrtLLMClient
from hayate.backends.vllm_client import VLLMClient, VLLMOptions


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a deployment says of its adapter, in plain values: `backend` is one of `NAMES`, `options` are not read yet."""

    backend: str
    model: str | None = None
    context_tokens: int | None = None
    options: Mapping[str, Any] = field(default_factory=dict)
    told_to_load: bool = False
    """Whether the gateway has it load and unload its model (`Backend.control`)."""


Maker = tuple[type[Any], Callable[[Wanted, Any], Backend]]
"""The options an adapter declares, and how it is made with them."""


def _ollama(wanted: Wanted, options: OllamaOptions) -> Backend:
    return OllamaClient(options, model=wanted.model, context_tokens=wanted.context_tokens)


def _tokenizer_of(wanted: Wanted, options: TritonOptions) -> str:
    source = options.tokenizer or wanted.model
    if source is None:
        raise OptionError(
            "tokenizer",
            "is needed: the folder or Hub id of the model's tokenizer files (or set HAYATE_TOKENIZER)",
            "必須の項目です。モデルのトークナイザーのフォルダーかHubのIDを指定してください（HAYATE_TOKENIZERでも指定できます）",
        )
    try:
        check_source(source)
    except TokenizerError as error:
        raise OptionError("tokenizer", error.english, error.japanese) from None
    return source


def _triton(wanted: Wanted, options: TritonOptions) -> Backend:
    try:
        prompts = load_tokenizer(_tokenizer_of(wanted, options))
    except TokenizerError as error:
        raise OptionError("tokenizer", error.english, error.japanese) from None
    return TritonClient(prompts, options, model=wanted.model, context_tokens=wanted.context_tokens)


def _openai(adapter: Callable[[OpenAIOptions], Backend]) -> Maker:
    return OpenAIOptions, lambda _, options: adapter(options)


_MAKERS: dict[str, Maker] = {
    "vllm": (VLLMOptions, lambda _, options: VLLMClient(options)),
    "llamacpp": (OpenAIOptions, lambda wanted, options: LlamaCppClient(options, model=wanted.model)),
    "openai": _openai(OpenAICompatible),
    "sglang": (SGLangOptions, lambda _, options: SGLangClient(options)),
    "trtllm": (NoOptions, lambda *_: TrtLLMClient()),
    "triton": (TritonOptions, _triton),
    "ollama": (OllamaOptions, _ollama),
}
NAMES = tuple(_MAKERS)


def make_backend(wanted: Wanted) -> Backend:
    """The adapter. Raises OptionError for an option that it does not have or can't use."""
    kind, make = _MAKERS[wanted.backend]
    options = read_options(kind, wanted.options)
    for mistake in _out_of_place(wanted):
        raise mistake
    return make(wanted, options)


def check_options(wanted: Wanted) -> Iterator[OptionError]:
    """Everything that the adapter would refuse. Loads nothing."""
    kind, _ = _MAKERS[wanted.backend]
    found = option_mistakes(kind, wanted.options)
    yield from found
    yield from _out_of_place(wanted)
    if kind is TritonOptions and not any(each.key == "tokenizer" for each in found):
        try:
            _tokenizer_of(wanted, TritonOptions(tokenizer=wanted.options.get("tokenizer")))
        except OptionError as error:
            yield error


def _out_of_place(wanted: Wanted) -> Iterator[OptionError]:
    """What means nothing, or the opposite, for who loads and unloads the model."""
    kind, given = _MAKERS[wanted.backend][0], wanted.options
    if kind is VLLMOptions and given.get("sleep_level") is not None and not wanted.told_to_load:
        yield OptionError(
            "sleep_level",
            "is for a model that the gateway puts to sleep: write gpu and memory too, with replicas; else remove this",
            "ゲートウェイがスリープさせるモデル用の設定です。replicasのほかにgpuとmemoryも書くか、この行を取り除いてください",
        )
    if kind is OllamaOptions and given.get("keep_alive") is not None and wanted.told_to_load:
        yield OptionError(
            "keep_alive",
            "would unload what the gateway loads, or keep what it unloads; write idle_unload_s or pin in its place",
            "ゲートウェイによる読み込みと解放に反します。代わりにidle_unload_sかpinを指定してください",
        )


def unread_source(wanted: Wanted) -> str | None:
    """A tokenizer that only the Hub can give, which is asked when the gateway starts."""
    if _MAKERS[wanted.backend][0] is not TritonOptions:
        return None
    source = _tokenizer_of(wanted, read_options(TritonOptions, wanted.options))
    return None if is_folder(source) else source
