"""The gateway's paths that engines answer, whatever those call them: in one place, for the API and the adapters."""

from __future__ import annotations

from typing import Final

CHAT: Final = "/v1/chat/completions"
TEXT: Final = "/v1/completions"
COMPLETIONS: Final = frozenset({CHAT, TEXT})
"""Those that every engine answers, whatever it speaks itself: an adapter translates them."""

RESPONSES: Final = "/v1/responses"
MESSAGES: Final = "/v1/messages"
EMBEDDINGS: Final = "/v1/embeddings"
COUNT_TOKENS: Final = "/v1/messages/count_tokens"
SPEECH: Final = "/v1/audio/speech"
TRANSLATIONS: Final = "/v1/audio/translations"
PASSTHROUGH: Final = frozenset(
    {
        EMBEDDINGS,
        RESPONSES,
        MESSAGES,
        COUNT_TOKENS,
        "/v1/rerank",
        SPEECH,
        "/v1/audio/transcriptions",
        TRANSLATIONS,
        "/tokenize",
        "/detokenize",
    }
)
"""Those that pass through to the engines that have them; each engine's adapter says which it has."""
