"""The `hayate` command. Each verb imports what it needs when it runs, so that `hayate --help` answers at once."""

from __future__ import annotations

import os
import signal
import sys
from functools import partial
from pathlib import Path
from typing import Annotated, NoReturn

import typer

from hayate.language import Text, terminal_language
from hayate.telemetry.log_writer import fill_closed_descriptors

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="疾風 Hayate: one stable API in front of your LLM engines.",
)

ConfigOption = Annotated[
    Path | None,
    typer.Option(
        "--config",
        "-c",
        envvar="HAYATE_CONFIG",
        help="The YAML file; without one, LLM_BACKEND, BACKEND_URL and MODEL decide.",
    ),
]


CatalogueOption = Annotated[
    Path | None,
    typer.Option("--catalogue", envvar="HAYATE_MODELS", help="Another catalogue than the one that comes with Hayate."),
]


@app.command()
def serve(config: ConfigOption = None) -> None:
    """Start the bare gateway in front of engines that run elsewhere."""
    from hayate.access.key_files import KeyFileError
    from hayate.config.load import load_config
    from hayate.config.yaml_file import ConfigError
    from hayate.serve.server import quiet_libraries, run
    from hayate.serve.specs import option_mistakes

    quiet_libraries()
    load = partial(load_config, config, check=option_mistakes)
    try:
        run(load(), load)
    except ConfigError as error:
        _fail(str(error))
    except KeyFileError as error:
        _fail(error.text(terminal_language(os.environ)))


@app.command("check-config")
def check_config(config: ConfigOption = None) -> None:
    """Validate the configuration without starting anything."""
    from hayate.config.load import load_config
    from hayate.config.yaml_file import ConfigError
    from hayate.serve.specs import option_mistakes

    try:
        loaded = load_config(config, check=option_mistakes)
    except ConfigError as error:
        _fail(str(error))
    for name, deployment in loaded.deployments.items():
        typer.echo(
            f"{name}: {deployment.backend} {deployment.model or '(whatever it serves)'} at {', '.join(deployment.replicas)}"
        )
    for alias, targets in loaded.aliases.items():
        typer.echo(f"{alias} -> {', '.join(targets)}")


@app.command()
def up(  # noqa: PLR0913, PLR0917  one parameter an option
    config: ConfigOption = None,
    model: Annotated[
        str | None,
        typer.Option(
            envvar="MODEL",
            help="A .gguf file, or a Hugging Face reference: owner/repo, owner/repo:Q4_K_M, owner/repo/file.gguf. "
            "Default: Qwen2.5-0.5B-Instruct.",
        ),
    ] = None,
    context: Annotated[
        int | None, typer.Option(min=64, help="Tokens of context of one answer; 4096 at most unless set.")
    ] = None,
    slots: Annotated[int, typer.Option(min=1, max=64, help="Answers at the same time.")] = 4,
    threads: Annotated[
        int | None, typer.Option(min=1, help="Threads to compute with; by default one per core.")
    ] = None,
    show_engine: Annotated[
        bool, typer.Option("--show-engine", help="llama.cpp's own messages here, not in data/engine.log.")
    ] = False,
    memory_check: Annotated[bool, typer.Option(help="Refuse a model that would not fit in memory.")] = True,
) -> None:
    """Start the gateway with an embedded engine: llama.cpp's own server, in a process beside it."""
    from hayate.access.key_files import KeyFileError, ensure_keys
    from hayate.config.yaml_file import ConfigError
    from hayate.serve.server import bind, quiet_libraries, serve
    from hayate.tools.embedded.up import Gateway, Wish
    from hayate.tools.embedded.up import up as start

    quiet_libraries()
    try:
        status = start(
            Wish(config, model, context, slots, threads, show_engine, memory_check), Gateway(bind, ensure_keys, serve)
        )
    except ConfigError as error:
        _fail(str(error))
    except KeyFileError as error:
        _fail(error.text(terminal_language(os.environ)))
    raise SystemExit(status)


