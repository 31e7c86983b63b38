"""Why an engine ended, from its status, the signal, and its last words: one reason, and a sentence for the operator. Pure.

What an engine says last is seldom the cause: a traceback ends with what followed from it. So what is looked for first is what
names a cause (memory, a port that is taken, llama.cpp's first line of error), then the last exception that does not point to
another.
"""

from __future__ import annotations

import errno
import re
import signal
from dataclasses import dataclass, field

from hayate.language import Text, one_line, reason_of
from hayate.reasons import Reason

MAX_LINE_CHARS = 2000
MAX_WORDS_CHARS = 300
NO_MEMORY = re.compile(
    r"out of memory|OutOfMemory|failed to allocate|unable to allocate|can(?:'|no)t allocate memory|std::bad_alloc|bad_alloc\b"
    r"|\bMemoryError\b|ErrorOutOf(?:Device|Host)Memory|CUBLAS_STATUS_ALLOC_FAILED|No available memory for the cache blocks"
    r"|is less than desired GPU memory utilization|larger than the available KV cache memory"
    r"|not enough memory|Cannot allocate memory",
    re.IGNORECASE,
)
"""PyTorch's words (vLLM, SGLang, TensorRT-LLM), vLLM's own, ggml's (llama.cpp), C++'s, Python's and the C library's."""
PORT_TAKEN = re.compile(r"address (?:is )?already in use|couldn't bind HTTP server|port \d+ is taken", re.IGNORECASE)
LLAMACPP_CAUSE = re.compile(r"error loading model(?: vocabulary)?: ")
LLAMACPP_ERROR = re.compile(r"^\S{1,64} E ")
EXCEPTION = re.compile(r"(?:^|[\s\]])((?:\w{1,64}\.){0,8}\w{0,64}(?:Error|Exception|Interrupt|Exit|Refused))(?::\s|$)")
FOLLOWS = re.compile(
    r"See root cause|Engine core initialization failed|failed core proc|EngineDeadError|^Traceback", re.IGNORECASE
)
COMPLAINT = re.compile(
    r"\b(?:error|fatal|failed|abort(?:ed)?|panic|segmentation fault|not found|invalid|unrecognized)\b", re.IGNORECASE
)
OURS = re.compile(r"^\[(?:starting|ended|could not be started|\d+ bytes are missing)\b")


@dataclass(frozen=True, slots=True)
class Ending:
    """How an engine ended, as its keeper tells."""

    status: int | None
    """As a process's return code: negative for a signal. None: nobody knows."""
    asked: bool = False
    """Whether it had been told to end."""
    killed: bool = False
    """Whether its keeper has killed it, because it did not end in time."""
    oom_kills: int | None = None
    """How many processes the kernel has killed meanwhile for want of memory, in the engine's control group; None: not known."""
    left: tuple[int, ...] = ()
    """Processes that could not even be killed."""
    lines: tuple[str, ...] = field(default=(), repr=False)
    """The last it wrote."""

    @property
    def words(self) -> Text:
        """The status or the signal, in brackets behind a sentence."""
        if self.status is None:
            return Text("nobody knows how", "終了状態不明")
        if self.status >= 0:
            return Text(f"status {self.status}", f"終了コード{self.status}")
        name = signal_name(-self.status)
        return Text(name, name)


def signal_name(number: int) -> str:
    """`SIGKILL` for 9; the number of one that has no name here."""
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def reason_for(ending: Ending, *, was_ready: bool) -> Reason:
    """Why an engine that was not told to end has ended."""
    if ending.oom_kills or any(NO_MEMORY.search(line) for line in ending.lines):
        return Reason.OUT_OF_MEMORY
    if ending.status == -signal.SIGKILL and not ending.killed and ending.oom_kills is None:
        return Reason.OUT_OF_MEMORY  # nobody else does that to an engine
    if not was_ready and any(PORT_TAKEN.search(line) for line in ending.lines):
        return Reason.PORT_TAKEN
    return Reason.CRASHED if was_ready else Reason.ENDED_EARLY


