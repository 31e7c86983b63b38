"""The `hayate` command: every verb, and how it begins and ends. Each imports what it needs when it runs, so that
`hayate --help` answers at once; a tool's verb declares its options itself (`tools.command_line`).
"""

from __future__ import annotations

import os
import signal
import sys
from typing import Annotated, ClassVar

import typer

from hayate import __version__
from hayate.language import Text
from hayate.telemetry.log_writer import fill_closed_descriptors
from hayate.tools.chat.options import ChatOptions
from hayate.tools.chat.verbs import chat_at
from hayate.tools.command_line import Verb, Verbs, verb
from hayate.tools.embedded.options import UpOptions
from hayate.tools.embedded.verbs import LEFT_ALONE, up
from hayate.tools.engines.options import LoadOptions, LogsOptions, PsOptions, UnloadOptions
from hayate.tools.engines.verbs import load_at, logs_at, ps_at, unload_at
from hayate.tools.environment import read_environment
from hayate.tools.gateway.options import CheckOptions, ServeOptions, ShowOptions
from hayate.tools.gateway.verbs import check_config, mistakes_told, place_of, serve, show
from hayate.tools.keys.group import keys
from hayate.tools.measure.options import BenchOptions
from hayate.tools.measure.verbs import bench_at
from hayate.tools.models.options import PullOptions, RmOptions
from hayate.tools.models.verbs import pull, rm
from hayate.tools.planner.options import ModelsOptions, PlanOptions
from hayate.tools.planner.verbs import models, plan
from hayate.tools.records.group import db
from hayate.tools.records.options import UsageOptions
from hayate.tools.records.verbs import usage
from hayate.tools.status.options import StatusOptions
from hayate.tools.status.verbs import status_at
from hayate.tools.top.options import TopOptions
from hayate.tools.top.verbs import top_at


class _Hayate(Verbs):
    """The command itself."""

    says = Text(
        "疾風 Hayate: one stable API in front of your LLM engines.",
        "疾風 Hayate: さまざまなLLM推論エンジンの前に置く、ひとつの安定したAPI。",
    )
    texts: ClassVar = {"version": Text("Show the version and end.", "バージョンを表示して終了します。")}


class _Config(Verbs):
    """What is about the settings."""

    says = Text("Look at the settings.", "設定を調べます。")


app = typer.Typer(
    cls=_Hayate,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _tell_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"hayate {__version__}")
        raise typer.Exit


@app.callback()
def _hayate(
    version: Annotated[bool, typer.Option("--version", callback=_tell_version, is_eager=True)] = False,
) -> None: ...


