"""How a call names a conversation: `conversation` as an id, "new", or an object; or the header `X-Conversation-Id`."""

from __future__ import annotations

from typing import Any, Final, NamedTuple

from hayate.errors import InvalidRequest
from hayate.wire.history_ids import is_conversation_id, unknown_conversation
from hayate.wire.refusals import wrong, wrong_value

FIELD: Final = "conversation"
HEADER: Final = b"x-conversation-id"
TELLS: Final = b"x-hayate-conversation"
TELLS_OMITTED: Final = b"x-hayate-turns-omitted"
"""Headers of answers: which conversation it was, how many turns were left out."""
NEW: Final = "new"


class Named(NamedTuple):
    """A conversation as a call names it."""

    id: str | None
    """None: a new one."""
    waits: bool = True
    """False: rather an error than to wait until another call that goes on with it has ended."""
    regenerates: bool = False
    """The last answer is to be made anew, and replaced."""
    truncates: bool = True
    """False: rather an error than to leave turns out."""


def named(value: Any, header: bytes | None) -> Named:
    """What a call names in its field, else in its header. Raises InvalidRequest; UnknownConversation for what can't be an id."""
    if value is None:
        return Named(_id_of((header or b"").decode("latin-1"), param=None))
    if isinstance(value, str):
        return Named(_id_of(value))
    if not isinstance(value, dict):
        raise wrong(FIELD, "an id, 'new', or an object with 'id'", "ID、'new'、または 'id' を持つオブジェクト")
    if unheard := value.keys() - _KINDS.keys():
        raise InvalidRequest(
            f"There is no field '{FIELD}.{min(unheard)[:40]}'; there are {', '.join(_KINDS)}.",
            f"'{FIELD}.{min(unheard)[:40]}' という項目はありません。使える項目: {', '.join(_KINDS)}",
            param=FIELD,
        )
    for name, (kind, wanted, wanted_ja) in _KINDS.items():
        if name in value and type(value[name]) is not kind:
            raise wrong(f"{FIELD}.{name}", wanted, wanted_ja)
    an_id = _id_of(value.get("id", ""))
    regenerates = value.get("regenerate", False)
    if regenerates and an_id is None:
        raise InvalidRequest(
            f"'{FIELD}.regenerate' needs a conversation that has an answer already; a new one has none.",
            f"'{FIELD}.regenerate' は、すでに回答のある会話に指定してください（新しい会話には使えません）。",
            param=f"{FIELD}.regenerate",
        )
    return Named(
        an_id,
        waits=value.get("wait", True),
        regenerates=regenerates,
        truncates=truncates(value.get("truncation"), f"{FIELD}.truncation"),
    )


def truncates(value: Any, field: str) -> bool:
    """Whether turns may be left out, as OpenAI says it. Raises InvalidRequest."""
    if value not in (None, "auto", "disabled"):
        raise wrong_value(field, "'auto' or 'disabled'", "'auto' か 'disabled'", value)
    return bool(value != "disabled")


def _id_of(text: str, *, param: str | None = FIELD) -> str | None:
    if text == NEW:
        return None
    if not text:
        raise wrong(FIELD, "a conversation's id, or 'new'", "会話のID、または 'new'")
    if not is_conversation_id(text):
        raise unknown_conversation(text, param=param)
    return text


_KINDS: Final[dict[str, tuple[type, str, str]]] = {
    "id": (str, "a conversation's id, or 'new'", "会話のID、または 'new'"),
    "wait": (bool, "true or false", "trueかfalse"),
    "regenerate": (bool, "true or false", "trueかfalse"),
    "truncation": (str, "'auto' or 'disabled'", "'auto' か 'disabled'"),
}
