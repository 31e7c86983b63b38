"""The `hayate` command: every verb, and how it begins and ends. Each imports what it needs when it runs, so that
`hayate --help` answers at once; a tool's verb declares its options itself (`tools.command_line`).
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Annotated, NoReturn

import typer

from hayate.language import Text, terminal_language
from hayate.telemetry.log_writer import fill_closed_descriptors
from hayate.tools.command_line import ConfigOption, verb
from hayate.tools.embedded.options import UpOptions
from hayate.tools.embedded.verbs import up
from hayate.tools.measure.options import BenchOptions
from hayate.tools.measure.verbs import bench
from hayate.tools.planner.options import ModelsOptions, PlanOptions
from hayate.tools.planner.verbs import models, plan

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="疾風 Hayate: one stable API in front of your LLM engines.",
)


@contextlib.contextmanager
def _mistakes_told() -> Iterator[None]:
    """What the operator can mend ends the command with its text alone and status 2."""
    from hayate.access.key_files import KeyFileError
    from hayate.config.yaml_file import ConfigError

    try:
        yield
    except ConfigError as error:
        _fail(str(error))
    except KeyFileError as error:
        _fail(error.text(terminal_language(os.environ)))


@app.command()
def serve(config: ConfigOption = None) -> None:
    """Start the bare gateway in front of engines that run elsewhere."""
    from hayate.config.load import load_config
    from hayate.serve.server import quiet_libraries, run
    from hayate.serve.specs import option_mistakes

    quiet_libraries()
    load = partial(load_config, config, check=option_mistakes)
    with _mistakes_told():
        run(load(), load)


@app.command("check-config")
def check_config(config: ConfigOption = None) -> None:
    """Validate the configuration without starting anything."""
    from hayate.config.load import load_config
    from hayate.serve.specs import option_mistakes

    with _mistakes_told():
        loaded = load_config(config, check=option_mistakes)
    for name, deployment in loaded.deployments.items():
        served, replicas = deployment.model or "(whatever it serves)", ", ".join(deployment.replicas)
        typer.echo(f"{name}: {deployment.backend} {served} at {replicas}")
    for alias, targets in loaded.aliases.items():
        typer.echo(f"{alias} -> {', '.join(targets)}")


app.command()(verb(UpOptions, _mistakes_told()(up)))


@app.command()
def key(
    config: ConfigOption = None,
    rotate: Annotated[
        bool, typer.Option("--rotate", help="Replace it by a new one; the old one ends when the gateway is restarted.")
    ] = False,
) -> None:
    """Show the API key that the gateway made at its first start, or was given. Makes none itself, unless told to replace it."""
    from hayate.access.key_files import MAIN, find_key
    from hayate.config.load import data_folder

    with _mistakes_told():
        data = data_folder(config)
        found = find_key(data)
    if found is None:
        _fail(_no_key((data / MAIN.file).absolute()))
    typer.echo(_rotated(data) if rotate else found)


def _rotated(data: Path) -> str:
    """A new key in place of the one in this folder."""
    from hayate.access.key_files import MAIN, write_key

    if os.environ.get(MAIN.variable, "").strip():
        _fail(
            "The key comes from HAYATE_API_KEY: change it there. / キーは HAYATE_API_KEY の値です。そちらを変更してください。"
        )
    try:
        made = write_key(data)
    except OSError as error:
        _fail(f"{data / MAIN.file}: {error.strerror}")
    typer.echo(
        "New key; restart the gateway to use it.\n新しいキーです。ゲートウェイを再起動すると有効になります。", err=True
    )
    return made


def _no_key(path: Path) -> str:
    """Another folder is the usual reason, and a second key would be of no use there."""
    return Text(
        f"There is no API key at {path}. The gateway makes one at its first start; "
        f"name its data folder with HAYATE_DATA, or its file with --config.",
        f"{path} にAPIキーがありません。キーはゲートウェイの初回起動時に作られます。"
        f"ゲートウェイのデータフォルダーを HAYATE_DATA で指定するか、設定ファイルを --config で指定してください。",
    ).of(terminal_language(os.environ))


app.command()(verb(ModelsOptions, models))
app.command()(verb(PlanOptions, plan))
app.command()(verb(BenchOptions, bench))


def _fail(text: str) -> NoReturn:
    typer.echo(text, err=True)
    raise SystemExit(2)


def main() -> None:
    """The entry point of the `hayate` command."""
    fill_closed_descriptors()
    # As the first process of a container, only signals with a handler are heard; the gateway sets its own once it runs.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    app(prog_name="hayate", args=sys.argv[1:])
