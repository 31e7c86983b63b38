"""The plan that is made of what was typed, once everything in it is checked."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from hayate.language import Language
from hayate.tools.measure.chart_png import require_matplotlib
from hayate.tools.measure.dialects import request_of
from hayate.tools.measure.options import BenchOptions
from hayate.tools.measure.prompts import PromptSet, built_in, read_prompts
from hayate.tools.measure.refusal import CannotMeasure
from hayate.tools.measure.target import Target, parse_target
from hayate.tools.refusal import out_of_range
from hayate.tools.running import Place

MOST_AT_ONCE, MOST_CALLS, MOST_TOKENS = 512, 100_000, 1_000_000
PLOTS = (".html", ".png")


@dataclass(frozen=True, slots=True)
class BenchPlan:
    """What to measure, checked. `models` is empty for whatever the server offers."""

    target: Target
    models: tuple[str, ...]
    prompts: PromptSet
    concurrency: int
    calls: int
    max_tokens: int
    temperature: float | None
    warm_up: bool
    unique: bool
    timeout_s: float
    language: Language = "en"


def plan_of(options: BenchOptions, language: Language, env: Mapping[str, str], find: Callable[[], Place]) -> BenchPlan:
    """What to measure. Raises CannotMeasure for the first thing that is wrong."""
    _check_ranges(options)
    target = parse_target(options.url, options.api, options.key, env, find)
    prompts = read_prompts(options.prompts) if options.prompts is not None else built_in()
    for messages in prompts.prompts:
        request_of(target.api, messages, None, options.max_tokens, options.temperature)
    models = tuple(dict.fromkeys(name.strip() for name in (options.models or "").split(",") if name.strip()))
    return BenchPlan(
        target=target,
        models=models,
        prompts=prompts,
        concurrency=options.concurrency,
        calls=options.calls,
        max_tokens=options.max_tokens,
        temperature=options.temperature,
        warm_up=options.warm_up,
        unique=options.unique,
        timeout_s=options.timeout_s,
        language=language,
    )


def check_plot(path: Path | None) -> None:
    """That the plot can be written, before anything is measured for it. Raises CannotMeasure."""
    if path is None:
        return
    if path.suffix.lower() not in PLOTS:
        raise CannotMeasure(
            f"--plot {path}: a name ending in .html or .png.",
            f"--plot {path}: .html か .png で終わる名前にしてください。",
        )
    if not path.absolute().parent.is_dir() or path.is_dir():
        raise CannotMeasure(
            f"--plot {path}: no file can be written there.", f"--plot {path}: そこにはファイルを書けません。"
        )
    if path.suffix.lower() == ".png":
        require_matplotlib()


def _check_ranges(options: BenchOptions) -> None:
    limits: tuple[tuple[str, float | None, float, float], ...] = (
        ("-c", options.concurrency, 1, MOST_AT_ONCE),
        ("-n", options.calls, 1, MOST_CALLS),
        ("--max-tokens", options.max_tokens, 1, MOST_TOKENS),
        ("--temperature", options.temperature, 0, 2),
        ("--timeout", options.timeout_s, 0.1, 86_400),
    )
    for name, value, least, most in limits:
        if value is not None and not least <= value <= most:
            said = out_of_range(name, value, least, most)
            raise CannotMeasure(f"{said.en}.", f"{said.ja}。")
