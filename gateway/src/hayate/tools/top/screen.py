"""A look at a gateway as lines of a terminal: every deployment with its lanes, then the calls that have run for longest.

Where there is not room for all, each deployment keeps its two lines and the lanes with the most that waits; the calls give
way first.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from hayate.language import Language, Text
from hayate.terminal import COLUMNS, Colour, Paint, duration, left, plain, right, width
from hayate.tools.top.look import Call, Ceiling, Deployment, Lane, Look
from hayate.tools.top.words import (
    CALLS,
    CEILING,
    LANES,
    LEAVE,
    LOW,
    NO_CALLS,
    NO_DEPLOYMENTS,
    RATE,
    UNTOLD_CALLS,
    WHY,
    more_deployments,
    more_lanes,
    no_answer,
)

CELLS = (7, 7, 8, 9, 9, 9)
"""Of a lane's figures: weight, calls, waiting, longest, p50, p95; the name has the rest."""
MODEL, REPLICA, RUNNING = 20, 16, 9
"""Of a call, behind its key and project."""
KEY_CELLS = 12
MOST_COLUMNS = 140
MOST_REPLICAS = 4
"""That have a line each."""
HEAD = 3
"""Lines above the deployments: the title, a blank one, the headings."""
LEAST_CALLS, MOST_CALLS = 3, 10
"""Lines of calls below, if there are so many, beside the two of their heading."""
MOST_NAME = 200
BUSY_S = 1.0
"""A wait from here on is marked."""


@dataclass(frozen=True, slots=True)
class Screen:
    """How it is shown: in which language, how large (`rows` None: however long it is), in colours or not."""

    language: Language
    columns: int
    rows: int | None
    paint: Paint

    def lines(
        self, look: Look, rates: Mapping[str, float], url: str, time_of_day: str, silent_since: str | None = None
    ) -> list[str]:
        """The whole of it, without the ends of lines. `silent_since`: the look is an old one."""
        wide = min(max(self.columns, COLUMNS), MOST_COLUMNS) - 1
        calls = [call for call in look.calls or () if call.replica]
        deployments, calls_shown = self._rooms(look, len(calls))
        found = [self._title(url, time_of_day, silent_since, wide), "", self._headings(wide)]
        shown, lanes = _fit(look.deployments, deployments)
        for each, room in zip(look.deployments[:shown], lanes, strict=True):
            found += self._deployment(each, rates.get(each.name), room, wide)
        if shown < len(look.deployments):
            found.append(self.paint(f"… {self._say(more_deployments(len(look.deployments) - shown))}", "dim"))
        if not look.deployments:
            found.append(self._say(NO_DEPLOYMENTS))
        found += self._calls(look, calls[:calls_shown], wide)
        return found if self.rows is None else found[: self.rows]

    def _rooms(self, look: Look, calls: int) -> tuple[int | None, int]:
        """How many lines the deployments get, and the calls; None: all that they need."""
        most = min(calls, MOST_CALLS)
        if self.rows is None:
            return None, most
        room = self.rows - HEAD - 2
        wanted = sum(_head(each) + each.lane_count for each in look.deployments)
        for_calls = max(1, min(most, max(LEAST_CALLS, room - wanted)))
        return max(1, room - for_calls), for_calls

    def _title(self, url: str, time_of_day: str, silent_since: str | None, wide: int) -> str:
        end = self._say(LEAVE) if self.rows is not None else ""
        colour: Colour = "dim"
        if silent_since is not None:
            end, colour = self._say(no_answer(silent_since)), "red"
        begin = left(f"疾風 Hayate  {plain(url, MOST_NAME)}  {time_of_day}", wide - width(end) - 1)
        return f"{begin} {self.paint(end, colour)}" if end else begin.rstrip()

    def _headings(self, wide: int) -> str:
        name, *others = (self._say(each) for each in LANES)
        return self.paint(_row(name, others, wide), "bold")

    def _deployment(self, each: Deployment, rate: float | None, lanes: int | None, wide: int) -> Iterator[str]:
        about = ", ".join(plain(part, MOST_NAME) for part in (each.engine, *each.gpus))
        speed = "" if rate is None else f"{rate:,.1f} {self._say(RATE)}"
        name = left(f"{plain(each.name, MOST_NAME)} ({about})", wide - sum(CELLS))
        counts = f"{right('', CELLS[0])}{right(_said(each.in_flight), CELLS[1])}{right(_said(each.queued), CELLS[2])}"
        yield f"{self.paint(name, 'bold')}{counts}{right(speed, sum(CELLS[3:]))}".rstrip()
        for ceiling in self._ceilings(each):
            yield left(f"  {self._say(CEILING)} {ceiling}", wide).rstrip()
        shown = each.lanes if lanes is None else each.lanes[:lanes]
        if lanes is not None and 0 < lanes < each.lane_count:
            shown = each.lanes[: lanes - 1]
        for lane in shown:
            yield self._lane(lane, wide)
        if len(shown) < each.lane_count and lanes != 0:
            hidden = each.lanes[len(shown) :]
            in_flight, waiting = sum(one.in_flight or 0 for one in hidden), sum(one.waiting or 0 for one in hidden)
            text = more_lanes(each.lane_count - len(shown), in_flight, waiting)
            yield self.paint(left(f"  … {self._say(text)}", wide).rstrip(), "dim")

    def _ceilings(self, each: Deployment) -> Iterator[str]:
        """That of the only replica, or of each; where there are many, their sum."""
        if not 0 < len(each.ceilings) <= MOST_REPLICAS:
            yield f"{_said(each.capacity)}{_spare(each.spare)}"
            return
        for one in each.ceilings:
            name = "" if len(each.ceilings) == 1 else f"{plain(one.replica, MOST_NAME)}  "
            yield f"{_said(one.places)}{_spare(one.spare)}  {name}{self._why(one)}"

    def _why(self, ceiling: Ceiling) -> str:
        text = self._say(WHY.get(ceiling.why, Text(ceiling.why, ceiling.why)))
        return plain(text, MOST_NAME)

    def _lane(self, lane: Lane, wide: int) -> str:
        low = self._say(LOW) if lane.low else ""
        name = f"  {_name(lane.key, lane.project)}{low}"
        weight = "-" if lane.weight is None else f"{lane.weight:g}"
        oldest = duration(lane.oldest_s) if lane.waiting else "-"
        figures = [weight, _said(lane.in_flight), _said(lane.waiting)]
        waits = [duration(each) for each in (lane.wait_p50_s, lane.wait_p95_s)]
        row = _row(name, [*figures, oldest, *waits], wide)
        return self.paint(row, "yellow") if lane.waiting and (lane.oldest_s or 0.0) >= BUSY_S else row

    def _calls(self, look: Look, shown: Sequence[Call], wide: int) -> Iterator[str]:
        yield ""
        head = [self._say(each) for each in CALLS]
        yield self.paint(_call_row(head, wide), "bold")
        if look.calls is None:
            yield f"  {self._say(UNTOLD_CALLS)}"
        elif not shown:
            yield f"  {self._say(NO_CALLS)}"
        for call in shown:
            name = f"  {_name(call.key, call.project)}"
            cells = [plain(each, MOST_NAME) for each in (call.model, call.replica)]
            yield _call_row([name, *cells, duration(call.running_s)], wide)

    def _say(self, text: Text) -> str:
        return text.of(self.language)


