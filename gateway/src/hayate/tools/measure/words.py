"""Every word that a person reads in a table or a plot, in English and Japanese."""

from __future__ import annotations

from hayate.language import Language, Text
from hayate.tools.measure.record import Record

WORDS: dict[str, Text] = {
    "model": Text("model", "モデル"),
    "ttft": Text("first output", "最初の出力まで"),
    "tpot": Text("per token", "1トークンあたり"),
    "total": Text("whole answer", "回答全体"),
    "stream_tokens": Text("tokens/s, one stream", "トークン/秒（1本）"),
    "stream_chars": Text("characters/s, one stream", "文字/秒（1本）"),
    "tokens": Text("tokens/s in all", "トークン/秒（合計）"),
    "requests": Text("requests/s", "リクエスト/秒"),
    "failed": Text("failed", "失敗"),
    "so_many": Text("{tokens} tokens", "{tokens}トークン"),
    "failures": Text("Failed calls", "失敗した呼び出し"),
    "speed": Text("tokens/s", "トークン/秒"),
    "stream_all": Text("one / all", "1本 / 合計"),
    "figure": Text("figure", "指標"),
    "before": Text("before", "変更前"),
    "after": Text("after", "変更後"),
    "ratio": Text("ratio", "比較"),
    "faster": Text("{ratio}x as fast", "約{ratio}倍速い"),
    "slower": Text("{ratio}x as slow", "約{ratio}倍遅い"),
    "same": Text("the same", "同じ"),
    "lower": Text("lower is better", "小さいほど良い"),
    "higher": Text("higher is better", "大きいほど良い"),
    "bars": Text("Bars: median. Lines: from p5 to p95.", "棒は中央値、線は5〜95パーセンタイル。"),
    "of": Text("{failed} of {calls}", "{failed}/{calls}"),
    "title": Text("How fast it answers", "応答の速さ"),
    "settings": Text("Settings", "測定条件"),
    "what_was_asked": Text(
        "{calls} calls a model, {concurrency} at a time, up to {max_tokens} tokens each; prompts: {prompts} ({count})",
        "モデルごとに{calls}回、同時に{concurrency}件、1回最大{max_tokens}トークン。プロンプト: {prompts}（{count}件）",
    ),
    "different": Text("not measured alike", "測定条件の違い"),
    "written": Text("Written: {path}", "書き出しました: {path}"),
    "busy": Text(
        "This tool itself used {share}% of a core: its machine, not the server, may be what these figures show.",
        "この計測自体がCPUコアの{share}%を使いました。数値はサーバーではなく、計測側の限界を示している可能性があります。",
    ),
    "repeats": Text(
        (
            "Prompts were repeated ({calls} calls, different prompts: {count}): an engine with a prefix cache answers "
            "repeats sooner. --unique prevents it."
        ),
        (
            "{count}種類のプロンプトを{calls}回で繰り返しました。プレフィックスキャッシュのあるエンジンでは2回目以降が速くなります。"
            "--unique で防げます。"
        ),
    ),
    "counted": Text(
        "≈ The server does not say how many tokens it sent; each event counts as one.",
        "≈ サーバーがトークン数を返さないため、イベント1つを1トークンと数えています。",
    ),
    "incomplete": Text("stopped before the end", "途中で停止"),
}

REASONS: dict[str, Text] = {
    "connect": Text("no connection", "接続できません"),
    "broken": Text("the connection broke", "接続が切れました"),
    "timeout": Text("took longer than --timeout", "--timeoutを超えました"),
    "error_event": Text("an error within the stream", "ストリーム内のエラー"),
    "bad_event": Text("an event that can't be read", "読み取れないイベント"),
    "not_a_stream": Text(
        "200, but no event stream: is --api right?",
        "200ですがイベントストリームではありません（--apiを確認）",
    ),
    "empty": Text("an answer without any output", "出力のない回答"),
    "cut": Text("the stream was cut off", "ストリームが途中で終わりました"),
    "aborted": Text("the engine gave up", "エンジンが中断しました"),
    "status_401": Text(
        "401: give the key with HAYATE_API_KEY or --key",
        "401: HAYATE_API_KEYか--keyでAPIキーを渡してください",
    ),
}


def word(name: str, language: Language, **values: object) -> str:
    """A word or sentence in the language."""
    return WORDS[name].of(language).format(**values)


def reason(name: str, language: Language) -> str:
    """Why a call failed, for a person."""
    return REASONS[name].of(language) if name in REASONS else name.removeprefix("status_")


def asked(record: Record, language: Language) -> str:
    """How it was measured, as one line."""
    used = record.settings
    return word(
        "what_was_asked",
        language,
        calls=used.calls,
        concurrency=used.concurrency,
        max_tokens=used.max_tokens,
        prompts=used.prompts.name,
        count=used.prompts.count,
    )


def seconds(value: float | None) -> str:
    """A duration with three significant digits."""
    if value is None:
        return "—"
    if value >= 100:
        return f"{value:.0f} s"
    if value >= 1:
        return f"{value:.3g} s"
    return f"{value * 1000:.0f} ms" if value >= 0.1 else f"{value * 1000:.3g} ms"


def amount(value: float | None) -> str:
    """A rate with three significant digits."""
    if value is None:
        return "—"
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"