@app.command()
def key(
    config: ConfigOption = None,
    rotate: Annotated[
        bool, typer.Option("--rotate", help="Replace it by a new one; the old one ends when the gateway is restarted.")
    ] = False,
) -> None:
    """Show the API key that the gateway made at its first start, or was given. Makes none itself, unless told to replace it."""
    from hayate.access.key_files import MAIN, KeyFileError, find_key, write_key
    from hayate.config.load import load_config
    from hayate.config.yaml_file import ConfigError

    try:
        # The same file may be meant for `up`: its aliases may name the embedded engine, and it may name no other.
        data = load_config(config, embedded={"backend": "llamacpp", "replicas": ["http://127.0.0.1"]}).data
        found = find_key(data)
        if found is None:
            _fail(_no_key((data / MAIN.file).absolute()))
        if rotate and os.environ.get(MAIN.variable, "").strip():
            _fail(
                "The key comes from HAYATE_API_KEY: change it there. / キーは HAYATE_API_KEY の値です。そちらを変更してください。"
            )
        if rotate:
            found = write_key(data)
            typer.echo(
                "New key; restart the gateway to use it.\n新しいキーです。ゲートウェイを再起動すると有効になります。",
                err=True,
            )
    except ConfigError as error:
        _fail(str(error))
    except KeyFileError as error:
        _fail(error.text(terminal_language(os.environ)))
    except OSError as error:
        _fail(f"{data / MAIN.file}: {error.strerror}")
    typer.echo(found)


def _no_key(path: Path) -> str:
    """Another folder is the usual reason, and a second key would be of no use there."""
    return Text(
        f"There is no API key at {path}. The gateway makes one at its first start; "
        f"name its data folder with HAYATE_DATA, or its file with --config.",
        f"{path} にAPIキーがありません。キーはゲートウェイの初回起動時に作られます。"
        f"ゲートウェイのデータフォルダーを HAYATE_DATA で指定するか、設定ファイルを --config で指定してください。",
    ).of(terminal_language(os.environ))


@app.command()
def models(
    catalogue: CatalogueOption = None,
    as_json: Annotated[bool, typer.Option("--json", help="Everything known of each, as JSON.")] = False,
) -> None:
    """List the catalogue: sizes, KV cache per token, context, licence."""
    from hayate.tools.planner.commands import run_models

    raise SystemExit(run_models(catalogue, as_json, terminal_language(os.environ)))


@app.command()
def plan(  # noqa: PLR0913, PLR0917  one parameter an option
    gpu: Annotated[
        str | None, typer.Option(help="One card: 24GiB, 24, 16g, or rtx4090, a100-80g, h100, l4, t4.")
    ] = None,
    gpus: Annotated[int, typer.Option(help="How many of them.")] = 1,
    model: Annotated[
        str | None,
        typer.Option(
            help="A model of the catalogue, a folder, a .gguf file, or a Hub id; by default the whole catalogue."
        ),
    ] = None,
    engine: Annotated[str | None, typer.Option(help="vllm, trtllm, sglang, llamacpp or ollama.")] = None,
    context: Annotated[int, typer.Option(help="Tokens of one sequence, prompt and answer together.")] = 8192,
    concurrency: Annotated[int, typer.Option(help="Sequences at the same time.")] = 8,
    utilization: Annotated[float, typer.Option(help="How much of the GPU the engine may take.")] = 0.9,
    dtype: Annotated[str, typer.Option(help="auto, half, bfloat16 or float32.")] = "auto",
    kv_cache_dtype: Annotated[str, typer.Option(help="auto, fp8 (vLLM, SGLang) or q8_0 (llama.cpp).")] = "auto",
    kv_memory: Annotated[
        str | None, typer.Option(help="No GPU: how many tokens a KV cache of this size holds (1GiB).")
    ] = None,
    write: Annotated[bool, typer.Option("--write", help="Put the settings into .env, showing what changes.")] = False,
    env_file: Annotated[Path, typer.Option(help="The file that --write changes.")] = Path(".env"),
    catalogue: CatalogueOption = None,
    as_json: Annotated[bool, typer.Option("--json", help="Every figure, in bytes and tokens.")] = False,
    table_markdown: Annotated[bool, typer.Option("--table-markdown", help="The table of the documentation.")] = False,
) -> None:
    """Say what fits on a GPU, and the engine's flags for it."""
    from hayate.tools.planner.commands import PlanOptions, run_plan

    options = PlanOptions(
        gpu=gpu,
        gpus=gpus,
        model=model,
        engine=engine,
        context=context,
        concurrency=concurrency,
        utilization=utilization,
        dtype=dtype,
        kv_dtype=kv_cache_dtype,
        kv_memory=kv_memory,
        catalogue=catalogue,
        as_json=as_json,
        table_markdown=table_markdown,
        write=write,
        env_file=env_file,
    )
    raise SystemExit(run_plan(options, terminal_language(os.environ)))


