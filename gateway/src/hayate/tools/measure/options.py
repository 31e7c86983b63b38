"""What `hayate bench` can be told."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from typer import Option


@dataclass(frozen=True, slots=True)
class BenchOptions:
    """What was typed; nothing of it is checked yet (`plan.plan_of`)."""

    models: Annotated[str | None, Option(help="Names with commas between; by default every deployment.")] = None
    concurrency: Annotated[int, Option("--concurrency", "-c", help="Calls at the same time.")] = 4
    calls: Annotated[int, Option("--calls", "-n", help="Calls a model.")] = 32
    url: Annotated[str | None, Option(help="The server to ask; by default the gateway of this machine.")] = None
    api: Annotated[str, Option(help="openai, or generate_stream: GET /generate_stream?prompt=.")] = "openai"
    key: Annotated[str | None, Option(help="Its key; HAYATE_API_KEY or data/api_key stay out of `ps`.")] = None
    prompts: Annotated[Path | None, Option(help="Your own: a prompt a line, or .jsonl with messages.")] = None
    max_tokens: Annotated[int, Option(help="Tokens an answer may have.")] = 128
    temperature: Annotated[float | None, Option(help="Left to the server unless set.")] = None
    timeout_s: Annotated[float, Option("--timeout", help="Seconds one call may take.")] = 600.0
    warm_up: Annotated[bool, Option(help="Make one call first that does not count.")] = True
    unique: Annotated[bool, Option("--unique", help="Begin each prompt anew, so that no cache helps.")] = False
    label: Annotated[str | None, Option(help="What to call this run in tables and plots.")] = None
    compare: Annotated[Path | None, Option(help="An earlier --json to compare with.")] = None
    show: Annotated[Path | None, Option(help="Measure nothing: show this --json again.")] = None
    as_json: Annotated[bool, Option("--json", help="JSON to stdout, the table to stderr.")] = False
    raw: Annotated[bool, Option("--raw", help="Every call in the JSON too.")] = False
    plot: Annotated[Path | None, Option(help="Draw it: FILE.html, or FILE.png with matplotlib.")] = None
    lang: Annotated[str | None, Option(help="en or ja; by default HAYATE_LANG or the locale.")] = None
