"""The `hayate` command. Each verb imports what it needs when it runs, so that `hayate --help` answers at once."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

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


@app.command()
def serve(config: ConfigOption = None) -> None:
    """Start the bare gateway in front of engines that run elsewhere."""
    from hayate.config import ConfigError, load_config
    from hayate.server import run

    try:
        loaded = load_config(config)
    except ConfigError as error:
        _fail(str(error))
    run(loaded)


@app.command("check-config")
def check_config(config: ConfigOption = None) -> None:
    """Validate the configuration without starting anything."""
    from hayate.config import ConfigError, load_config

    try:
        loaded = load_config(config)
    except ConfigError as error:
        _fail(str(error))
    for name, deployment in loaded.deployments.items():
        typer.echo(
            f"{name}: {deployment.backend} {deployment.model or '(the model the engine serves)'} at {', '.join(deployment.replicas)}"
        )
    for alias, targets in loaded.aliases.items():
        typer.echo(f"{alias} -> {', '.join(targets)}")


def _fail(text: str) -> None:
    typer.echo(text, err=True)
    raise SystemExit(2)


def main() -> None:
    """The entry point of the `hayate` command."""
    app(prog_name="hayate", args=sys.argv[1:])
