"""What the live view says, in both languages: its headings, and why a ceiling is where it is."""

from __future__ import annotations

from collections.abc import Mapping

from hayate.language import Text

LEAVE = Text("Ctrl-C ends", "Ctrl-Cで終了")
LANES = (
    Text("key, project", "キー、プロジェクト"),
    Text("weight", "重み"),
    Text("calls", "処理中"),
    Text("waiting", "待ち"),
    Text("longest", "最長"),
    Text("p50", "p50"),
    Text("p95", "p95"),
)
CALLS = (
    Text("longest-running calls", "実行時間の長い呼び出し"),
    Text("model", "モデル"),
    Text("replica", "レプリカ"),
    Text("running", "経過"),
)
NO_DEPLOYMENTS = Text("no deployments", "デプロイメントがありません")
NO_CALLS = Text("none in flight", "処理中の呼び出しはありません")
UNTOLD_CALLS = Text("the gateway does not tell them at the moment", "現在、ゲートウェイから取得できません")
LOW = Text(" (low)", "（低優先）")
CEILING = Text("ceiling", "上限")
RATE = Text("tokens/s", "トークン/秒")
WHY: Mapping[str, Text] = {
    "fixed": Text("as configured", "設定値"),
    "slots": Text("the engine's slots", "エンジンのスロット数"),
    "starting": Text("starting", "調整開始"),
    "raised": Text("raised: all places were taken", "引き上げ: すべて使用中"),
    "engine_queue": Text("lowered: calls waited in the engine", "引き下げ: エンジン内で待ちが発生"),
    "kv_cache": Text("lowered: the KV cache was full", "引き下げ: KVキャッシュが満杯"),
    "too_slow": Text("lowered: answers were too slow", "引き下げ: 回答が遅い"),
    "engine_refused": Text("lowered: the engine refused calls", "引き下げ: エンジンが拒否"),
    "no_signals": Text("the engine tells no load", "エンジンの負荷情報なし"),
    "stale": Text("held: the engine tells no load any more", "据え置き: 負荷情報が途絶"),
}


def no_answer(since: str) -> Text:
    """What stands in place of the way out while the gateway says nothing; `since` is a time of day."""
    return Text(f"no answer since {since}", f"{since}から応答なし")


def more_lanes(count: int, in_flight: int, waiting: int) -> Text:
    """What stands for lanes that find no room."""
    return Text(
        f"{count} more: {in_flight} in flight, {waiting} waiting",
        f"ほか{count}件: 処理中{in_flight}、待ち{waiting}",
    )


def more_deployments(count: int) -> Text:
    """What stands for deployments that find no room."""
    return Text(f"{count} more deployments", f"ほか{count}個のデプロイメント")
