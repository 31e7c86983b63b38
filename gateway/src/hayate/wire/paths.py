"""The gateway's paths whose requests and answers it reads, each with a dialect of its own."""

from __future__ import annotations

from typing import Final

CHAT: Final = "/v1/chat/completions"
TEXT: Final = "/v1/completions"
COMPLETIONS: Final = frozenset({CHAT, TEXT})
"""Those that every engine answers, whatever it speaks itself: an adapter translates them."""

RESPONSES: Final = "/v1/responses"
MESSAGES: Final = "/v1/messages"
EMBEDDINGS: Final = "/v1/embeddings"
