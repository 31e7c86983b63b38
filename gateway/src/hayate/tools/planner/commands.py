"""The bodies of `hayate models` and `hayate plan`: from what was typed to tables, JSON or `.env`, and an exit status.

0 for an answer (and, for one model, that it runs), 1 when that model does not fit or can't run, 2 for a mistake in what was typed.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence

from hayate.language import Language, Text
from hayate.tools.planner import report
from hayate.tools.planner.arithmetic import GIB, concurrency, kv_bytes_per_sequence, kv_tokens
from hayate.tools.planner.catalogue import CatalogueError, load_catalogue
from hayate.tools.planner.engines import ENGINES, EngineName, KvDtype, paging, usual_engine
from hayate.tools.planner.facts import ModelFacts
from hayate.tools.planner.gpus import parse_gpu, parse_size
from hayate.tools.planner.markdown import fit_table
from hayate.tools.planner.options import ModelsOptions, PlanOptions
from hayate.tools.planner.plan import MOST_GPUS, Plan, Wish, chosen_dtype, element_bytes, make_plan
from hayate.tools.planner.resolve import resolve_model
from hayate.tools.planner.writing import say, write_env
from hayate.tools.refusal import Refusal, out_of_range

ENGINE_ALIASES = {"trt": "trtllm", "llama.cpp": "llamacpp", "llama_cpp": "llamacpp"}
DTYPES = ("auto", "half", "float16", "bfloat16", "float", "float32")
LARGEST_CONTEXT, MOST_SEQUENCES = 16 * 2**20, 100_000


class Mistyped(Refusal):
    """An option can't be understood."""


def run_models(options: ModelsOptions, language: Language) -> int:
    """The catalogue, to standard output; the status."""
    try:
        models = load_catalogue(options.catalogue)
    except CatalogueError as error:
        return _mistake(error.text(language))
    if options.as_json:
        _print_json([report.model_values(model) for model in models])
    else:
        report.print_models(models, language)
    return 0


def run_plan(options: PlanOptions, language: Language, env: Mapping[str, str] | None = None) -> int:
    """The plan, to standard output, and with --write into `.env`; the status. `env` names the Hub in place of the process's own."""
    try:
        catalogue = load_catalogue(options.catalogue)
        if options.table_markdown:
            sys.stdout.write(fit_table(catalogue))
            return 0
        wish = wish_of(options)
        if options.model is None:
            return _plan_catalogue(catalogue, wish, options, language)
        model = resolve_model(options.model, catalogue, env)
        if options.kv_memory is not None:
            return _tell_kv(model, wish, options, language)
        return _plan_one(make_plan(model, wish, catalogue), options, language)
    except Refusal as error:
        return _mistake(error.text(language))


def wish_of(options: PlanOptions) -> Wish:
    """The options, checked. Raises Mistyped or UnknownGpu."""
    engine = options.engine and ENGINE_ALIASES.get(options.engine.lower(), options.engine.lower())
    if engine is not None and engine not in ENGINES:
        names = ", ".join(ENGINES)
        raise Mistyped(
            f"--engine {options.engine}: one of {names}",
            f"--engine {options.engine}: {names} のいずれかを指定してください",
        )
    if options.kv_dtype not in ("auto", "fp8", "q8_0"):
        raise Mistyped(
            f"--kv-cache-dtype {options.kv_dtype}: auto, fp8 or q8_0",
            f"--kv-cache-dtype {options.kv_dtype}: auto、fp8、q8_0 のいずれかです",
        )
    if options.dtype not in DTYPES:
        raise Mistyped(
            f"--dtype {options.dtype}: one of {', '.join(DTYPES)}",
            f"--dtype {options.dtype}: {', '.join(DTYPES)} のいずれかです",
        )
    limits = (
        ("--gpus", options.gpus, 1, MOST_GPUS),
        ("--context", options.context, 1, LARGEST_CONTEXT),
        ("--typical", options.typical, 1, LARGEST_CONTEXT),
        ("--concurrency", options.concurrency, 1, MOST_SEQUENCES),
        ("--utilization", options.utilization, 0.05, 1),
    )
    for name, value, least, most in limits:
        if not least <= value <= most:
            said = out_of_range(name, value, least, most)
            raise Mistyped(said.en, said.ja)
    if options.gpu is None and options.kv_memory is None:
        raise Mistyped(
            "--gpu is needed: 24GiB, rtx4090, h100, …", "--gpu を指定してください（24GiB、rtx4090、h100など）"
        )
    if options.write and options.model is None:
        raise Mistyped("--write needs --model", "--write には --model が必要です")
    return Wish(
        gpu=parse_gpu(options.gpu or "24GiB"),
        gpus=options.gpus,
        engine=_engine_name(engine),
        context_tokens=options.context,
        typical_tokens=options.typical,
        concurrency=options.concurrency,
        utilization=options.utilization,
        dtype=options.dtype,
        kv_dtype=_kv_dtype(options.kv_dtype),
    )


def _engine_name(name: str | None) -> EngineName | None:
    return next((known for known in ENGINES if known == name), None)


def _kv_dtype(name: str) -> KvDtype:
    return "fp8" if name == "fp8" else "q8_0" if name == "q8_0" else "auto"


def _plan_catalogue(catalogue: Sequence[ModelFacts], wish: Wish, options: PlanOptions, language: Language) -> int:
    plans = [make_plan(model, wish, catalogue) for model in catalogue]
    if options.as_json:
        _print_json([report.plan_values(plan) for plan in plans])
    else:
        report.print_plans(plans, language)
    return 0


def _plan_one(plan: Plan, options: PlanOptions, language: Language) -> int:
    if options.as_json:
        _print_json(report.plan_values(plan))
    else:
        report.print_plan(plan, language)
    if plan.flags is None:
        if options.write:
            _mistake(
                Text("Nothing is written: it would not run.", "このままでは動かないため、何も書き込みません。").of(
                    language
                )
            )
        return 1
    if options.write:
        write_env(plan, options.env_file, language)
    return 0


def _tell_kv(model: ModelFacts, wish: Wish, options: PlanOptions, language: Language) -> int:
    """How many tokens a cache of the given size holds: the figure an engine prints at start."""
    size = parse_size(options.kv_memory or "")
    if not size:
        raise Mistyped(
            f"--kv-memory {options.kv_memory}: a size such as 1GiB",
            f"--kv-memory {options.kv_memory}: 1GiBのように指定してください",
        )
    engine = ENGINES[wish.engine] if wish.engine else usual_engine(model)
    context = min(wish.context_tokens, model.context_tokens)
    element, pages = element_bytes(chosen_dtype(model, engine, wish), wish.kv_dtype), paging(engine, wish.gpu)
    tokens = kv_tokens(size, model.attention, context, element, pages)
    room = concurrency(size, kv_bytes_per_sequence(model.attention, context, element, pages))
    if options.as_json:
        _print_json(
            {
                "model": model.id,
                "engine": engine.name,
                "kv_bytes": size,
                "context_tokens": context,
                "kv_tokens": tokens,
                "concurrency": room,
            }
        )
        return 0
    en = f"{size / GIB:.2f} GiB of KV cache hold {tokens:,} tokens: {room:.2f} sequences of {context:,}."
    ja = f"{size / GIB:.2f} GiBのKVキャッシュには {tokens:,} トークンが入ります（{context:,} トークンを {room:.2f} 件）。"
    report.console().print(Text(en, ja).of(language))
    return 0


def _print_json(value: object) -> None:
    sys.stdout.write(json.dumps(value, ensure_ascii=False, indent=2) + "\n")


def _mistake(text: str) -> int:
    say(text)
    return 2
