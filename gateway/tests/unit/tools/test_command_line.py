"""A verb's options are declared once, as the fields of a dataclass; the command line knows them all from there."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass, fields
from inspect import signature
from pathlib import Path
from typing import Annotated

import pytest
import typer
from typer.testing import CliRunner

from hayate.cli import app
from hayate.tools.command_line import verb
from hayate.tools.embedded.options import UpOptions
from hayate.tools.measure.options import BenchOptions
from hayate.tools.planner.options import ModelsOptions, PlanOptions


@dataclass(frozen=True, slots=True)
class Greeting:
    """What was typed."""

    name: str
    often: Annotated[int, typer.Option("--often", "-n", min=1, help="How often.")] = 1
    loud: Annotated[bool, typer.Option(help="Shout.")] = False
    file: Annotated[Path | None, typer.Option(envvar="GREETING_FILE")] = None


def greet(options: Greeting) -> int:
    """Say hello."""
    typer.echo(f"{options!r}")
    return 3


def greeted(*words: str, env: dict[str, str] | None = None) -> tuple[int, str]:
    alone = typer.Typer(add_completion=False)
    alone.command()(verb(Greeting, greet))
    told = CliRunner().invoke(alone, list(words), env=env)
    return told.exit_code, told.output


def test_the_fields_are_the_options_and_the_status_is_the_verbs() -> None:
    assert greeted("A", "-n", "2", "--loud", "--file", "x") == (3, f"{Greeting('A', 2, True, Path('x'))!r}\n")
    assert greeted("A") == (3, f"{Greeting('A')!r}\n")
    assert greeted("A", env={"GREETING_FILE": "y"}) == (3, f"{Greeting('A', file=Path('y'))!r}\n")


def test_what_typer_checks_is_still_checked() -> None:
    status, said = greeted("A", "-n", "0")
    assert status == 2
    assert "--often" in said


def test_the_help_is_the_verbs_own_words() -> None:
    _, said = greeted("--help")
    assert "Say hello." in said
    assert "How often." in said
    assert "--no-loud" in said


@pytest.mark.parametrize(
    ("name", "options"), [("up", UpOptions), ("models", ModelsOptions), ("plan", PlanOptions), ("bench", BenchOptions)]
)
def test_every_tool_offers_the_options_that_it_declares(name: str, options: type) -> None:
    commands = [each.callback for each in app.registered_commands if each.callback is not None]
    (command,) = [each for each in commands if each.__name__ == name]
    assert list(signature(command).parameters) == [each.name for each in fields(options)]


def test_help_waits_for_nothing_that_only_a_running_verb_needs() -> None:
    heavy = ("uvicorn", "uvloop", "pydantic", "fastapi", "starlette", "yaml", "huggingface_hub", "rich.console")
    code = f"import sys; import hayate.cli; print([name for name in {heavy!r} if name in sys.modules])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"