def what_happened(ending: Ending, reason: Reason, *, was_ready: bool) -> Text:
    """A sentence about an engine that ended by itself, without the stop at its end; it goes on from the deployment's name."""
    how, said = ending.words, cause(ending.lines, reason)
    why = Text(f": {said}", f": {said}") if said else Text("", "")
    if reason is Reason.OUT_OF_MEMORY:
        if ending.oom_kills:
            why = Text(": the kernel killed it", "、カーネルにより強制終了")
        elif not said:
            why = Text(": most likely the kernel killed it", "、カーネルによる強制終了とみられます")
        what = Text("ran out of memory", "メモリー不足で終了しました")
    elif was_ready:
        what = Text("ended by itself", "予期せず終了しました")
    else:
        what = Text("ended before it answered", "応答する前に終了しました")
    return Text(f"its engine {what.en} ({how.en}){why.en}", f"エンジンが{what.ja}（{how.ja}{why.ja}）")


def cause(lines: tuple[str, ...], reason: Reason | None = None) -> str:
    """What of an engine's last words says most about why it ended, on one line; empty when it said nothing."""
    spoken = [line for line in lines if line.strip() and not OURS.search(line)]
    if reason is Reason.OUT_OF_MEMORY:
        named = next((line for line in spoken if NO_MEMORY.search(line)), "")
        return _short(named) if named else ""
    if reason is Reason.PORT_TAKEN:
        return _short(next((line for line in spoken if PORT_TAKEN.search(line)), ""))
    if named := next((line for line in spoken if LLAMACPP_CAUSE.search(line)), ""):
        return _short(LLAMACPP_CAUSE.split(named)[-1])
    if named := next((line for line in spoken if LLAMACPP_ERROR.search(line)), ""):
        return _short(LLAMACPP_ERROR.sub("", named))
    own = [line for line in spoken if not FOLLOWS.search(line)]
    for pattern in (EXCEPTION, COMPLAINT):
        if found := [each for line in own if (each := pattern.search(line))]:
            last = found[-1]
            return _short(last.string[last.start(1) :] if pattern is EXCEPTION else last.string)
    return _short((own or spoken or [""])[-1])


def lines_of(tail: str) -> tuple[str, ...]:
    """An engine's last words as lines, each of a length that is cheap to look through."""
    return tuple(line[:MAX_LINE_CHARS] for line in tail.splitlines())


def not_started(program: str, number: int, *, there: bool) -> tuple[Reason, Text]:
    """Why a program could not even be started; `number` is the system's errno, `there` whether a file of this name was found."""
    if number == errno.ENOENT and not there:
        return Reason.COMMAND_MISSING, Text(f"its command {program} is not there", f"コマンド{program}が見つかりません")
    if number == errno.ENOENT:
        return Reason.COMMAND_MISSING, Text(
            f"the interpreter that {program} names in its first line is not there",
            f"{program}の先頭行（#!）にあるインタープリターが見つかりません",
        )
    if number in (errno.EACCES, errno.EPERM):
        return Reason.COMMAND_REFUSED, Text(
            f"its command {program} may not be executed", f"コマンド{program}の実行権限がありません"
        )
    if number == errno.ENOEXEC:
        return Reason.COMMAND_REFUSED, Text(
            f"its command {program} is no program for this machine, nor a script that begins with #!",
            f"コマンド{program}はこのマシンで実行できる形式ではなく、#!で始まるスクリプトでもありません",
        )
    why = reason_of(OSError(number, _system_words(number)))
    return Reason.COMMAND_REFUSED, Text(
        f"its command {program} can't be started ({why.en})", f"コマンド{program}を起動できません（{why.ja}）"
    )


def _system_words(number: int) -> str:
    return errno.errorcode.get(number, str(number))


def _short(line: str) -> str:
    shown = one_line(line)
    return shown if len(shown) <= MAX_WORDS_CHARS else shown[: MAX_WORDS_CHARS - 1] + "…"
