"""What works through which engine: declared here, held to by the tests of this folder, and shown as a table in
docs-llm_api/engines.md (`python -m tests.contract.table --write`).

Every feature works, is refused with a 400 that names engine and field, or is left to the model or to how the engine was started.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

ENGINES = ("vllm", "llamacpp", "sglang", "trtllm", "triton", "ollama")


@dataclass(frozen=True)
class Refused:
    """400 `unsupported_parameter`; `field` is the request's field, as the error's `param` names it."""

    field: str


@dataclass(frozen=True)
class Depends:
    """The engine can, with a model or a start option that the tests don't have."""

    on: str
    on_ja: str


@dataclass(frozen=True)
class Works:
    """As True, with a remark for the reader."""

    note: str
    note_ja: str


Support = bool | Refused | Depends | Works
VISION = Depends("with a vision model", "画像対応モデルのとき")
SENT = Works("with a vision model", "画像対応モデルのとき")
OF_CHAT = Works("made of its chat", "チャットから変換")
EMBEDDING = Depends("with an embedding model", "埋め込みモデルのとき")


@dataclass(frozen=True)
class Feature:
    """One row of the table. `elsewhere` is what the engines not named in `but` do."""

    title: str
    title_ja: str
    but: Mapping[str, Support]
    elsewhere: Support = True

    def through(self, engine: str) -> Support:
        """What this engine does. `openai` stands for the vLLM or llama.cpp that it points at."""
        return self.but.get(engine, self.elsewhere)

    def works(self, engine: str) -> bool:
        """Whether the suite must see it work there."""
        return self.through(engine) is True or isinstance(self.through(engine), Works)


def _feature(title: str, title_ja: str, **but: Support) -> Feature:
    return Feature(title, title_ja, but)


FEATURES: Mapping[str, Feature] = {
    "chat": _feature("chat, streamed and whole", "チャット（ストリーム・一括）"),
    "usage": _feature(
        "`usage`", "`usage`", triton=Works("counted with the model's tokenizer", "モデルのトークナイザーで計算")
    ),
    "stop": _feature("`stop`, several strings", "`stop`（複数）"),
    "max_tokens": _feature("`max_tokens`, finish `length`", "`max_tokens`（終了理由 `length`）"),
    "system": _feature("system prompt, several turns", "システムプロンプト・複数ターン"),
    "seed": _feature("`seed`, `temperature`, `top_p`", "`seed`、`temperature`、`top_p`"),
    "completions": _feature("`/v1/completions`", "`/v1/completions`"),
    "generate_stream": _feature("`/generate_stream`", "`/generate_stream`"),
    "responses": _feature(
        "`/v1/responses`",
        "`/v1/responses`",
        llamacpp=OF_CHAT,
        trtllm=OF_CHAT,
        ollama=OF_CHAT,
        triton=Works("made of its chat, without tools", "チャットから変換（ツールなし）"),
    ),
    "tools": _feature(
        "tools (`tool_choice` auto, none)", "ツール（`tool_choice`は`auto`か`none`）", triton=Refused("tools")
    ),
    "tool_choice": _feature(
        "`tool_choice` required or named",
        "`tool_choice` の強制・指名",
        triton=Refused("tool_choice"),
        ollama=Refused("tool_choice"),
    ),
    "json_schema": _feature(
        "`response_format`: JSON schema", "`response_format`：JSONスキーマ", triton=Refused("response_format")
    ),
    "json_object": _feature(
        "`response_format`: JSON object", "`response_format`：JSONオブジェクト", triton=Refused("response_format")
    ),
    "logprobs": _feature("`logprobs`, `top_logprobs`", "`logprobs`、`top_logprobs`", triton=Refused("logprobs")),
    "n": _feature("`n` above 1", "`n` が2以上", triton=Refused("n"), ollama=Refused("n")),
    "logit_bias": _feature("`logit_bias`", "`logit_bias`", triton=Refused("logit_bias"), ollama=Refused("logit_bias")),
    "images": _feature(
        "images (`data:` URLs)",
        "画像（`data:` URL）",
        sglang=SENT,
        trtllm=SENT,
        ollama=SENT,
        vllm=VISION,
        llamacpp=VISION,
        openai=VISION,
        triton=Refused("messages.0.content.1.image_url"),
    ),
    "reasoning": _feature(
        "reasoning apart from the text",
        "思考の分離",
        vllm=Depends("field `reasoning`, with --reasoning-parser", "`--reasoning-parser` 指定時、`reasoning`"),
        llamacpp=Depends("field `reasoning_content`", "`reasoning_content`"),
        openai=Depends("as the engine does", "エンジンによる"),
        triton=Depends("no: it stays in the text", "なし（本文に含まれる）"),
    ),
    "embeddings": _feature(
        "`/v1/embeddings`",
        "`/v1/embeddings`",
        vllm=EMBEDDING,
        llamacpp=EMBEDDING,
        openai=EMBEDDING,
        sglang=EMBEDDING,
        trtllm=EMBEDDING,
        triton=Depends("no (501)", "なし（501）"),
    ),
    "context": _feature(
        "a prompt that is too long: 400 `context_length_exceeded`", "長すぎるプロンプト：400 `context_length_exceeded`"
    ),
    "loading": Feature(
        "its model is loaded and unloaded on demand",
        "モデルの読み込みと解放",
        {
            "vllm": Works("sleep mode, seen on a stand-in", "スリープモード（代役で確認）"),
            "llamacpp": Works("router mode, seen on a stand-in", "ルーターモード（代役で確認）"),
            "ollama": Works("`keep_alive`", "`keep_alive`"),
        },
        elsewhere=False,
    ),
    "leaving": _feature(
        "a client that leaves frees the engine",
        "クライアントの切断でエンジンを解放",
        sglang=Works("within 4 s", "4秒以内"),
        trtllm=Works("within 2 s", "2秒以内"),
    ),
}
