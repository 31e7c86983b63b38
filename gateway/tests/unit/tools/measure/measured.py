"""What the tests of `hayate bench` share: a plan with small numbers, a measurement in this process, the command in its own."""

from __future__ import annotations

import asyncio
import os
import signal
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from hayate.tools.measure.calls import MeasuredCall
from hayate.tools.measure.failure import Failure
from hayate.tools.measure.plan import BenchPlan
from hayate.tools.measure.prompts import built_in
from hayate.tools.measure.record import PromptsUsed, Record, RunSettings
from hayate.tools.measure.rounds import Rounds
from hayate.tools.measure.target import Api, Target
from tests.support.nursery import born
from tests.support.waiting import LAST_RESORT_S, eventually


class Silent:
    """A progress that nobody sees."""

    def model_begun(self, model: str, calls: int) -> None: ...
    def call_ended(self, call: MeasuredCall) -> None: ...
    def model_ended(self) -> None: ...


def plan(url: str, api: Api = "openai", key: str | None = None, **changes: Any) -> BenchPlan:
    """Four calls, two at a time, of a model called `fast`."""
    chosen: dict[str, Any] = {
        "models": ("fast",),
        "prompts": built_in(),
        "concurrency": 2,
        "calls": 4,
        "max_tokens": 32,
        "temperature": None,
        "warm_up": False,
        "unique": False,
        "timeout_s": 20.0,
    }
    return BenchPlan(target=Target(url, api, key), **{**chosen, **changes})


async def measured(chosen: BenchPlan) -> list[MeasuredCall]:
    """The calls of the only model."""
    rounds = Rounds(chosen, Silent())
    await rounds.run()
    (only,) = rounds.models
    return only.calls


def call(number: int = 1, **changes: Any) -> MeasuredCall:
    """A call that took a second: 0.2 s to the first output, nine tokens in all."""
    values: dict[str, Any] = {"started_s": 0.0, "total_s": 1.0, "ttft_s": 0.2, "output_tokens": 9, "chars": 18}
    return MeasuredCall(number, **{**values, **changes})


def failed(reason: str, detail: str = "", number: int = 1) -> MeasuredCall:
    """A call that came to nothing."""
    return MeasuredCall(number, 0.0, 0.1, failure=Failure(reason, detail))


def record(*models: Any, **changes: Any) -> Record:
    """A record of these models' figures."""
    settings = RunSettings(
        url="http://127.0.0.1:8080",
        api="openai",
        concurrency=4,
        calls=32,
        max_tokens=128,
        temperature=None,
        prompts=PromptsUsed(name="built-in-ja/1", count=32, sha256="0" * 64),
        unique=False,
        warm_up=True,
        timeout_s=600,
    )
    values: dict[str, Any] = {
        "date": "2026-11-22T09:00:00Z",
        "label": "gateway",
        "hayate": "0.1.0",
        "complete": True,
        "client_cpu_share": 0.1,
        "settings": settings,
        "models": list(models),
    }
    return Record.model_validate({**values, **changes})


@dataclass(frozen=True)
class Ended:
    """What the command wrote, and its exit status."""

    status: int
    stdout: str
    stderr: str

    @property
    def json(self) -> Any:
        return orjson.loads(self.stdout)


async def bench(
    *options: object, cwd: Path, env: dict[str, str] | None = None, interrupt_when: Callable[[], bool] | None = None
) -> Ended:
    """`hayate bench` in a process of its own, in an environment of its own; Ctrl-C once `interrupt_when` holds."""
    settings = {"PATH": os.environ["PATH"], "LANG": "C.UTF-8", "HOME": os.environ.get("HOME", "/"), **(env or {})}
    with tempfile.TemporaryDirectory() as folder:
        out, err = Path(folder, "stdout"), Path(folder, "stderr")
        with out.open("wb") as stdout, err.open("wb") as stderr:
            words = ["bench", *map(str, options)]
            process = born(words, settings, cwd, stdout=stdout.fileno(), stderr=stderr.fileno())
        if interrupt_when is not None:
            await eventually(interrupt_when)
            process.send_signal(signal.SIGINT)
        try:
            status = await asyncio.wait_for(process.wait(), LAST_RESORT_S)
        except TimeoutError:
            process.kill()
            await process.wait()
            raise AssertionError(f"hayate bench did not end: {err.read_text('utf-8')[-2000:]}") from None
        ended = Ended(status, out.read_text(encoding="utf-8"), err.read_text(encoding="utf-8"))
    assert "Traceback" not in ended.stderr, ended.stderr
    return ended
