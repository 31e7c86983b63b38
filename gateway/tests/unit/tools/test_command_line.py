"""A verb's options are declared once, as the fields of a dataclass; the command line knows them all from there."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields
from inspect import signature
from pathlib import Path
from typing import Annotated

import typer
from typer.testing import CliRunner

from hayate.cli import app
from hayate.language import Text
from hayate.tools.command_line import Verb, Verbs, verb
from hayate.tools.embedded.options import UpOptions
from hayate.tools.environment import Environment
from hayate.tools.gateway.options import KeyOptions, ServeOptions
from hayate.tools.keys.options import CreateOptions, ListOptions, OneOptions, RotateOptions, UpdateOptions
from hayate.tools.measure.options import BenchOptions
from hayate.tools.planner.options import ModelsOptions, PlanOptions
from hayate.tools.records.options import BackupOptions, DbOptions, UsageOptions
from tests.support.tables import table


@dataclass(frozen=True, slots=True)
class Greeting:
    """What was typed."""

    name: str
    often: Annotated[int, typer.Option("--often", "-n", min=1), Text("How often.", "回数。")] = 1
    loud: Annotated[bool, typer.Option(), Text("Shout.", "大声で。")] = False
    file: Annotated[Path | None, typer.Option(envvar="GREETING_FILE")] = None


def greet(options: Greeting, env: Environment) -> int:
    """Say hello."""
    typer.echo(f"{options!r}{env.get('WHO', '')}")
    return 3


def greeted(*words: str, obj: Environment | None = None, **env: str) -> tuple[int, str]:
    alone = typer.Typer(add_completion=False, rich_markup_mode=None, cls=Verbs)
    alone.command("greet", cls=Verb)(verb(Greeting, greet, Text("Say hello.", "挨拶します。"), leaves=("LEFT",)))
    alone.command("other", cls=Verb)(verb(Greeting, greet))
    told = CliRunner().invoke(alone, ["greet", *words], env={"LANG": "C", "HAYATE_LANG": "", **env}, obj=obj)
    return told.exit_code, told.output


def test_the_fields_are_the_options_and_the_status_is_the_verbs() -> None:
    assert greeted("A", "-n", "2", "--loud", "--file", "x") == (3, f"{Greeting('A', 2, True, Path('x'))!r}\n")
    assert greeted("A") == (3, f"{Greeting('A')!r}\n")
    assert greeted("A", GREETING_FILE="y") == (3, f"{Greeting('A', file=Path('y'))!r}\n")


def test_what_typer_checks_is_still_checked() -> None:
    status, said = greeted("A", "-n", "0")
    assert status == 2
    assert said.splitlines()[0] == "--often: a whole number of at least 1 is expected."


def test_the_help_is_the_verbs_own_words_in_either_language() -> None:
    for lang, words in (("en", ("Say hello.", "How often.", "Usage:")), ("ja", ("挨拶します。", "回数。", "使い方:"))):
        _, said = greeted("--help", HAYATE_LANG=lang)
        assert all(each in said for each in words)
        assert "--no-loud" in said


def test_the_verb_is_handed_what_main_read_and_what_could_not_be_read_is_told_before() -> None:
    env = Environment(
        {"HAYATE_LANG": "ja"}, {"WHO": ("!", 1), "LEFT": ("x", 2)}, {}, complaints=(Text("odd", "変です"),)
    )
    assert greeted("A", obj=env) == (3, f"変です\n{Greeting('A')!r}!\n")
    assert environment_seen(env).left == ("LEFT",)


def environment_seen(env: Environment) -> Environment:
    seen: list[Environment] = []

    def look(options: Greeting, env: Environment) -> int:
        """Look around."""
        seen.append(env)
        return 0

    alone = typer.Typer(add_completion=False)
    alone.command()(verb(Greeting, look, leaves=("LEFT",)))
    CliRunner().invoke(alone, ["A"], obj=env)
    return seen[0]


def callbacks(typed: typer.Typer, before: str = "") -> Iterator[tuple[str, Callable[..., object]]]:
    """What runs for each command, by the words that name it; for a group by itself, too."""
    for command in typed.registered_commands:
        if command.callback is not None:
            yield before + (command.name or command.callback.__name__), command.callback
    for group in typed.registered_groups:
        assert group.typer_instance is not None
        alone = group.typer_instance.registered_callback
        if alone is not None and alone.callback is not None:
            yield before + str(group.name), alone.callback
        yield from callbacks(group.typer_instance, f"{before}{group.name} ")


@table(
    ("name", "options"),
    [
        ("up", UpOptions),
        ("serve", ServeOptions),
        ("key", KeyOptions),
        ("key create", CreateOptions),
        ("key list", ListOptions),
        ("key show", OneOptions),
        ("key update", UpdateOptions),
        ("key revoke", OneOptions),
        ("key rotate", RotateOptions),
        ("usage", UsageOptions),
        ("db check", DbOptions),
        ("db backup", BackupOptions),
        ("db vacuum", DbOptions),
        ("db migrate", DbOptions),
        ("models", ModelsOptions),
        ("plan", PlanOptions),
        ("bench", BenchOptions),
    ],
)
def test_every_tool_offers_the_options_that_it_declares(name: str, options: type) -> None:
    command = dict(callbacks(app))[name]
    assert list(signature(command).parameters) == ["ctx", *(each.name for each in fields(options))]


def test_help_waits_for_nothing_that_only_a_running_verb_needs() -> None:
    heavy = ["uvicorn", "uvloop", "pydantic", "fastapi", "starlette", "yaml", "huggingface_hub", "rich.console"]
    heavy += ["sqlalchemy", "alembic"]
    code = f"import sys; import hayate.cli; print([name for name in {heavy!r} if name in sys.modules])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"
