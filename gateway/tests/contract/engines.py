"""The engines of the contract suite: real ones where they run here, strict stand-ins for the others."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import pytest
from starlette.types import ASGIApp

from tests.contract.declared import FEATURES, Support
from tests.engines.launch import CONTEXT_TOKENS, EngineProcess, running_triton
from tests.engines.shared import installed
from tests.support.standin import StandIn, running_standin
from tests.support.standin_ollama import ollama
from tests.support.standin_sglang import sglang
from tests.support.standin_trtllm import trtllm

_VLLM = [pytest.mark.slow, pytest.mark.vllm]
_TRITON = [pytest.mark.slow, pytest.mark.triton]
SLOW = {"vllm": _VLLM, "openai-vllm": _VLLM, "triton": _TRITON, "triton-newer": _TRITON}
TOKENIZER = Path(__file__).parents[3] / "llm/tiny/tiny-qwen2"
STAND_INS: dict[str, Callable[[StandIn], ASGIApp]] = {
    "trtllm": trtllm,
    "ollama": ollama,
    "sglang": sglang,
    "openai": sglang,
}


@dataclass
class Engine:
    """One engine under the contract."""

    name: str
    """What the table calls it."""
    env: dict[str, str]
    running: Callable[[], Awaitable[int]]
    """How many calls the engine itself says it is working on."""
    stand_in: StandIn | None = None
    model: str = "tiny-qwen2"
    faults: tuple[str, ...] = ()
    """The faults in the middle of a stream that a prompt of that name brings about."""
    endless: dict[str, Any] = field(default_factory=lambda: asking("SLOW"))
    """A request that keeps the engine busy for far longer than a test watches."""

    def can(self, feature: str) -> Support:
        return FEATURES[feature].through(self.name)


Test = TypeVar("Test", bound=Callable[..., object])


def when(condition: Callable[..., bool]) -> Callable[[Test], Test]:
    """For tests that are about some engines: `condition` is given the engine's name, `over` what it is reached, if not
    itself, and the test's other parameters.
    """

    def mark(test: Test) -> Test:
        test.when = condition  # type: ignore[attr-defined]  # read by `applies`
        return test

    return mark


def needs(feature: str) -> Callable[[Test], Test]:
    """For tests of what a feature does: the engines where it is declared to work."""
    return when(lambda engine, **_: FEATURES[feature].works(engine))


def applies(item: pytest.Function) -> bool:
    """Whether a test is about its engine."""
    condition = getattr(item.function, "when", None)
    if condition is None:
        return True
    others = dict(item.callspec.params)
    name, _, over = str(others.pop("engine")).partition("-")
    return bool(condition(name, over=over, **others))


def asking(prompt: str, system: str | None = None) -> dict[str, Any]:
    """The fields of a chat request."""
    before = [{"role": "system", "content": system}] if system else []
    return {"model": "default", "messages": [*before, {"role": "user", "content": prompt}]}


def parameters() -> list[object]:
    """Every engine as a pytest parameter. `openai` is the adapter for any OpenAI-compatible engine: it has a stand-in of one
    that fills no gap, and vLLM.
    """
    names = ("llamacpp", "openai", "sglang", "trtllm", "ollama", "vllm", "openai-vllm", "triton", "triton-newer")
    return [pytest.param(name, id=name, marks=SLOW.get(name, [])) for name in names]


@contextmanager
def running_engine(name: str, folder: Path, shared: Callable[[str], EngineProcess]) -> Iterator[Engine]:
    """The engine of that name, up for the length of the block; `shared` gives those that run for the whole session."""
    if name in STAND_INS:
        with running_standin(STAND_INS[name]) as stand_in:
            yield _standing_in(name, stand_in)
    elif name.endswith("vllm"):
        yield _real(name.partition("-")[0], shared("shared_vllm"))
    elif name.startswith("triton"):
        installed("triton")
        with running_triton(folder) as process:
            yield _triton(process, "tensorrt_llm" if name.endswith("newer") else "ensemble")
    else:
        yield _real(name, shared("shared_llamacpp"))


def _standing_in(name: str, stand_in: StandIn) -> Engine:
    async def running() -> int:
        return stand_in.running

    env = {"LLM_BACKEND": name, "BACKEND_URL": stand_in.url, "MODEL": "tiny-qwen2"}
    return Engine(name, env, running, stand_in, faults=("ERROR_MID", "CUT_MID"))


def _real(name: str, process: EngineProcess) -> Engine:
    async def running() -> int:
        return sum(await process.load())

    endless = {**asking("repeat"), "temperature": 0, "max_tokens": 30_000, "extra_body": {"ignore_eos": True}}
    return Engine(name, {**process.env, "LLM_BACKEND": name}, running, endless=endless)


def _triton(process: EngineProcess, model: str) -> Engine:
    """tritonserver's model says in the server's log when a call begins and ends."""

    async def running() -> int:
        log = process.log.read_text(errors="replace")
        return log.count(f"{model}: begins") - log.count(f"{model}: ends")

    env = {"LLM_BACKEND": "triton", "BACKEND_URL": process.url, "MODEL": model, "HAYATE_TOKENIZER": str(TOKENIZER)}
    return Engine("triton", env, running, model=model, faults=("ERROR_MID",))


def context_tokens(engine: Engine) -> int:
    """How much fits: what a longer prompt must exceed."""
    return 8192 if engine.name == "ollama" else CONTEXT_TOKENS
