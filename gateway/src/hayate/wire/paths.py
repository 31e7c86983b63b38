"""The gateway's paths that engines answer, whatever those call them: in one place, for the API and the adapters; and the
ways in which people write them.
"""

from __future__ import annotations

from typing import Final
from urllib.parse import unquote_to_bytes

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
_BELOW_V1: Final = frozenset(
    {path.split("/")[2].encode() for path in (*COMPLETIONS, *PASSTHROUGH) if path.startswith("/v1/")}
    | {b"models", b"usage", b"conversations"}
)
"""What follows /v1 in the paths that have it."""


def canonical(raw: bytes) -> bytes:
    """A path as it came, in the spelling of the table, with its %-escapes read.

    A base URL may end in a slash, may have its /v1 already or lack it: no slash counts that ends a path or follows
    another, /v1 counts once, and is put where it is missing. An escaped slash is none of these: it belongs to a name.
    """
    parts = [part for part in raw.split(b"/") if part]
    first = 0
    while parts[first : first + 2] == [b"v1", b"v1"]:
        first += 1
    if parts and parts[0] in _BELOW_V1:
        parts.insert(0, b"v1")
    return unquote_to_bytes(b"/" + b"/".join(parts[first:]))