app.command("up", cls=Verb)(
    verb(
        UpOptions,
        mistakes_told(up),
        Text(
            "Start the gateway with an embedded engine: llama.cpp's own server, in a process beside it.",
            "内蔵エンジン（llama.cppのサーバー）とともにゲートウェイを起動します。",
        ),
        leaves=LEFT_ALONE,
    )
)
app.command("serve", cls=Verb)(
    verb(
        ServeOptions,
        mistakes_told(serve),
        Text(
            "Start the bare gateway in front of engines that run elsewhere.",
            "別に動いている推論エンジンの前に、ゲートウェイだけを起動します。",
        ),
    )
)
app.command("check-config", cls=Verb)(
    verb(
        CheckOptions,
        mistakes_told(check_config),
        Text(
            "Name every mistake and every oddity of a configuration, without starting anything.",
            "何も起動せずに、設定の誤りと不自然な点をすべて示します。",
        ),
    )
)
config_app = typer.Typer(cls=_Config, no_args_is_help=True, rich_markup_mode=None)
config_app.command("show", cls=Verb)(
    verb(
        ShowOptions,
        mistakes_told(show),
        Text(
            "Print every setting that holds and where its value comes from; secrets are hidden.",
            "有効な設定と、それぞれの値の出どころを表示します。秘密の値は表示しません。",
        ),
    )
)
app.add_typer(config_app, name="config")
app.add_typer(keys, name="key")
app.command("status", cls=Verb)(
    verb(
        StatusOptions,
        mistakes_told(status_at(place_of)),
        Text(
            "Show the gateway, its deployments and their replicas; the exit status is 0 when all are ready, 1 when some "
            "are not, 2 when the gateway can't be asked.",
            "ゲートウェイ、デプロイメント、レプリカの状態を表示します。終了コードは、すべて正常なら0、"
            "一部が利用できなければ1、ゲートウェイに確認できなければ2です。",
        ),
    )
)
app.command("top", cls=Verb)(
    verb(
        TopOptions,
        mistakes_told(top_at(place_of)),
        Text(
            "Show live who has the places at the engines and who waits: ceilings, keys, waits, tokens/s, the "
            "longest-running calls. Ctrl-C ends it.",
            "エンジンの使用状況とキューをリアルタイムで表示します（同時実行数の上限、キーごとの待ち、トークン/秒、"
            "実行時間の長い呼び出し）。Ctrl-Cで終了します。",
        ),
    )
)
app.command("ps", cls=Verb)(
    verb(
        PsOptions,
        mistakes_told(ps_at(place_of)),
        Text(
            "Show which models are loaded, where, and what they do; the exit status is 0, 1 when one has failed, 2 when the "
            "gateway can't be asked.",
            "読み込まれているモデルと、その場所、処理の状況を表示します。終了コードは、問題がなければ0、失敗したモデルがあれば1、"
            "ゲートウェイに確認できなければ2です。",
        ),
    )
)
app.command("load", cls=Verb)(
    verb(
        LoadOptions,
        mistakes_told(load_at(place_of)),
        Text(
            "Load a model, and wait until it is ready; others make room for it.",
            "モデルを読み込み、準備ができるまで待ちます。必要なら、ほかのモデルが場所を空けます。",
        ),
    )
)
app.command("unload", cls=Verb)(
    verb(
        UnloadOptions,
        mistakes_told(unload_at(place_of)),
        Text(
            "Unload a model once its calls have ended, or all; the next call loads it again.",
            "処理中の呼び出しが終わってから、モデルをメモリーから解放します。次の呼び出しで再び読み込みます。",
        ),
    )
)
app.command("logs", cls=Verb)(
    verb(
        LogsOptions,
        mistakes_told(logs_at(place_of)),
        Text(
            "Show what an engine has written that the gateway runs.",
            "ゲートウェイが起動したエンジンのログを表示します。",
        ),
    )
)
app.command("usage", cls=Verb)(
    verb(
        UsageOptions,
        mistakes_told(usage),
        Text(
            "Add up what was used, by key, project, model, day or hour.",
            "利用量を、キー、プロジェクト、モデル、日、時間ごとに集計します。",
        ),
    )
)
app.add_typer(db, name="db")
app.command("pull", cls=Verb)(
    verb(
        PullOptions,
        pull,
        Text(
            "Fetch a model into the models folder, whole or not at all; a download that was cut goes on where it ended.",
            "モデルを取得してmodelsフォルダーに置きます。中断した取得は、再実行すると続きから再開します。",
        ),
    )
)
app.command("rm", cls=Verb)(
    verb(
        RmOptions,
        rm,
        Text(
            "Take a model out of the models folder; not what is configured or in use, unless forced.",
            "modelsフォルダーのモデルを削除します（設定で参照中・使用中のものは、--forceがなければ削除しません）。",
        ),
    )
)
app.command("chat", cls=Verb)(
    verb(
        ChatOptions,
        mistakes_told(chat_at(place_of)),
        Text(
            "Talk with a model in this terminal; in a pipe, print one answer to standard input. Ctrl-C stops the answer, and "
            "the engine.",
            "端末でモデルと対話します。パイプでは、標準入力への回答だけを出力します。Ctrl-Cで回答とエンジンの処理を中止します。",
        ),
    )
)
app.command("models", cls=Verb)(
    verb(
        ModelsOptions,
        models,
        Text(
            "List the catalogue: sizes, KV cache per token, context, licence.",
            "モデルのカタログを表示します（サイズ、1トークンあたりのKVキャッシュ、コンテキスト長、ライセンス）。",
        ),
    )
)
app.command("plan", cls=Verb)(
    verb(
        PlanOptions,
        plan,
        Text(
            "Say what fits on a GPU, and the engine's flags for it.",
            "GPUに何が載るかと、そのための推論エンジンの設定を表示します。",
        ),
    )
)
app.command("bench", cls=Verb)(
    verb(
        BenchOptions,
        mistakes_told(bench_at(place_of)),
        Text(
            "Measure how fast models answer: first output, time per token, tokens/s, failures; before and after.",
            "モデルの応答の速さを測ります（最初の出力まで、1トークンあたりの時間、トークン/秒、失敗。変更前後の比較も）。",
        ),
    )
)


def main() -> None:
    """The entry point of the `hayate` command."""
    fill_closed_descriptors()
    # As the first process of a container, only signals with a handler are heard; the gateway sets its own once it runs.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    env = read_environment(dict(os.environ))
    env.lend(os.environ)
    app(prog_name="hayate", args=sys.argv[1:], obj=env)
