"""A bar that a person sees grow, drawn by the event loop's clock and by nothing else."""

from __future__ import annotations

import asyncio
import io
from collections.abc import Callable
from contextvars import Context
from functools import partial
from typing import TypeVarTuple, Unpack

import pytest
from rich.console import Console

from hayate.language import Language
from hayate.tools.measure.progress import DRAW_S, ProgressBar
from tests.unit.tools.measure.measured import call, failed

Given = TypeVarTuple("Given")


class Clock(asyncio.SelectorEventLoop):
    """An event loop in which half a second passes when a test says so."""

    def __init__(self) -> None:
        super().__init__()
        self.waiting: list[tuple[float, asyncio.TimerHandle, Callable[[], object]]] = []

    def call_later(
        self,
        delay: float,
        callback: Callable[[Unpack[Given]], object],
        *args: *Given,
        context: Context | None = None,
    ) -> asyncio.TimerHandle:
        handle = super().call_later(delay, callback, *args, context=context)
        self.waiting.append((delay, handle, partial(callback, *args)))
        return handle

    @property
    def timers(self) -> list[float]:
        """What is still waited for."""
        return [delay for delay, handle, _ in self.waiting if not handle.cancelled()]

    def tick(self) -> None:
        """The time of every timer has come."""
        due, self.waiting = self.waiting, []
        for _, handle, callback in due:
            if not handle.cancelled():
                handle.cancel()
                callback()


class Stage:
    """A bar in use, its clock, and what it has written."""

    def __init__(self, language: Language, terminal: bool) -> None:
        self.clock = Clock()
        self._written = io.StringIO()
        console = Console(file=self._written, force_terminal=terminal, width=120, color_system=None)
        self.bar = ProgressBar(console, language)

    def since(self) -> str:
        """What was written since the last time."""
        text = self._written.getvalue()
        self._written.seek(0)
        self._written.truncate()
        return text


def played(scene: Callable[[Stage], object], language: Language = "en", terminal: bool = True) -> Stage:
    """The stage after a scene that was played within its event loop, the bar in use."""
    stage = Stage(language, terminal)

    async def play() -> None:
        with stage.bar:
            scene(stage)

    with asyncio.Runner(loop_factory=lambda: stage.clock) as runner:
        runner.run(play())
    return stage


def test_a_bar_begins_empty_with_the_models_name() -> None:
    def scene(stage: Stage) -> None:
        stage.bar.model_begun("qwen[bold]", 4)
        drawn = stage.since()
        assert "qwen[bold]" in drawn
        assert "0/4" in drawn

    played(scene)


@pytest.mark.parametrize(
    ("language", "tokens", "failures"), [("en", "18 tokens", "failed: 2"), ("ja", "18トークン", "失敗: 2")]
)
def test_calls_tokens_and_failures_are_counted(language: Language, tokens: str, failures: str) -> None:
    def scene(stage: Stage) -> None:
        stage.bar.model_begun("fast", 5)
        for made in (call(1), failed("cut", number=2), call(3), failed("cut", number=4)):
            stage.bar.call_ended(made)
        stage.bar.model_ended()
        drawn = stage.since()
        assert "4/5" in drawn
        assert f"{tokens}  {failures}" in drawn

    played(scene, language)


def test_without_failures_none_is_spoken_of() -> None:
    def scene(stage: Stage) -> None:
        stage.bar.model_begun("fast", 1)
        stage.bar.call_ended(call(1))
        stage.bar.model_ended()
        drawn = stage.since()
        assert "9 tokens" in drawn
        assert "failed" not in drawn

    played(scene)


def test_calls_draw_nothing_until_the_clock_does() -> None:
    def scene(stage: Stage) -> None:
        stage.bar.model_begun("fast", 100)
        stage.since()
        for number in range(1, 51):
            stage.bar.call_ended(call(number))
        assert stage.since() == ""
        assert stage.clock.timers == [DRAW_S]
        stage.clock.tick()
        assert "50/100" in stage.since()
        assert stage.clock.timers == [DRAW_S]

    played(scene)


def test_the_clock_rests_when_a_model_has_ended() -> None:
    def scene(stage: Stage) -> None:
        stage.bar.model_begun("fast", 1)
        stage.bar.model_ended()
        assert stage.clock.timers == []

    played(scene)


def test_each_model_has_a_bar_and_counts_of_its_own() -> None:
    def scene(stage: Stage) -> None:
        stage.bar.model_begun("fast", 1)
        stage.bar.call_ended(failed("cut"))
        stage.bar.model_ended()
        stage.bar.model_begun("smart", 2)
        stage.since()
        stage.bar.call_ended(call(1))
        stage.bar.model_ended()
        above, below = stage.since().splitlines()[-2:]
        assert "fast" in above
        assert "smart" in below
        assert "failed: 1" in above
        assert "1/2" in below
        assert "9 tokens" in below
        assert "failed" not in below

    played(scene)


def test_a_measurement_that_is_broken_off_leaves_the_bar_as_far_as_it_came_and_no_clock() -> None:
    def scene(stage: Stage) -> None:
        stage.bar.model_begun("fast", 9)
        stage.bar.call_ended(call(1))
        stage.since()

    stage = played(scene)
    assert "1/9" in stage.since()
    assert stage.clock.timers == []


def test_a_call_that_ends_before_any_model_has_begun_is_no_trouble() -> None:
    played(lambda stage: stage.bar.call_ended(call(1)))


def test_nothing_is_written_where_nobody_looks() -> None:
    def scene(stage: Stage) -> None:
        stage.bar.model_begun("fast", 2)
        stage.bar.call_ended(call(1))
        stage.clock.tick()
        stage.bar.model_ended()

    assert played(scene, terminal=False).since() == ""
