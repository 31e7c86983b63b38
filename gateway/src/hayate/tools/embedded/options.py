"""What `hayate up` can be told."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from typer import Option

from hayate.engines.llamacpp import SLOTS
from hayate.language import Text
from hayate.tools.command_line import ConfigOption, HostOption, PortOption


@dataclass(frozen=True, slots=True)
class UpOptions:
    """What was typed; None leaves it to the environment, the model or the machine."""

    config: ConfigOption = None
    host: HostOption = None
    port: PortOption = None
    model: Annotated[
        str | None,
        Option("--model"),
        Text(
            "A .gguf file, or a Hugging Face reference: owner/repo, owner/repo:Q4_K_M, owner/repo/file.gguf; else MODEL, "
            "else Qwen2.5-0.5B-Instruct.",
            ".ggufファイル、またはHugging Faceの名前（owner/repo、owner/repo:Q4_K_M、owner/repo/file.gguf）。省略すると"
            "MODEL、それもなければQwen2.5-0.5B-Instruct。",
        ),
    ] = None
    context_tokens: Annotated[
        int | None,
        Option("--context", min=64),
        Text(
            "Tokens of context of one answer; 4096 at most unless set.",
            "1件あたりのコンテキスト長（トークン）。省略すると最大4096。",
        ),
    ] = None
    slots: Annotated[
        int, Option("--slots", min=1, max=64), Text("Answers at the same time.", "同時に応答する件数。")
    ] = SLOTS
    threads: Annotated[
        int | None,
        Option("--threads", min=1),
        Text("Threads to compute with; by default one per core.", "計算に使うスレッド数。省略するとコアと同じ数。"),
    ] = None
    show_engine: Annotated[
        bool,
        Option("--show-engine"),
        Text(
            "llama.cpp's own messages here, not in data/engine.log.",
            "llama.cppのメッセージを、data/engine.logではなくここに表示します。",
        ),
    ] = False
    memory_check: Annotated[
        bool,
        Option("--memory-check/--no-memory-check"),
        Text("Refuse a model that would not fit in memory.", "メモリーに収まらないモデルなら起動しません。"),
    ] = True
