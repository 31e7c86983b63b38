"""How a tool comes to the command line: its options are the fields of one dataclass, each with its name, its type, its
default and its help in one place.

    @dataclass(frozen=True, slots=True)
    class BenchOptions:
        calls: Annotated[int, typer.Option("--calls", "-n", help="Calls a model.")] = 32

    def bench(options: BenchOptions) -> int: ...

A tool's `options` module holds the one, its `verbs` module the other. A verb imports what it needs when it runs, so
that `hayate --help` answers at once.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, TypeVar

import typer

Options = TypeVar("Options")

ConfigOption = Annotated[
    Path | None,
    typer.Option(
        "--config",
        "-c",
        envvar="HAYATE_CONFIG",
        help="The YAML file; without one, LLM_BACKEND, BACKEND_URL and MODEL decide.",
    ),
]


def verb(options: Callable[..., Options], run: Callable[[Options], int]) -> Callable[..., None]:
    """`run` as Typer takes a command: called and described like it, with the fields of `options` as its parameters. The
    status that `run` gives back is the command's.
    """

    def command(**given: Any) -> None:
        raise SystemExit(run(options(**given)))

    command.__name__, command.__doc__ = run.__name__, run.__doc__
    command.__dict__["__signature__"] = inspect.signature(options, eval_str=True)
    return command
