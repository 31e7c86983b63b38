"""`hayate config show`: every setting that holds, and who says so: what was typed, a variable, a line of `.env` or of the
file, or the default. Secrets are never shown, only that they are there.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping

import typer
from pydantic import ByteSize

from hayate.config.environment import EMBEDDED
from hayate.config.load import load_config, sources_of
from hayate.config.shown import Setting, shown
from hayate.config.values import shown_size
from hayate.language import Language, Text
from hayate.serve.specs import option_mistakes
from hayate.tools.environment import Environment
from hayate.tools.gateway.options import ShowOptions
from hayate.tools.gateway.place import ENGINE_OF_UP

NAME, VALUE = 24, 24
"""Columns of a name and of a value; a longer one pushes what follows."""
STAND_IN = ("deployments", EMBEDDED)
"""The engine of `hayate up`, of which nothing is known before it starts."""
HIDDEN = Text("(hidden)", "（非表示）")


def run_show(options: ShowOptions, env: Environment) -> int:
    """Prints all of it; the status. Raises ConfigError, as a start would."""
    around = env.typing(HAYATE_CONFIG=options.config, HAYATE_HOST=options.host, HAYATE_PORT=options.port)
    sources = sources_of(None, around)
    # A file without deployments is meant for `hayate up`, which brings one.
    for_up = sources.path is not None and not sources.document.values.get("deployments")
    config = load_config(None, around, embedded=ENGINE_OF_UP if for_up else None, check=option_mistakes)
    found = [each for each in shown(config, around) if not (for_up and each.where[:2] == STAND_IN)]
    if options.as_json:
        typer.echo(json.dumps({"settings": [each.as_json() for each in found]}, ensure_ascii=False, indent=2))
    else:
        typer.echo("\n".join(_lines(found, env.language)))
    return 0


def _lines(found: list[Setting], language: Language) -> Iterator[str]:
    from rich.cells import cell_len

    def padded(text: str, width: int) -> str:
        return text + " " * max(1, width - cell_len(text))

    group: tuple[str, ...] | None = None
    for each in found:
        depth = {"deployments": 2, "prices": 2, "gpus": 2}.get(each.where[0], 1) if len(each.where) > 1 else 0
        if each.where[:depth] != group:
            if group is not None:
                yield ""
            group = each.where[:depth]
            if group:
                yield ".".join(group)
        name, value = ".".join(each.where[depth:]), _shown(each).of(language)
        yield f"  {padded(name, NAME)}{padded(value, VALUE)}{each.source.text.of(language)}"


def _shown(each: Setting) -> Text:
    """A value in a line, for people."""
    value = each.value
    if value is None:
        return Text("-", "-")
    if each.is_secret:
        return HIDDEN
    if isinstance(value, bool):
        text = "true" if value else "false"
    elif isinstance(value, ByteSize):
        text = shown_size(value)
    elif isinstance(value, float):
        text = f"{value:g}"
    elif isinstance(value, tuple | list):
        text = ", ".join(map(str, value)) or "[]"
    else:
        text = json.dumps(value, ensure_ascii=False) if isinstance(value, Mapping) else str(value)
    return Text(text, text)