def _head(each: Deployment) -> int:
    """How many lines a deployment has above its lanes."""
    return 1 + (len(each.ceilings) if 0 < len(each.ceilings) <= MOST_REPLICAS else 1)


def _fit(deployments: Sequence[Deployment], room: int | None) -> tuple[int, list[int | None]]:
    """How many deployments have room, and how many lines each has for its lanes: one after the other gets one more."""
    if room is None:
        return len(deployments), [None] * len(deployments)
    rest, shown = room - sum(map(_head, deployments)), len(deployments)
    while shown and rest < (shown < len(deployments)):  # a line for those that are left out
        shown -= 1
        rest += _head(deployments[shown])
    rest -= shown < len(deployments)
    lanes = [0] * shown
    while rest > 0:
        wanting = [number for number in range(shown) if lanes[number] < deployments[number].lane_count]
        if not wanting:
            break
        lanes[min(wanting, key=lambda number: lanes[number])] += 1
        rest -= 1
    return shown, [*lanes]


def _name(key: str, project: str) -> str:
    shown = plain(key, MOST_NAME)
    return f"{left(shown, max(KEY_CELLS, width(shown)))} {plain(project, MOST_NAME)}".rstrip()


def _row(name: str, figures: Sequence[str], wide: int) -> str:
    cells = "".join(right(each, cells) for each, cells in zip(figures, CELLS, strict=True))
    return f"{left(name, wide - sum(CELLS))}{cells}".rstrip()


def _call_row(cells: Sequence[str], wide: int) -> str:
    name, model, replica, running = cells
    begin = left(name, wide - MODEL - REPLICA - RUNNING - 2)
    return f"{begin} {left(model, MODEL)} {left(replica, REPLICA)}{right(running, RUNNING)}".rstrip()


def _said(count: int | None) -> str:
    return "-" if count is None else str(count)


def _spare(count: int | None) -> str:
    return f"+{count}" if count else ""
