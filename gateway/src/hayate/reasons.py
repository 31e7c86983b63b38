"""Why an engine can't be used: one closed vocabulary for the operator's views, the log, the page and the callers.

A reason is found where a failure is first understood (`upstream`, `wire.engine_errors`) and stays with the error that
tells of it. Callers are told no address and no setting; whether trying again helps depends on the reason.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Final

from hayate.language import Text

AGAIN: Final = Text("Try again shortly.", "しばらくしてからもう一度お試しください。")
NOT_AGAIN: Final = Text("Tell whoever runs this gateway.", "ゲートウェイの管理者に連絡してください。")
"""What callers can do: about what goes by by itself, and about what has to be mended."""


class Reason(Enum):
    """The value is what programs read."""

    NOTHING_LISTENS = "nothing_listens"
    NAME_UNKNOWN = "name_unknown"
    UNREACHABLE = "unreachable"
    TLS_REFUSED = "tls_refused"
    WRONG_KEY = "wrong_key"
    LOADING = "loading"
    OUT_OF_MEMORY = "out_of_memory"
    REFUSED = "refused"
    FROZEN = "frozen"
    CUT = "cut"
    NO_ENGINE = "no_engine"
    COMMAND_MISSING = "command_missing"
    COMMAND_REFUSED = "command_refused"
    PORT_TAKEN = "port_taken"
    ENDED_EARLY = "ended_early"
    CRASHED = "crashed"
    START_TIMEOUT = "start_timeout"
    STILL_THERE = "still_there"
    TOO_LARGE = "too_large"

    @property
    def says(self) -> Text:
        """What is wrong, for the operator."""
        return _WORDS[self].says

    @property
    def advice(self) -> Text:
        """What the operator can do."""
        return _WORDS[self].advice

    @property
    def to_callers(self) -> Text:
        """The same in a word, for who can't mend it."""
        return _WORDS[self].to_callers

    @property
    def retry_s(self) -> float | None:
        """When it is worth trying again; None: not before somebody has mended it."""
        return _WORDS[self].retry_s


@dataclass(frozen=True, slots=True)
class _Words:
    says: Text
    advice: Text
    to_callers: Text
    retry_s: float | None = None