@app.command()
def bench(  # noqa: PLR0913, PLR0917  one parameter an option
    models: Annotated[str | None, typer.Option(help="Names with commas between; by default every deployment.")] = None,
    concurrency: Annotated[int, typer.Option("--concurrency", "-c", help="Calls at the same time.")] = 4,
    calls: Annotated[int, typer.Option("--calls", "-n", help="Calls a model.")] = 32,
    url: Annotated[str | None, typer.Option(help="The server to ask; by default the gateway of this machine.")] = None,
    api: Annotated[str, typer.Option(help="openai, or generate_stream: GET /generate_stream?prompt=.")] = "openai",
    key: Annotated[str | None, typer.Option(help="Its key; HAYATE_API_KEY or data/api_key stay out of `ps`.")] = None,
    prompts: Annotated[Path | None, typer.Option(help="Your own: a prompt a line, or .jsonl with messages.")] = None,
    max_tokens: Annotated[int, typer.Option(help="Tokens an answer may have.")] = 128,
    temperature: Annotated[float | None, typer.Option(help="Left to the server unless set.")] = None,
    timeout: Annotated[float, typer.Option(help="Seconds one call may take.")] = 600.0,
    warm_up: Annotated[bool, typer.Option(help="Make one call first that does not count.")] = True,
    unique: Annotated[bool, typer.Option("--unique", help="Begin each prompt anew, so that no cache helps.")] = False,
    label: Annotated[str | None, typer.Option(help="What to call this run in tables and plots.")] = None,
    compare: Annotated[Path | None, typer.Option(help="An earlier --json to compare with.")] = None,
    show: Annotated[Path | None, typer.Option(help="Measure nothing: show this --json again.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="JSON to stdout, the table to stderr.")] = False,
    raw: Annotated[bool, typer.Option("--raw", help="Every call in the JSON too.")] = False,
    plot: Annotated[Path | None, typer.Option(help="Draw it: FILE.html, or FILE.png with matplotlib.")] = None,
    lang: Annotated[str | None, typer.Option(help="en or ja; by default HAYATE_LANG or the locale.")] = None,
) -> None:
    """Measure how fast models answer: first output, time per token, tokens/s, failures; before and after."""
    from hayate.tools.measure.commands import run_bench
    from hayate.tools.measure.options import Options

    options = Options(
        models=models,
        concurrency=concurrency,
        calls=calls,
        url=url,
        api=api,
        key=key,
        prompts=prompts,
        max_tokens=max_tokens,
        temperature=temperature,
        timeout_s=timeout,
        warm_up=warm_up,
        unique=unique,
        label=label,
        compare=compare,
        show=show,
        as_json=as_json,
        raw=raw,
        plot=plot,
    )
    raise SystemExit(run_bench(options, terminal_language({"LANG": lang} if lang else os.environ)))


def _fail(text: str) -> NoReturn:
    typer.echo(text, err=True)
    raise SystemExit(2)


def main() -> None:
    """The entry point of the `hayate` command."""
    fill_closed_descriptors()
    # As the first process of a container, only signals with a handler are heard; the gateway sets its own once it runs.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    app(prog_name="hayate", args=sys.argv[1:])
