"""What `hayate key …` can be told."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from typer import Argument, Option

from hayate.language import Text
from hayate.tools.command_line import ConfigOption

JsonOption = Annotated[
    bool,
    Option("--json"),
    Text("Print JSON, for programs.", "プログラム用にJSONで表示します。"),
]
KeyArgument = Annotated[
    str,
    Argument(),
    Text("The key's id or name.", "APIキーのIDまたは名前。"),
]


@dataclass(frozen=True, slots=True, kw_only=True)
class TermsOptions:
    """What a key may do; None: nothing was typed."""

    project: Annotated[
        str | None,
        Option("--project"),
        Text(
            "Whose calls these are, for usage; the name unless told.",
            "利用量を集計するプロジェクト。省略すると名前と同じ。",
        ),
    ] = None
    models: Annotated[
        str | None,
        Option("--models"),
        Text(
            "Models it may call, with commas: aliases, deployments; 'all' for all.",
            "使えるモデル（エイリアスやデプロイメント）をコンマ区切りで。すべてならall。",
        ),
    ] = None
    areas: Annotated[
        str | None,
        Option("--areas"),
        Text(
            "What it is for, with commas: calls, history, usage.",
            "使える機能をコンマ区切りで: calls、history、usage。",
        ),
    ] = None
    rpm: Annotated[
        str | None,
        Option("--rpm"),
        Text("Requests in any minute; 'none' for no limit.", "1分間のリクエスト数の上限。なしならnone。"),
    ] = None
    tpm: Annotated[
        str | None,
        Option("--tpm"),
        Text("Tokens in any minute, prompts and answers together.", "1分間のトークン数の上限（入力と出力の合計）。"),
    ] = None
    input_tpm: Annotated[
        str | None,
        Option("--input-tpm"),
        Text("Tokens of prompts in any minute.", "1分間の入力トークン数の上限。"),
    ] = None
    output_tpm: Annotated[
        str | None,
        Option("--output-tpm"),
        Text("Tokens of answers in any minute.", "1分間の出力トークン数の上限。"),
    ] = None
    concurrency: Annotated[
        str | None,
        Option("--concurrency"),
        Text("Calls at the same time.", "同時実行数の上限。"),
    ] = None
    strict: Annotated[
        bool | None,
        Option("--strict/--not-strict"),
        Text(
            "Reserve the most that each call could use, so that no minute exceeds the tokens.",
            "呼び出しごとに最大量を確保し、トークン数の上限を厳密に守ります。",
        ),
    ] = None
    model_limit: Annotated[
        list[str] | None,
        Option("--model-limit"),
        Text(
            "Limits for one model on top: smart:rpm=10,tpm=1000,concurrency=1; smart:none takes them away. May come again.",
            "モデルごとの上限を追加: smart:rpm=10,tpm=1000,concurrency=1。取り消すならsmart:none（複数指定可）。",
        ),
    ] = None
    weight: Annotated[
        int | None,
        Option("--weight", min=1, max=100),
        Text(
            "Its share where calls queue, against keys of weight 1; at most 100.",
            "キューで待つときの優先度（省略すると1、最大100）。",
        ),
    ] = None
    expires: Annotated[
        str | None,
        Option("--expires"),
        Text("When it ends: 90d, 12h, 2027-01-31; 'never'.", "有効期限: 90d、12h、2027-01-31など。なしならnever。"),
    ] = None
    max_output: Annotated[
        str | None,
        Option("--max-output"),
        Text("The most tokens of one answer; 'none' for no limit.", "1回の回答の最大トークン数。なしならnone。"),
    ] = None
    default_model: Annotated[
        str | None,
        Option("--default-model"),
        Text(
            "The model of calls that name none; '' for no such model.",
            "モデル名を省略した呼び出しで使うモデル。なくすなら ''。",
        ),
    ] = None
    system: Annotated[
        str | None,
        Option("--system"),
        Text(
            "Put before every conversation, as a system prompt; '' for none.",
            "すべての会話の先頭に付けるシステムプロンプト。なくすなら ''。",
        ),
    ] = None
    default_max_tokens: Annotated[
        str | None,
        Option("--default-max-tokens"),
        Text(
            "The most tokens of an answer where a call does not say; 'none' for none.",
            "上限を省略した呼び出しの回答の最大トークン数。なしならnone。",
        ),
    ] = None
    store: Annotated[
        bool | None,
        Option("--store/--no-store"),
        Text(
            "Whether responses are kept that do not say; else the gateway's default holds.",
            "storeを省略したレスポンスを保存するかどうか。省略するとゲートウェイの既定値。",
        ),
    ] = None
    deadline_ms: Annotated[
        str | None,
        Option("--deadline-ms"),
        Text(
            "How many milliseconds a call is of use that does not say; 'none' for none.",
            "期限を指定しない呼び出しの期限（ミリ秒）。なしならnone。",
        ),
    ] = None
    json: JsonOption = False
    config: ConfigOption = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CreateOptions(TermsOptions):
    """A new key."""

    name: Annotated[
        str,
        Option("--name"),
        Text("What it is called: who will use it.", "APIキーの名前（使う人やプログラム）。"),
    ]


@dataclass(frozen=True, slots=True, kw_only=True)
class UpdateOptions(TermsOptions):
    """A key, and what is to change of it."""

    key: KeyArgument
    name: Annotated[str | None, Option("--name"), Text("A new name.", "新しい名前。")] = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ListOptions:
    """Which keys."""

    every: Annotated[
        bool,
        Option("--all", "-a"),
        Text("Those that are revoked or expired too.", "失効済み・期限切れのものも表示します。"),
    ] = False
    json: JsonOption = False
    config: ConfigOption = None


@dataclass(frozen=True, slots=True, kw_only=True)
class OneOptions:
    """One key."""

    key: KeyArgument
    json: JsonOption = False
    config: ConfigOption = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RotateOptions:
    """One key, and how long the one before it stays good."""

    key: Annotated[
        str,
        Argument(),
        Text(
            "The key's id or name; 'owner' for the gateway's own.",
            "APIキーのIDまたは名前。ゲートウェイ自身のキーはowner。",
        ),
    ]
    grace: Annotated[
        str | None,
        Option("--grace"),
        Text(
            "How long the old key stays good: 24h (unless typed), 30m, 0s.",
            "古いキーを使える猶予: 24h（省略時）、30m、0sなど。",
        ),
    ] = None
    json: JsonOption = False
    config: ConfigOption = None
