"""A gateway's status for people: every deployment and replica on a line, and why it is not well below it."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from hayate.language import Language, Text
from hayate.terminal import COLUMNS, Colour, Paint, left, plain, right
from hayate.tools.help import wrapped
from hayate.tools.loading.report import Report as Loading
from hayate.tools.loading.words import STATES as MODELS
from hayate.tools.status.answer import Answer, Deployment, Replica

STATE_CELLS, COUNT_CELLS = 14, 8
MOST_COLUMNS = 120
DAY_S = 86400
OVERALL: Mapping[str, tuple[Text, Colour]] = {
    "ready": (Text("ready", "正常"), "green"),
    "degraded": (Text("degraded", "一部利用不可"), "yellow"),
    "down": (Text("down", "利用不可"), "red"),
}
STATES: Mapping[str, tuple[Text, Colour]] = {
    "ok": (Text("up", "応答あり"), "green"),
    "unknown": (Text("not seen yet", "確認中"), "yellow"),
    "trial": (Text("on trial", "復帰確認中"), "yellow"),
    "answers": (Text("set aside", "一時除外"), "yellow"),
    "unreachable": (Text("unreachable", "応答なし"), "red"),
    "stuck": (Text("stuck", "応答停止"), "red"),
}
HEADINGS = (
    Text("deployment, replica", "デプロイメント、レプリカ"),
    Text("state", "状態"),
    Text("calls", "処理中"),
    Text("queued", "待ち"),
)
NAMES = Text("aliases", "エイリアス")
LAST_ERROR = Text("last error", "最後のエラー")
NONE = Text("no deployments", "デプロイメントがありません")


@dataclass(frozen=True, slots=True)
class Report:
    """How it is shown: in which language, how wide, in colours or not, and what time it is, in seconds since 1970."""

    language: Language
    now: float
    columns: int
    paint: Paint

    def lines(self, answer: Answer, url: str) -> Iterator[str]:
        """The whole of it, without the ends of lines."""
        width = min(max(self.columns, COLUMNS), MOST_COLUMNS) - 1
        word, colour = OVERALL[answer.overall]
        version = f" {plain(answer.version, 40)}" if answer.version else ""
        head = f"疾風 Hayate{version}  {plain(url, 200)}  {self.paint(word.of(self.language), colour)}"
        if answer.uptime_s is not None:
            head += f"  {duration(answer.uptime_s).of(self.language)}"
        yield head
        yield ""
        yield self.paint(self._row([each.of(self.language) for each in HEADINGS], width), "bold")
        for each in answer.deployments:
            yield from self._deployment(each, width)
        if not answer.deployments:
            yield NONE.of(self.language)
        if answer.aliases:
            yield ""
            yield self.paint(NAMES.of(self.language), "bold")
            for name, targets in answer.aliases.items():
                yield f"  {plain(name, 200)} → {', '.join(plain(target, 200) for target in targets)}"

    def _deployment(self, each: Deployment, width: int) -> Iterator[str]:
        what = ", ".join(plain(part, 200) for part in (each.engine, each.model) if part)
        name = plain(each.name, 200)
        shown = f"{name} ({what})" if each.model != each.name else f"{name} ({plain(each.engine, 200)})"
        words = OVERALL if each.state in OVERALL else MODELS
        yield self._row([shown, *self._state(words, each.state), _said(each.in_flight), _said(each.queued)], width)
        if each.loading is not None:
            yield from Loading(self.language, self.columns, self.paint).below(each.loading)
        if each.called:
            for replica in each.replicas:
                yield from self._replica(replica, width)

    def _replica(self, each: Replica, width: int) -> Iterator[str]:
        yield self._row(
            [f"  {plain(each.url, 400)}", *self._state(STATES, each.state), _said(each.in_flight), ""], width
        )
        below = [text for text in (each.reason, each.advice) if text and not each.ready]
        if each.last_error is not None and each.last_error.text != each.reason:
            below.append(f"{self._when(each.last_error.at)}: {each.last_error.text}")
        elif each.last_error is not None:
            below.append(self._when(each.last_error.at))
        for text in below:
            yield from (f"    {self.paint(line, 'dim')}" for line in wrapped(plain(text, 600), width - 4))

    def _when(self, at: float | None) -> str:
        """When the last error was: the time of day, and the day if it is not today's."""
        if at is None:
            return LAST_ERROR.of(self.language)
        shape = "%H:%M:%S" if abs(self.now - at) < DAY_S else "%Y-%m-%d %H:%M:%S"
        return f"{LAST_ERROR.of(self.language)} {time.strftime(shape, time.localtime(at))}"

    def _state(self, words: Mapping[str, tuple[Text, Colour]], state: str) -> tuple[str, Colour]:
        word, colour = words.get(state, (Text(state, state), ""))
        return plain(word.of(self.language), 40), colour

    def _row(self, cells: Sequence[str], width: int) -> str:
        """Name, state, its colour (unless it is the heading's row), calls, queued."""
        name, state, *others = cells
        colour: Colour = ""
        if len(others) == 3:
            colour, *others = others  # type: ignore[assignment]
        shown = left(name, width - STATE_CELLS - 2 * COUNT_CELLS - 1)
        counts = "".join(right(each, COUNT_CELLS) for each in others)
        return f"{shown} {self.paint(left(state, STATE_CELLS), colour)}{counts}".rstrip()


def duration(seconds: float) -> Text:
    """How long it runs, in its two largest units."""
    minutes, whole = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    units = (
        (days, Text("d", "日")),
        (hours, Text("h", "時間")),
        (minutes, Text("min", "分")),
        (whole, Text("s", "秒")),
    )
    first = next((index for index, (count, _) in enumerate(units) if count), len(units) - 1)
    shown = [(count, unit) for count, unit in units[first : first + 2] if count or first == len(units) - 1]
    english = " ".join(f"{count} {unit.en}" for count, unit in shown)
    japanese = "".join(f"{count}{unit.ja}" for count, unit in shown)
    return Text(f"up for {english}", f"稼働時間: {japanese}")


def _said(count: int | None) -> str:
    return "-" if count is None else str(count)
