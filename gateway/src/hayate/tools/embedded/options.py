"""What `hayate up` can be told."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from typer import Option

from hayate.tools.command_line import ConfigOption


@dataclass(frozen=True, slots=True)
class UpOptions:
    """What was typed; None leaves it to the model or the machine."""

    config: ConfigOption = None
    model: Annotated[
        str | None,
        Option(
            envvar="MODEL",
            help="A .gguf file, or a Hugging Face reference: owner/repo, owner/repo:Q4_K_M, owner/repo/file.gguf. "
            "Default: Qwen2.5-0.5B-Instruct.",
        ),
    ] = None
    context_tokens: Annotated[
        int | None, Option("--context", min=64, help="Tokens of context of one answer; 4096 at most unless set.")
    ] = None
    slots: Annotated[int, Option(min=1, max=64, help="Answers at the same time.")] = 4
    threads: Annotated[int | None, Option(min=1, help="Threads to compute with; by default one per core.")] = None
    show_engine: Annotated[
        bool, Option("--show-engine", help="llama.cpp's own messages here, not in data/engine.log.")
    ] = False
    memory_check: Annotated[bool, Option(help="Refuse a model that would not fit in memory.")] = True
