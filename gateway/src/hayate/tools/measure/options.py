"""What `hayate bench` can be told."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from typer import Option

from hayate.language import Text


@dataclass(frozen=True, slots=True)
class BenchOptions:
    """What was typed; nothing of it is checked yet (`plan.plan_of`)."""

    models: Annotated[
        str | None,
        Option("--models"),
        Text(
            "Names with commas between; by default every deployment.",
            "モデル名（カンマ区切り）。省略するとすべてのデプロイメント。",
        ),
    ] = None
    concurrency: Annotated[
        int, Option("--concurrency", "-c"), Text("Calls at the same time.", "同時に行う呼び出しの数。")
    ] = 4
    calls: Annotated[int, Option("--calls", "-n"), Text("Calls a model.", "モデルごとの呼び出し回数。")] = 32
    url: Annotated[
        str | None,
        Option("--url"),
        Text(
            "The server to ask; by default the gateway of this configuration, or the one that runs.",
            "測る相手のアドレス。省略すると、設定が指すゲートウェイか、動作中のゲートウェイ。",
        ),
    ] = None
    config: Annotated[
        Path | None,
        Option("--config"),
        Text(
            "The gateway's YAML file, else HAYATE_CONFIG: it says where the gateway is.",
            "ゲートウェイのYAMLファイル。省略するとHAYATE_CONFIG。ゲートウェイのアドレスを調べます。",
        ),
    ] = None
    api: Annotated[
        str,
        Option("--api"),
        Text(
            "openai, or generate_stream: GET /generate_stream?prompt=.",
            "openai、またはgenerate_stream（GET /generate_stream?prompt=）。",
        ),
    ] = "openai"
    key: Annotated[
        str | None,
        Option("--key"),
        Text(
            "Its key; HAYATE_API_KEY or data/api_key stay out of `ps`.",
            "APIキー。HAYATE_API_KEYかdata/api_keyなら、psの表示に残りません。",
        ),
    ] = None
    prompts: Annotated[
        Path | None,
        Option("--prompts"),
        Text(
            "Your own: a prompt a line, or .jsonl with messages.",
            "自分のプロンプトのファイル（1行に1件、またはmessagesを持つ.jsonl）。",
        ),
    ] = None
    max_tokens: Annotated[
        int, Option("--max-tokens"), Text("Tokens an answer may have.", "1件の回答の最大トークン数。")
    ] = 128
    temperature: Annotated[
        float | None, Option("--temperature"), Text("Left to the server unless set.", "省略するとサーバーに任せます。")
    ] = None
    timeout_s: Annotated[
        float, Option("--timeout"), Text("Seconds one call may take.", "1回の呼び出しの制限時間（秒）。")
    ] = 600.0
    warm_up: Annotated[
        bool,
        Option("--warm-up/--no-warm-up"),
        Text("Make one call first that does not count.", "最初に、集計しない呼び出しを1回行います。"),
    ] = True
    unique: Annotated[
        bool,
        Option("--unique"),
        Text(
            "Begin each prompt anew, so that no cache helps.",
            "キャッシュが効かないよう、プロンプトの先頭を毎回変えます。",
        ),
    ] = False
    label: Annotated[
        str | None,
        Option("--label"),
        Text("What to call this run in tables and plots.", "表や図に使う、この計測の名前。"),
    ] = None
    compare: Annotated[
        Path | None, Option("--compare"), Text("An earlier --json to compare with.", "比較する、以前の--jsonの結果。")
    ] = None
    show: Annotated[
        Path | None,
        Option("--show"),
        Text("Measure nothing: show this --json again.", "計測せずに、この--jsonの結果を表示します。"),
    ] = None
    as_json: Annotated[
        bool,
        Option("--json"),
        Text("JSON to stdout, the table to stderr.", "JSONを標準出力へ、表を標準エラーへ出力します。"),
    ] = False
    raw: Annotated[bool, Option("--raw"), Text("Every call in the JSON too.", "JSONに1回ごとの結果も含めます。")] = (
        False
    )
    plot: Annotated[
        Path | None,
        Option("--plot"),
        Text("Draw it: FILE.html, or FILE.png with matplotlib.", "図を描きます（.html、matplotlibがあれば.png）。"),
    ] = None
    lang: Annotated[
        str | None,
        Option("--lang"),
        Text("en or ja; by default HAYATE_LANG or the locale.", "enかja。省略するとHAYATE_LANGかロケール。"),
    ] = None
