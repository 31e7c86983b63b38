"""Why a call got no answer, in a word or two: what stands in its line where others have their speed."""

from __future__ import annotations

from collections.abc import Mapping

from hayate.errors import CLIENT_CLOSED
from hayate.language import Text

WORDS: Mapping[str, Text] = {
    "invalid_request_error": Text("bad request", "不正なリクエスト"),
    "unsupported_parameter": Text("unsupported field", "未対応のフィールド"),
    "context_length_exceeded": Text("prompt too long", "プロンプトが長すぎます"),
    "invalid_config": Text("mistakes in the configuration", "設定に誤り"),
    "invalid_api_key": Text("no key, or a wrong one", "APIキーがないか不正"),
    "permission_denied": Text("not allowed", "権限なし"),
    "model_not_found": Text("no such model", "モデルなし"),
    "key_not_found": Text("no such key", "APIキーなし"),
    "call_not_found": Text("no such call", "呼び出しなし"),
    "conversation_not_found": Text("no such conversation", "会話なし"),
    "item_not_found": Text("no such item", "アイテムなし"),
    "response_not_found": Text("no such response", "レスポンスなし"),
    "conversation_locked": Text("conversation in use", "会話が使用中"),
    "conversation_full": Text("conversation full", "会話の容量超過"),
    "unknown_path": Text("no such path", "パスなし"),
    "method_not_allowed": Text("wrong method", "使えないメソッド"),
    "stream_gone": Text("the stream is gone", "失われたストリーム"),
    "request_timeout": Text("sent too slowly", "送信が遅すぎます"),
    "request_too_large": Text("request too large", "リクエストが大きすぎます"),
    "url_too_long": Text("URL too long", "URLが長すぎます"),
    "unsupported_content_encoding": Text("unknown encoding", "未対応の圧縮形式"),
    "headers_too_large": Text("headers too large", "ヘッダーが大きすぎます"),
    "rate_limit_exceeded": Text("rate limit", "レート制限"),
    "not_supported": Text("not supported by the engine", "エンジンが未対応"),
    "engine_not_found": Text("no such engine", "エンジンなし"),
    "engine_not_switched": Text("not loaded by the gateway", "切り替え対象外"),
    "call_stopped": Text("stopped by the operator", "管理者が停止"),
    "keys_unreadable": Text("keys can't be read", "APIキーを確認不能"),
    "store_unreachable": Text("no database", "データベースを利用不能"),
    "history_unavailable": Text("no history", "履歴を利用不能"),
    "overloaded": Text("overloaded", "過負荷"),
    "deadline_unmet": Text("too late for its deadline", "期限に間に合わず"),
    "shutting_down": Text("shutting down", "停止処理中"),
    "upstream_error": Text("engine failed", "エンジンの障害"),
    "answer_too_large": Text("answer too large", "応答が大きすぎます"),
    "timeout": Text("engine too slow", "エンジンの応答なし"),
    "server_error": Text("fault of the gateway", "ゲートウェイの内部エラー"),
}
"""By `code` of the error, else its `type`. An engine's own code stands for itself."""
LEFT = Text("client left", "クライアントが切断")
FAILED = Text("failed", "失敗")


def refusal_word(error: str | None, status: int) -> Text:
    """What to say of a call that ended with this error and status."""
    if error is None:
        return LEFT if status == CLIENT_CLOSED else FAILED
    return WORDS.get(error) or Text(error, error)
