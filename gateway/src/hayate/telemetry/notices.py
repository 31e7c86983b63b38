"""Events as sentences for whoever looks at the terminal. One that has none here is told by its name and its facts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from hayate.language import Language, Text
from hayate.terminal import Colour


@dataclass(frozen=True, slots=True)
class Notice:
    """What is said, and its colour. What a fact holds is as it came: whoever shows it makes it plain."""

    text: str
    colour: Colour = ""


@dataclass(frozen=True, slots=True)
class _Sentence:
    """The colour, and the text with the facts' names in braces."""

    colour: Colour
    text: Text


SENTENCES: Mapping[str, _Sentence] = {
    "listening": _Sentence("green", Text("Hayate is listening on {url}", "疾風 Hayateが待ち受けています: {url}")),
    "stopping": _Sentence(
        "yellow",
        Text(
            "Stopping: answers under way may end first; Ctrl-C again ends at once",
            "停止しています。処理中の応答の完了を待ちます（もう一度Ctrl-Cで即時終了）",
        ),
    ),
    "stopped": _Sentence("", Text("Hayate has stopped", "疾風 Hayateを停止しました")),
    "key_made": _Sentence("", Text("A new API key was made: {file}", "APIキーを作成しました: {file}")),
    "replica_ready": _Sentence("green", Text("{replica} is up", "{replica}が応答しています")),
    "replica_not_ready": _Sentence(
        "red", Text("{replica} can't be used: {why}. {advice}", "{replica}を利用できません: {why}。{advice}")
    ),
    "replica_ejected": _Sentence(
        "yellow",
        Text("{replica} gets no calls for {for_s} s: {reason}", "{replica}への送信を{for_s}秒間止めます: {reason}"),
    ),
    "load_not_told": _Sentence(
        "yellow",
        Text(
            "{replica} does not tell how busy it is: it gets up to {places} calls at a time; max_in_flight sets another number",
            "{replica}は混雑状況を返さないため、同時に最大{places}件を送ります。max_in_flightで変更できます",
        ),
    ),
    "engine_loading": _Sentence("", Text("{engine} is being loaded", "{engine}を読み込んでいます")),
    "engine_loaded": _Sentence("green", Text("{engine} is loaded", "{engine}を読み込みました")),
    "engine_unloaded": _Sentence("", Text("{engine} was unloaded", "{engine}をメモリーから解放しました")),
    "engine_failed": _Sentence("red", Text("{reason}", "{reason}")),
    "engine_moved": _Sentence(
        "",
        Text(
            "{engine} is called at port {port} now: another program has taken {old}",
            "{engine}のポートを{port}に変更しました（{old}は別のプログラムに使用されています）",
        ),
    ),
    "reloaded": _Sentence("green", Text("The configuration was reloaded", "設定を再読み込みしました")),
    "reload_refused": _Sentence(
        "red",
        Text(
            "The new configuration has mistakes, and the old one stays:\n{reason}",
            "新しい設定に誤りがあるため、元の設定のまま動作します:\n{reason}",
        ),
    ),
    "origin_refused": _Sentence(
        "yellow",
        Text(
            "A page of {origin} may not call; to allow it, add the origin to {setting}",
            "{origin}のページからの呼び出しを拒否しました。許可するには{setting}に追加してください",
        ),
    ),
    "log_lines_dropped": _Sentence(
        "yellow",
        Text(
            "{lines} lines of {stream} were lost: nobody read them", "{stream}の{lines}行が失われました（読み手なし）"
        ),
    ),
    "content_is_kept": _Sentence(
        "yellow",
        Text(
            "Prompts and answers are kept of the keys: {keys} (record.content)",
            "次のAPIキーのプロンプトと回答を保存します: {keys}（record.content）",
        ),
    ),
    "contents_not_kept": _Sentence(
        "yellow",
        Text(
            "The prompts and answers of {count} calls were not kept: too much waits to be written",
            "{count}件の呼び出しのプロンプトと回答は保存されませんでした（書き込み待ちが多すぎます）",
        ),
    ),
    "answer_cut": _Sentence(
        "yellow", Text("The answer of {path} was cut off: {reason}", "{path}の応答が途中で終わりました: {reason}")
    ),
    "setting_deprecated": _Sentence("yellow", Text("{setting} {why}", "{setting}: {why}")),
    "key_ended": _Sentence(
        "",
        Text(
            "Key {key} is no longer good; calls stopped: {calls_stopped}",
            "APIキー{key}は無効になりました（中断した呼び出し: {calls_stopped}件）",
        ),
    ),
    "keys_unreadable": _Sentence(
        "red",
        Text(
            "The keys can't be read: {reason}. The {known} that are known go on for {known_go_on_s} s",
            "APIキーを読み取れません: {reason}。確認済みの{known}個は{known_go_on_s}秒間そのまま使えます",
        ),
    ),
    "keys_readable": _Sentence(
        "green",
        Text(
            "The keys can be read again, after {after_s} s", "APIキーを再び読み取れるようになりました（{after_s}秒後）"
        ),
    ),
    "store_migrated": _Sentence(
        "",
        Text(
            "{path} was brought to this release's form; as it was before: {copy}",
            "{path}をこのバージョンの形式に更新しました。更新前のコピー: {copy}",
        ),
    ),
    "store_unreachable": _Sentence(
        "red", Text("The database can't be used: {reason}", "データベースを利用できません: {reason}")
    ),
    "turn_not_kept": _Sentence(
        "red", Text("A turn was not kept: {reason}", "会話のやり取りを保存できませんでした: {reason}")
    ),
    "store_failing": _Sentence(
        "red",
        Text(
            "{path} can't be written: {reason}. Calls go on; records that wait: {waiting}",
            "{path}に書き込めません: {reason}。呼び出しは続行しています（書き込み待ちの記録: {waiting}件）",
        ),
    ),
    "store_back": _Sentence(
        "green", Text("{path} is written again, after {after_s} s", "{path}への書き込みを再開しました（{after_s}秒後）")
    ),
    "store_restored": _Sentence(
        "yellow",
        Text(
            "{path} was gone, and is there again with all it held",
            "{path}が失われていたため、内容をすべて書き戻しました",
        ),
    ),
    "calls_not_recorded": _Sentence(
        "red",
        Text(
            "{count} calls were not recorded: {limit} records wait already",
            "{count}件の呼び出しを記録できませんでした（書き込み待ちが上限の{limit}件に達しています）",
        ),
    ),
    "key_unreadable": _Sentence(
        "red",
        Text(
            "What the key {key} may do can't be read, so it lets nobody in: {reason}",
            "APIキー{key}の条件を読み取れないため、使用できません: {reason}",
        ),
    ),
    "search_index_made_anew": _Sentence(
        "yellow",
        Text(
            "The index of the conversations was damaged ({reason}) and is being made anew: until then search finds less",
            "会話の検索索引が壊れていたため作り直しています（{reason}）。完了するまで、検索で見つからないものがあります",
        ),
    ),
    "traces_not_overwritten": _Sentence(
        "yellow",
        Text(
            "What is left in the database's file of what was deleted can't be overwritten now ({reason}); it is tried again",
            "削除済みデータの痕跡をデータベースファイルから消去できません（{reason}）。後で再試行します",
        ),
    ),
    "store_made_anew": _Sentence(
        "red",
        Text(
            "{path} was gone, and an empty one was made: its keys and records are lost unless a backup is put in its place",
            "{path}が失われていたため、空のファイルを作成しました。バックアップがない限り、APIキーと記録は復元できません",
        ),
    ),
    "calls_lost": _Sentence(
        "red",
        Text(
            "{count} calls were not recorded before the end ({path}: {reason})",
            "{count}件の呼び出しを終了までに記録できませんでした（{path}: {reason}）",
        ),
    ),
    "call_not_recordable": _Sentence(
        "red", Text("Call {request_id} can't be recorded: {reason}", "呼び出し{request_id}を記録できません: {reason}")
    ),
    "library": _Sentence("yellow", Text("{logger}: {message}", "{logger}: {message}")),
}
BELOW: Mapping[str, Text] = {
    "restart_needed": Text("a restart is needed for: {fact}", "再起動すると有効になる設定: {fact}"),
    "reachable_at": Text("other machines can open: {fact}", "他の端末から開けるアドレス: {fact}"),
    "traceback": Text("{fact}", "{fact}"),
}
"""Facts that some events have and that are told on lines of their own."""


def notice_of(event: str, facts: Mapping[str, Any], language: Language) -> Notice:
    """How the event is told; a fact that is missing or None is told as `-`."""
    said = {name: _fact(value, language) for name, value in facts.items()}
    sentence = SENTENCES.get(event)
    if sentence is None:
        return Notice(" ".join([f"{event}:", *(f"{name}={value}" for name, value in said.items())]))
    text = sentence.text.of(language).format_map(_Facts(said))
    for name, below in BELOW.items():
        if facts.get(name):
            text += "\n" + below.of(language).format(fact=said[name])
    return Notice(text, sentence.colour)


class _Facts(dict[str, str]):
    """The facts of an event; whoever tells it may have left one out."""

    def __missing__(self, name: str) -> str:
        return "-"


def _fact(value: object, language: Language) -> str:
    if value is None:
        return "-"
    if isinstance(value, Text):
        return value.of(language)
    return ", ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)
