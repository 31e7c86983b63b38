"""The bodies of `hayate models` and `hayate plan`: from what was typed to tables, JSON or `.env`, and an exit status.

0 for an answer (and, for one model, that it runs), 1 when that model does not fit or can't run, 2 for a mistake in what was typed.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace

from hayate.language import Language, Text
from hayate.tools.planner import report
from hayate.tools.planner.arithmetic import GIB, concurrency, kv_bytes_per_sequence, kv_tokens
from hayate.tools.planner.catalogue import CatalogueError, load_catalogue
from hayate.tools.planner.engines import ENGINES, EngineName, KvDtype, paging, usual_engine
from hayate.tools.planner.facts import ModelFacts
from hayate.tools.planner.found import Card, Machine, card_line, card_of, card_remarks
from hayate.tools.planner.gpus import parse_gpu, parse_size
from hayate.tools.planner.host import Host
from hayate.tools.planner.markdown import fit_table, shared_table
from hayate.tools.planner.options import ModelsOptions, PlanOptions
from hayate.tools.planner.plan import MOST_GPUS, Plan, Wish, chosen_dtype, element_bytes, make_plan
from hayate.tools.planner.resolve import resolve_model
from hayate.tools.planner.shared import TAKE_TURNS, plan_shared
from hayate.tools.planner.shared_report import print_shared, shared_values
from hayate.tools.planner.shared_writing import write_shared
from hayate.tools.planner.together import MOST_MODELS, Room
from hayate.tools.planner.variants import find_named, short_name
from hayate.tools.planner.writing import say, write_env
from hayate.tools.refusal import Refusal, out_of_range

ENGINE_ALIASES = {"trt": "trtllm", "llama.cpp": "llamacpp", "llama_cpp": "llamacpp"}
DTYPES = ("auto", "half", "float16", "bfloat16", "float", "float32")
THIS_MACHINE = Machine()
NOT_WRITTEN = Text("Nothing is written: it would not run.", "このままでは動かないため、何も書き込みません。")
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


def run_plan(
    options: PlanOptions, language: Language, env: Mapping[str, str] | None = None, machine: Machine = THIS_MACHINE
) -> int:
    """The plan, to standard output, and with --write into files; the status. `env` names the Hub in place of the process's own."""
    try:
        catalogue = load_catalogue(options.catalogue)
        if options.table_markdown:
            sys.stdout.write(fit_table(catalogue) + "\n" + shared_table(catalogue))
            return 0
        card = card_of(options.gpu, machine) if options.kv_memory is None or options.gpu else Card(parse_gpu("24GiB"))
        if card.found:
            say(card_line(card.found).of(language))
        wish = wish_of(options, card)
        if options.models is not None:
            return _plan_shared(options, wish, card, (catalogue, env, machine), language)
        if options.model is None:
            return _plan_catalogue(catalogue, wish, options, language)
        model = resolve_model(options.model, catalogue, env)
        if options.kv_memory is not None:
            return _tell_kv(model, wish, options, language)
        plan = make_plan(model, wish, catalogue)
        said = (*plan.remarks, *card_remarks(card, plan.engine.name))
        return _plan_one(replace(plan, remarks=said), options, language)
    except Refusal as error:
        return _mistake(error.text(language))


def wish_of(options: PlanOptions, card: Card) -> Wish:
    """The options, checked. Raises Mistyped."""
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
    if options.write and options.model is None and options.models is None:
        raise Mistyped("--write needs --model or --models", "`--write`には`--model`か`--models`が必要です")
    return Wish(
        gpu=card.gpu,
        gpus=options.gpus,
        engine=_engine_name(engine),
        context_tokens=options.context,
        typical_tokens=options.typical,
        concurrency=options.concurrency,
        utilization=options.utilization if options.models else card.utilization(options.utilization),
        dtype=options.dtype,
        kv_dtype=_kv_dtype(options.kv_dtype),
    )


def shared_names(options: PlanOptions, wish: Wish) -> list[str]:
    """The names of `--models`. Raises Mistyped."""
    names = [name.strip() for name in (options.models or "").split(",") if name.strip()]
    if not 2 <= len(names) <= MOST_MODELS or len({short_name(name) for name in names}) < len(names):
        raise Mistyped(
            f"--models {options.models}: two to {MOST_MODELS} different models, with commas",
            f"--models {options.models}: 異なるモデルを2つから{MOST_MODELS}つ、カンマで区切って指定してください",
        )
    if options.model is not None or wish.gpus != 1:
        raise Mistyped(
            "--models plans several models on one GPU: without --model and --gpus",
            "`--models`は1枚のGPUに複数のモデルを載せる計画です。`--model`や`--gpus`とは併用できません",
        )
    if wish.engine is not None and wish.engine not in TAKE_TURNS:
        engines = ", ".join(TAKE_TURNS)
        raise Mistyped(
            f"--models with --engine {wish.engine}: one of {engines}, which load and unload when told to",
            f"`--models`で使えるエンジンは、モデルの読み込みと解放を指示できる{engines}です（指定値: {wish.engine}）",
        )
    return names


def host_of(options: PlanOptions, machine: Machine) -> Host:
    """The memory of the machine, as typed or as it is. Raises Mistyped."""
    if options.host_memory is None:
        return machine.host
    size = parse_size(options.host_memory)
    if not size:
        raise Mistyped(
            f"--host-memory {options.host_memory}: a size such as 64GiB",
            f"--host-memory {options.host_memory}: 64GiBのように指定してください",
        )
    return replace(machine.host, memory_bytes=size)


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
            _mistake(NOT_WRITTEN.of(language))
        return 1
    if options.write:
        write_env(plan, options.env_file, language)
    return 0


def _plan_shared(
    options: PlanOptions,
    wish: Wish,
    card: Card,
    around: tuple[Sequence[ModelFacts], Mapping[str, str] | None, Machine],
    language: Language,
) -> int:
    """Several models on one GPU."""
    catalogue, env, machine = around
    names = shared_names(options, wish)
    room = Room(wish, card.left_out_bytes, host_of(options, machine))
    plan = plan_shared([find_named(name, catalogue, env) for name in names], room)
    plan = replace(plan, remarks=(*plan.remarks, *card_remarks(card, plan.engine.name)))
    if options.as_json:
        _print_json(shared_values(plan))
    else:
        print_shared(plan, language)
    if not plan.works:
        if options.write:
            _mistake(NOT_WRITTEN.of(language))
        return 1
    if options.write:
        write_shared(plan, options.env_file, language)
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
