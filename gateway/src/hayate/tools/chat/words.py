"""What the talk's own lines say, in both languages."""

from __future__ import annotations

from typing import Final

from hayate.language import Text
from hayate.tools.chat.events import Queues, Waits

HELP: Final = (
    (
        "/new",
        Text("begin anew; model and system prompt stay", "新しい会話を始める（モデルとシステムプロンプトはそのまま）"),
    ),
    (
        "/model NAME",
        Text("go on with another model; without a name: which there are", "モデルを切り替える（名前を省略すると一覧）"),
    ),
    ("/system TEXT", Text("tell the model this before all else", "システムプロンプトを設定する（省略すると表示）")),
    ("/retry", Text("have the last answer made anew", "最後の質問への回答をやり直す")),
    ("/quit", Text("leave; Ctrl-D does too", "終了する（Ctrl-Dでも可）")),
    (
        '"""',
        Text(
            'several lines, until """; a \\ at a line\'s end goes on too',
            '複数行の入力（"""で終わる）。行末の\\でも次の行へ続く',
        ),
    ),
    ("Ctrl-C", Text("stop the answer, and the engine with it", "回答を中止する（エンジンの処理も止まる）")),
)
GREETING: Final = Text("/help shows the commands, Ctrl-D leaves", "/helpでコマンド一覧、Ctrl-Dで終了")
STOPPED: Final = Text("(stopped)", "（中止しました）")
LEAVE: Final = Text("Ctrl-D or /quit leaves.", "終了するにはCtrl-Dか/quit。")
NEW: Final = Text("A new conversation.", "新しい会話を始めます。")
NOTHING_YET: Final = Text("Nothing has been asked yet.", "まだ質問がありません。")
NO_SYSTEM: Final = Text(
    "There is no system prompt; /system TEXT sets one.",
    "システムプロンプトは未設定です。/system の後に続けて書くと設定します。",
)
SYSTEM_SET: Final = Text(
    "The system prompt holds from the next answer on.", "次の回答からこのシステムプロンプトを使います。"
)
NOT_KEPT: Final = Text(
    "The gateway no longer keeps this conversation; it goes on from here, all of it sent each time.",
    "この会話はゲートウェイに保存されなくなりました。以後は毎回全体を送って続けます。",
)
CUT_AT_LIMIT: Final = Text("cut at the limit of tokens", "トークン数の上限で終了")


def waits(event: Waits | Queues) -> Text:
    """What an answer waits for."""
    if isinstance(event, Queues):
        s = "" if event.wait_s is None else f"{event.wait_s:.0f}"
        more = Text(f", about {s} s", f"、あと約{s}秒") if s else Text("", "")
        return Text(f"waiting: place {event.place} in the queue{more.en}", f"順番待ち: {event.place}番目{more.ja}")
    last = "" if event.last_s is None else f"{event.last_s:.0f}"
    took = Text(f" (last time {last} s)", f"（前回は{last}秒）") if last else Text("", "")
    if event.for_s is None:
        return Text(
            f"{event.model} waits for its turn on the GPU{took.en}", f"{event.model}はGPUの順番を待っています{took.ja}"
        )
    return Text(
        f"{event.model} is being loaded: {event.for_s:.0f} s{took.en}",
        f"{event.model}を読み込み中: {event.for_s:.0f}秒{took.ja}",
    )


def waited(model: str, for_s: float) -> Text:
    """For an answer that has not begun, nobody has said why."""
    return Text(f"waiting for {model}: {for_s:.0f} s", f"{model}の応答を待っています: {for_s:.0f}秒")


def unknown_command(word: str) -> Text:
    """For what begins with a slash and is none of them."""
    return Text(
        f"There is no {word}; /help shows what there is.",
        f"{word}というコマンドはありません。/helpで一覧を表示します。",
    )


def goes_on_with(model: str) -> Text:
    """For a model that was chosen."""
    return Text(f"It goes on with {model}.", f"以後は{model}が回答します。")


def no_such_model(model: str, names: str) -> Text:
    """For one that there is not; `names` are those there are."""
    return Text(
        f"There is no model {model} here; there are: {names}.",
        f"{model}というモデルはありません。使えるモデル: {names}",
    )


def left_out(turns: str) -> Text:
    """Older turns did not fit any more."""
    return Text(
        f"{turns} older turns no longer fit the model's context and were left out.",
        f"コンテキストに収まらないため、古いやり取り{turns}件を除いて送りました。",
    )


def asks_again(message: str, for_s: float) -> Text:
    """The gateway has said when to come again."""
    return Text(
        f"{message} Asking again in {for_s:.0f} s; Ctrl-C stops.",
        f"{message} {for_s:.0f}秒後に再度問い合わせます（Ctrl-Cで中止）。",
    )


def figures(total_s: float, tokens: int | None, decode_s: float, finish: str) -> Text:
    """What stands below an answer."""
    count = "" if tokens is None else f"{tokens}"
    rate = f"{tokens / decode_s:.1f}" if tokens is not None and tokens > 1 and decode_s > 0.05 else ""
    en = [f"{total_s:.1f} s", *([f"{count} tokens"] if count else []), *([f"{rate}/s"] if rate else [])]
    ja = [f"{total_s:.1f}秒", *([f"{count}トークン"] if count else []), *([f"{rate}/秒"] if rate else [])]
    if finish == "length":
        en, ja = [*en, CUT_AT_LIMIT.en], [*ja, CUT_AT_LIMIT.ja]
    return Text(", ".join(en), "、".join(ja))