_WORDS: Final[Mapping[Reason, _Words]] = {
    Reason.NOTHING_LISTENS: _Words(
        Text("nothing listens at its address", "そのアドレスで待ち受けているプログラムがありません"),
        Text(
            "Start the engine, or wait for it to come up; is its address right?",
            "エンジンを起動するか、起動の完了を待ってください。アドレスも確認してください。",
        ),
        Text("its engine is not running yet", "エンジンが起動していません"),
        retry_s=5,
    ),
    Reason.NAME_UNKNOWN: _Words(
        Text("its host name is not known", "ホスト名を解決できません"),
        Text(
            "Check the name in its address. In compose it is the service's name.",
            "アドレスのホスト名を確認してください（composeではサービス名です）。",
        ),
        Text("its engine's address is not known", "エンジンのアドレスを解決できません"),
        retry_s=5,  # a container has no name before it runs
    ),
    Reason.UNREACHABLE: _Words(
        Text("its machine can't be reached", "マシンに到達できません"),
        Text(
            "Is the machine on, the address right, and no firewall between?",
            "マシンが起動しているか、アドレスとファイアウォールの設定を確認してください。",
        ),
        Text("its engine can't be reached", "エンジンに接続できません"),
        retry_s=5,
    ),
    Reason.TLS_REFUSED: _Words(
        Text("no secure connection could be made", "安全な接続（TLS）を確立できません"),
        Text(
            "Is it http or https there? An own certificate must be known to this machine (SSL_CERT_FILE).",
            "httpとhttpsのどちらかを確認してください。独自の証明書はこのマシンに登録が必要です（SSL_CERT_FILE）。",
        ),
        Text("its engine refuses secure connections", "エンジンと安全に接続できません"),
    ),
    Reason.WRONG_KEY: _Words(
        Text("it does not take the gateway's key", "ゲートウェイのキーが拒否されました"),
        Text(
            "Set BACKEND_API_KEY (or the deployment's api_key) to the engine's key.",
            "BACKEND_API_KEY（またはデプロイメントのapi_key）にエンジンのキーを設定してください。",
        ),
        Text("its engine does not take the gateway's key", "エンジンがゲートウェイのキーを受け付けません"),
    ),
    Reason.LOADING: _Words(
        Text("it is still loading its model", "モデルを読み込み中です"),
        Text(
            "Wait; large models take minutes. The engine's log shows how far it is.",
            "完了をお待ちください。大きなモデルでは数分かかります。進み具合はエンジンのログで確認できます。",
        ),
        Text("its model is still loading", "モデルを読み込み中です"),
        retry_s=5,
    ),
    Reason.OUT_OF_MEMORY: _Words(
        Text("it is out of memory", "メモリーが不足しています"),
        Text(
            "Give it less to hold: a shorter context, fewer calls at once, a smaller model. `hayate plan` computes it.",
            "コンテキスト長や同時実行数を減らすか、小さいモデルにしてください。`hayate plan`で計算できます。",
        ),
        Text("its engine is out of memory", "エンジンのメモリーが不足しています"),
    ),
    Reason.REFUSED: _Words(
        Text("it answers, and refuses", "応答はありますが、拒否されています"),
        Text(
            "The engine's log says why. Does the address lead to the engine itself?",
            "理由はエンジンのログを確認してください。アドレスがエンジンを指しているかも確認してください。",
        ),
        Text("its engine refuses calls", "エンジンが呼び出しを拒否しています"),
        retry_s=5,
    ),
    Reason.FROZEN: _Words(
        Text("it takes connections and answers nothing", "接続はできますが、応答がありません"),
        Text(
            "It hangs, or is very busy: look at its log and restart it if it does not come back.",
            "停止状態か、極端な過負荷です。エンジンのログを確認し、戻らなければ再起動してください。",
        ),
        Text("its engine does not respond", "エンジンが応答しません"),
    ),
    Reason.CUT: _Words(
        Text("it closes its connections before it has answered", "応答の前に接続が切断されます"),
        Text(
            "It has crashed or restarts: its log says why.",
            "異常終了したか、再起動中です。エンジンのログを確認してください。",
        ),
        Text("its engine broke off", "エンジンとの接続が切れました"),
        retry_s=1,
    ),
    Reason.NO_ENGINE: _Words(
        Text("what answers there is no such engine", "応答しているのは、このエンジンではありません"),
        Text(
            "Does the address lead to the engine, and is LLM_BACKEND (the deployment's backend) the right one?",
            "アドレスと、LLM_BACKEND（デプロイメントのbackend）を確認してください。",
        ),
        Text("its engine's address is wrong", "エンジンのアドレスに誤りがあります"),
    ),
    Reason.COMMAND_MISSING: _Words(
        Text("its command is not there", "コマンドが見つかりません"),
        Text(
            "Install the engine, or write the whole path of its program in `run.command`.",
            "エンジンをインストールするか、`run.command`にプログラムの絶対パスを書いてください。",
        ),
        Text("its engine can't be started", "エンジンを起動できません"),
    ),
    Reason.COMMAND_REFUSED: _Words(
        Text("its command can't be executed", "コマンドを実行できません"),
        Text(
            "Is it a program for this machine, and may it be executed (chmod +x)?",
            "このマシン用のプログラムか、実行権限（chmod +x）があるかを確認してください。",
        ),
        Text("its engine can't be started", "エンジンを起動できません"),
    ),
    Reason.PORT_TAKEN: _Words(
        Text("another program took its port", "ポートは別のプログラムに使用されています"),
        Text(
            "Nothing has to be done: it is started again on another port. Does its command take `{port}`?",
            "対応は不要です。別のポートで再起動します。コマンドで`{port}`を使っているかは確認してください。",
        ),
        Text("its engine is being started again", "エンジンを再起動しています"),
        retry_s=5,
    ),
    Reason.ENDED_EARLY: _Words(
        Text("it ends before it answers", "応答する前に終了します"),
        Text(
            "Its log says why: a wrong argument, a model that is not there, a library that is missing.",
            "理由はログを確認してください（引数の誤り、モデルの欠如、ライブラリーの不足など）。",
        ),
        Text("its engine could not be started", "エンジンを起動できませんでした"),
        retry_s=5,
    ),
    Reason.CRASHED: _Words(
        Text("it ended by itself", "エンジンが予期せず終了しました"),
        Text(
            "It is started again. Its log says why it ended.",
            "自動的に再起動します。終了した理由はログを確認してください。",
        ),
        Text("its engine is being started again", "エンジンを再起動しています"),
        retry_s=5,
    ),
    Reason.START_TIMEOUT: _Words(
        Text("it did not answer in time after its start", "起動後、時間内に応答しませんでした"),
        Text(
            "Its log shows how far it came. Is `run.ready` the right path, and `load_timeout_s` long enough?",
            "進み具合はログで確認できます。`run.ready`のパスと`load_timeout_s`の長さも確認してください。",
        ),
        Text("its engine did not start in time", "エンジンが時間内に起動しませんでした"),
        retry_s=5,
    ),
    Reason.STILL_THERE: _Words(
        Text("it does not end, and keeps its memory", "エンジンを終了できず、メモリーが解放されません"),
        Text(
            "A process of it hangs in the kernel, mostly in the GPU's driver: restart the machine.",
            "プロセスがカーネル内（多くはGPUドライバー）で停止しています。マシンを再起動してください。",
        ),
        Text("its engine could not be ended", "エンジンを終了できませんでした"),
    ),
    Reason.TOO_LARGE: _Words(
        Text("it needs more memory than its GPU has", "必要なメモリーがGPUの容量を超えています"),
        Text(
            "Choose a smaller model or quantisation, or a shorter context. `hayate plan` computes what fits.",
            "より小さいモデルや量子化、短いコンテキスト長にしてください。`hayate plan`で計算できます。",
        ),
        Text("it does not fit into memory", "メモリーに収まりません"),
    ),
}
