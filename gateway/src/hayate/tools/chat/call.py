"""One call of a talk: the request, and its answer as events.

Leaving off in the middle (Ctrl-C) cuts the connection: so the gateway learns of it, and stops the engine.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

import orjson

from hayate.language import Language, one_line
from hayate.terminal import plain
from hayate.tools.chat.events import Broke, Done, Event, Said, error_of, event_of
from hayate.tools.chat.refusals import AnswerFailed, CannotChat
from hayate.tools.line_stream import Answer, Broken, Silent, Unreached, opened
from hayate.tools.measure.target import Target

CHAT: Final = "/v1/chat/completions"
MODELS: Final = "/v1/models"
CONVERSATION: Final = "x-hayate-conversation"
OMITTED: Final = "x-hayate-turns-omitted"
SILENCE_S: Final = 600.0
"""The gateway says now and then that it is there; another server may read a long prompt without a word."""
MODELS_S: Final = 10.0
MOST_SAID: Final = 1000
MOST_RETRY_S: Final = 3600.0


@dataclass(frozen=True, slots=True)
class Begun:
    """The answer's head."""

    conversation: str | None
    omitted: str
    """How many older turns were left out; "" for none."""


class Later(AnswerFailed):
    """The gateway has said when to try again."""

    def __init__(self, english: str, japanese: str, *, code: str, retry_s: float) -> None:
        super().__init__(english, japanese, code=code, status=503)
        self.retry_s = retry_s


@dataclass(frozen=True, slots=True)
class Line:
    """To one server, in one language."""

    target: Target
    language: Language

    @property
    def _headers(self) -> Mapping[str, str]:
        said = {"accept-language": self.language}
        return said if self.target.key is None else {**said, "authorization": f"Bearer {self.target.key}"}

    def models(self) -> list[str]:
        """The names that can be called. Raises CannotChat."""
        origin = self.target.origin
        try:
            with opened(origin, "GET", MODELS, None, self._headers, silence_s=MODELS_S) as answer:
                values = _values(answer.body())
        except (Unreached, Broken):
            raise CannotChat(
                f"No gateway answers at {origin}. Start one with `hayate up` or `hayate serve`, or say where it is with --url, "
                f"HAYATE_PORT or --config.",
                f"{origin}でゲートウェイが応答しません。`hayate up`か`hayate serve`で起動するか、--url、HAYATE_PORT、--configの"
                f"いずれかで場所を指定してください。",
            ) from None
        if answer.status in (401, 403):
            raise CannotChat(
                f"The gateway at {origin} does not take the key: give one with HAYATE_API_KEY, or name its data folder with "
                f"HAYATE_DATA.",
                f"{origin}のゲートウェイがAPIキーを受け付けません。HAYATE_API_KEYでキーを指定するか、データフォルダーをHAYATE_DATAで"
                f"指定してください。",
            )
        found = values.get("data")
        if answer.status != 200 or not isinstance(found, list):
            raise CannotChat(
                f"What answers at {origin} has no {MODELS} (status {answer.status}): name a gateway with --url.",
                f"{origin}で応答しているサーバーには{MODELS}がありません（status {answer.status}）。"
                f"--urlでゲートウェイを指定してください。",
            )
        names = [each.get("id") for each in found if isinstance(each, dict)]
        return [plain(name, 200) for name in names if isinstance(name, str)]

    def answer(self, fields: Mapping[str, Any]) -> Iterator[Begun | Event]:
        """The head, then what comes. Raises AnswerFailed, at once or later."""
        try:
            with opened(self.target.origin, "POST", CHAT, fields, self._headers, silence_s=SILENCE_S) as answer:
                if answer.status != 200:
                    raise _refused(answer)
                yield Begun(answer.headers.get(CONVERSATION), answer.headers.get(OMITTED, "").strip("0"))
                yield from _events(answer)
        except Unreached:
            raise AnswerFailed(
                f"{self.target.origin} can't be reached any more.", f"{self.target.origin}に接続できなくなりました。"
            ) from None
        except Silent:
            raise AnswerFailed(
                f"Nothing has come for {SILENCE_S:.0f} s.", f"{SILENCE_S:.0f}秒間、何も届いていません。"
            ) from None
        except Broken:
            raise _broke_off() from None


def _events(answer: Answer) -> Iterator[Event]:
    """Until it has said that it is whole. Raises AnswerFailed."""
    finished = False
    for line in answer.lines():
        event = event_of(line)
        if isinstance(event, Broke):
            said = plain(one_line(event.message), MOST_SAID)
            raise AnswerFailed(said, said, code=event.code)
        if isinstance(event, Done):
            return
        if event is not None:
            finished = finished or (isinstance(event, Said) and bool(event.finish))
            yield event
    if not finished:
        raise _broke_off()


def _broke_off() -> AnswerFailed:
    return AnswerFailed(
        "The answer broke off before it was whole. /retry asks again.", "回答が途中で切れました。/retryでやり直せます。"
    )


def _refused(answer: Answer) -> AnswerFailed:
    try:
        error = error_of(_values(answer.body()))
    except Broken:
        error = None
    said = plain(one_line(error.message), MOST_SAID) if error is not None else f"status {answer.status}"
    code = error.code if error is not None else ""
    retry = answer.headers.get("retry-after", "")
    if answer.status == 503 and retry.isdigit() and len(retry) < 6:
        return Later(said, said, code=code, retry_s=min(float(retry), MOST_RETRY_S))
    return AnswerFailed(said, said, code=code, status=answer.status)


def _values(body: bytes) -> Mapping[str, Any]:
    try:
        found = orjson.loads(body)
    except orjson.JSONDecodeError:
        return {}
    return found if isinstance(found, dict) else {}
