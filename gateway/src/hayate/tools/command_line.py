"""How a tool comes to the command line: its options are the fields of one dataclass, each with its name, its type, its
default and what it says in both languages in one place.

    @dataclass(frozen=True, slots=True)
    class BenchOptions:
        calls: Annotated[int, typer.Option("--calls", "-n"), Text("Calls a model.", "モデルごとの呼び出し回数。")] = 32

    def bench(options: BenchOptions, env: Environment) -> int: ...

A tool's `options` module holds the one, its `verbs` module the other. A verb imports what it needs when it runs, so
that `hayate --help` answers at once. No option reads a variable by itself: what is typed and what is found around the
command meet in the verb, which is handed both.
"""

from __future__ import annotations

import inspect
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, TypeVar, get_args, get_origin

import typer
from typer.core import TyperCommand, TyperGroup

from hayate.language import Text
from hayate.tools.environment import Environment, alone

if TYPE_CHECKING:
    from typer._click import Command, Context, HelpFormatter

Options = TypeVar("Options")

ConfigOption = Annotated[
    Path | None,
    typer.Option("--config", "-c"),
    Text(
        "The YAML file, else HAYATE_CONFIG; without one, LLM_BACKEND, BACKEND_URL and MODEL decide.",
        "YAMLファイル。省略するとHAYATE_CONFIG、それもなければLLM_BACKEND・BACKEND_URL・MODELに従います。",
    ),
]
HostOption = Annotated[
    str | None,
    typer.Option("--host"),
    Text(
        "The address to listen at, else HAYATE_HOST; 0.0.0.0 lets the network in.",
        "待ち受けるアドレス。省略するとHAYATE_HOST。0.0.0.0でネットワークに公開します。",
    ),
]
PortOption = Annotated[
    int | None,
    typer.Option("--port", "-p", min=0, max=65535),
    Text("The port to listen at, else HAYATE_PORT.", "待ち受けるポート。省略するとHAYATE_PORT。"),
]


def verb(
    options: Callable[..., Options],
    run: Callable[[Options, Environment], int],
    says: Text | None = None,
    leaves: Sequence[str] = (),
    *,
    unless_followed: bool = False,
) -> Callable[..., None]:
    """`run` as Typer takes a command: called like it, with the fields of `options` as its parameters. `says` is its help,
    else its docstring; `leaves` are variables of `.env` that it must not follow. The status that `run` gives back is the
    command's.
    """

    def command(ctx: typer.Context, **given: Any) -> None:
        if unless_followed and ctx.invoked_subcommand is not None:
            return
        env = environment_of(ctx).leaving(leaves)
        for complaint in env.complaints:
            typer.echo(complaint.of(env.language), err=True)
        raise SystemExit(run(options(**given), env))

    signature = inspect.signature(options, eval_str=True)
    around = inspect.Parameter("ctx", inspect.Parameter.POSITIONAL_OR_KEYWORD, annotation=typer.Context)
    fields = [each.replace(kind=inspect.Parameter.KEYWORD_ONLY) for each in signature.parameters.values()]
    command.__name__, command.__doc__ = run.__name__, run.__doc__
    command.__dict__["__signature__"] = signature.replace(parameters=[around, *fields])
    command.__dict__["says"] = says or Text(run.__doc__ or "", run.__doc__ or "")
    command.__dict__["texts"] = {name: text for name, each in signature.parameters.items() for text in _texts(each)}
    return command


def _texts(parameter: inspect.Parameter) -> list[Text]:
    if get_origin(parameter.annotation) is not Annotated:
        return []
    return [each for each in get_args(parameter.annotation) if isinstance(each, Text)]


def environment_of(ctx: Context) -> Environment:
    """What `main` read; where an application is run by itself, the process's environment and no file."""
    return ctx.obj if isinstance(ctx.obj, Environment) else alone(os.environ)


class Verb(TyperCommand):
    """A command that speaks both languages."""

    def format_help(self, ctx: Context, formatter: HelpFormatter) -> None:
        """Our own help, in the terminal's language."""
        from hayate.tools.help import command_help

        formatter.write(command_help(self, ctx, environment_of(ctx).language))


class Verbs(TyperGroup):
    """A group of them. What is mistyped is told in a line, in the terminal's language."""

    says = Text("", "")
    texts: ClassVar[Mapping[str, Text]] = {}
    """What its own options say."""

    def format_help(self, ctx: Context, formatter: HelpFormatter) -> None:
        """Our own help, in the terminal's language."""
        from hayate.tools.help import group_help

        formatter.write(group_help(self, ctx, environment_of(ctx).language))

    def resolve_command(self, ctx: Context, args: list[str]) -> tuple[str | None, Command | None, list[str]]:
        """Raises NoSuchVerb for a word that is none of ours."""
        from hayate.tools.mistyped import NoSuchVerb

        if self.get_command(ctx, args[0]) is None and not args[0].startswith("-"):
            raise NoSuchVerb(args[0], self.list_commands(ctx), ctx)
        return super().resolve_command(ctx, args)

    def main(
        self,
        args: Sequence[str] | None = None,
        prog_name: str | None = None,
        complete_var: str | None = None,
        standalone_mode: bool = True,
        windows_expand_args: bool = True,
        **extra: Any,
    ) -> Any:
        """As the process's whole work, unless told otherwise: what went wrong is told, and its status is the process's."""
        run = partial(super().main, args, prog_name, complete_var, False, windows_expand_args, **extra)
        if not standalone_mode:
            return run()
        from typer._click.exceptions import ClickException

        from hayate.tools.mistyped import told

        given = extra.get("obj")
        env = given if isinstance(given, Environment) else alone(os.environ)
        try:
            status = run()
        except ClickException as error:
            typer.echo(told(error, env.language), err=True)
            sys.exit(error.exit_code)
        except typer.Abort:
            sys.exit(130)
        sys.exit(status if isinstance(status, int) else 0)
