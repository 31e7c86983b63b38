"""TensorRT-LLM's models on Triton: which inputs they take, and a request's fields as those inputs.

Two families exist, told apart by what GET /v2/models/NAME/config lists:

    classic   `ensemble` and `tensorrt_llm_bls`: text_input, max_tokens, stream, stop_words, temperature, random_seed or seed …
    newer     `tensorrt_llm` of the LLM API: text_input, streaming, sampling_param_max_tokens, sampling_param_stop …

An input the model does not list would be taken as a parameter and ignored, so a field without its input is refused
here. The newer model, and a `tensorrt_llm_bls` that accumulates tokens, repeat the whole text so far in every event.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import quote

from hayate.wire.fields import stop_strings, taken, text_of, unsupported, with_some_top_p

ENGINE: Final = "triton"
MODELS: Final = ("ensemble", "tensorrt_llm_bls", "tensorrt_llm")
"""The names under which TensorRT-LLM's model repositories take prompts."""

_ALIKE: Final = (
    "temperature",
    "top_p",
    "top_k",
    "frequency_penalty",
    "presence_penalty",
    "repetition_penalty",
    "min_tokens",
)
_COMMON: Final = frozenset({"model", "stream", "stream_options", "max_tokens", "stop", "seed", *_ALIKE})
CHAT_FIELDS: Final = _COMMON | {"messages", "max_completion_tokens", "chat_template_kwargs"}
TEXT_FIELDS: Final = _COMMON | {"prompt"}


@dataclass(frozen=True, slots=True)
class Layout:
    """How one model on Triton wants to be asked, and how its text comes."""

    model: str
    newer: bool
    cumulative: bool
    inputs: frozenset[str]

    def name_of(self, field: str) -> str:
        """The input that stands for one of our fields."""
        if self.newer:
            return f"sampling_param_{field}"
        if field == "stop":
            return "stop_words"
        if field == "seed":
            return "seed" if "seed" in self.inputs else "random_seed"
        return field


def read_layout(config: Any) -> Layout | None:
    """The layout that a model's configuration describes; None when it takes no prompt."""
    if not isinstance(config, dict):
        return None
    listed = config.get("input")
    inputs = frozenset(
        str(each.get("name")) for each in (listed if isinstance(listed, list) else ()) if isinstance(each, dict)
    )
    if "text_input" not in inputs:
        return None
    newer = "streaming" in inputs and "sampling_param_max_tokens" in inputs
    if not newer and not {"stream", "max_tokens"} <= inputs:
        return None
    parameters = config.get("parameters")
    accumulates = parameters.get("accumulate_tokens") if isinstance(parameters, dict) else None
    said = accumulates.get("string_value") if isinstance(accumulates, dict) else None
    cumulative = newer or str(said).lower() in ("true", "1")
    return Layout(str(config.get("name")), newer, cumulative, inputs)


def candidates(named: str | None, served_model: str | None) -> list[str]:
    """The models to look at: the named one alone, else those that may be meant. A Hub id is no name on Triton."""
    if named is not None:
        return [named]
    own = [served_model] if served_model and "/" not in served_model and served_model not in MODELS else []
    return [*own, *MODELS]


def best_layout(configs: list[Any], named: str | None) -> Layout | None:
    """The layout of the model to ask: the one that was named, else one that never breaks a character, else the first."""
    found = [layout for config in configs if (layout := read_layout(config))]
    # Text made of single tokens can break a character in two; a model that joins them first is better than its neighbour.
    found.sort(key=lambda layout: (layout.model != named, not layout.cumulative))
    return found[0] if found else None


def model_path(model: str) -> str:
    """Where a model's endpoints are."""
    return f"/v2/models/{quote(model, safe='')}"


def model_inputs(layout: Layout, fields: dict[str, Any], prompt: str, max_tokens: int) -> dict[str, Any]:
    """The body for generate_stream. Raises UnsupportedField."""
    body: dict[str, Any] = {"text_input": prompt, layout.name_of("max_tokens"): max_tokens}
    body["streaming" if layout.newer else "stream"] = True
    if layout.newer and "return_finish_reason" in layout.inputs:
        body["return_finish_reason"] = True
    for field, value in _sampling(fields).items():
        name = layout.name_of(field)
        if name not in layout.inputs:
            raise unsupported(
                ENGINE, field, f"{layout.model} has no input {name}", f"{layout.model} に入力 {name} がありません"
            )
        body[name] = value
    return body


def _sampling(fields: dict[str, Any]) -> dict[str, Any]:
    fields = with_some_top_p(fields)
    asked = {name: fields[name] for name in _ALIKE if fields.get(name) is not None}
    for neutral, value in (
        ("frequency_penalty", 0),
        ("presence_penalty", 0),
        ("repetition_penalty", 1),
        ("min_tokens", 0),
    ):
        if asked.get(neutral) == value:
            del asked[neutral]
    if asked.get("temperature") == 0:
        # A temperature of zero divides by zero in some samplers; the single likeliest token is the same thing.
        asked = {**{name: value for name, value in asked.items() if name not in ("temperature", "top_p")}, "top_k": 1}
    elif "temperature" in asked and "top_p" not in asked and "top_k" not in asked:
        # Unset, both samplers default to the likeliest token, whatever the temperature.
        asked["top_p"] = 1.0
    if stops := stop_strings(fields):
        asked["stop"] = stops
    if fields.get("seed") is not None:
        asked["seed"] = fields["seed"] % 2**64  # the input is unsigned
    return asked


def chat_fields(fields: dict[str, Any]) -> dict[str, Any]:
    """A chat request's fields, every message's content one string. Raises UnsupportedField for what Triton can't do."""
    asked = taken(ENGINE, fields, CHAT_FIELDS)
    messages = []
    for n, message in enumerate(asked["messages"]):
        if message.get("tool_calls") or message["role"] in ("tool", "function"):
            raise unsupported(ENGINE, f"messages.{n}", "it has no tools", "ツールは使えません")
        messages.append({**message, "content": text_of(ENGINE, f"messages.{n}", message.get("content"))})
    return {**asked, "messages": messages}


def text_fields(fields: dict[str, Any]) -> dict[str, Any]:
    """The same for a text completion."""
    return taken(ENGINE, fields, TEXT_FIELDS)
