"""What is said of engines on a terminal, in both languages: headings, states, and why each is as it is."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from hayate.language import Text
from hayate.terminal import Colour

HEADINGS: Final = (
    Text("deployment", "デプロイメント"),
    Text("state", "状態"),
    Text("calls", "処理中"),
    Text("waiting", "待ち"),
    Text("tokens/s", "トークン/秒"),
    Text("idle", "アイドル"),
)
STATES: Final[Mapping[str, tuple[Text, Colour]]] = {
    "ready": (Text("ready", "準備完了"), "green"),
    "unloaded": (Text("unloaded", "未読み込み"), "dim"),
    "loading": (Text("loading", "読み込み中"), "yellow"),
    "draining": (Text("draining", "完了待ち"), "yellow"),
    "unloading": (Text("unloading", "解放中"), "yellow"),
    "failed": (Text("failed", "失敗"), "red"),
    "not_ready": (Text("not ready", "利用不可"), "red"),
}
NEW: Final = "new"
WHY: Final[Mapping[str, Text]] = {
    NEW: Text("not asked for yet", "まだ呼び出しなし"),
    "asked": Text("a call asked for it", "呼び出しを受けて"),
    "preload": Text("preload", "事前読み込み（preload）"),
    "back": Text("back again", "元に戻した"),
    "operator": Text("the operator's command", "管理者の操作"),
    "loaded": Text("loaded", "読み込み完了"),
    "idle": Text("had nothing to do", "未使用のため"),
    "gave_way": Text("gave way to another model", "別のモデルに譲った"),
    "removed": Text("its configuration has changed", "設定の変更"),
    "crashed": Text("ended by itself", "異常終了"),
    "load_failed": Text("could not be loaded", "読み込みに失敗"),
    "kept": Text("needed again", "引き続き使用"),
    "stuck": Text("could not be unloaded", "解放に失敗"),
    "found": Text("loaded by somebody else", "外部の操作で読み込み"),
    "lost": Text("unloaded by somebody else", "外部の操作で解放"),
    "too_large": Text("does not fit on its GPU", "GPUに収まらない"),
}
NONE: Final = Text("no deployments", "デプロイメントがありません")
PINNED: Final = Text("pinned", "固定（pin）")


def of_all(used: str, size: str) -> Text:
    """How much of a GPU's memory is taken."""
    return Text(f"{used} of {size}", f"{size}中{used}を使用")


def of_each(size: str) -> Text:
    """What a model takes of each of several GPUs."""
    return Text(f"{size} each", f"各{size}")


def since(why: str, ago: str) -> Text:
    """Why it is in its state, and how long ago it came into it."""
    word = WHY.get(why, Text(why, why))
    if why == NEW:
        return word
    return Text(f"{word.en}, {ago} ago", f"{word.ja}（{ago}前）")


def took(seconds: str) -> Text:
    """How long its last load took."""
    return Text(f"loads in {seconds}", f"読み込み時間{seconds}")


def again(seconds: str) -> Text:
    """When a load is tried again."""
    return Text(f"tried again in {seconds}", f"{seconds}後に再試行")


def error(text: Text) -> Text:
    """What last went wrong."""
    return Text(f"last error: {text.en}", f"直近のエラー: {text.ja}")
