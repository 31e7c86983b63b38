"""Why an engine ended: from its status and what it said last."""

from __future__ import annotations

import errno
import signal

from hypothesis import given
from hypothesis import strategies as st

from hayate.engines.endings import (
    MAX_WORDS_CHARS,
    Ending,
    cause,
    lines_of,
    not_started,
    reason_for,
    signal_name,
    what_happened,
)
from hayate.reasons import Reason
from tests.support.tables import table

VLLM_MEMORY = """\
(EngineCore_DP0 pid=88) ERROR 11-29 13:00:01 [core.py:842] EngineCore failed to start.
(EngineCore_DP0 pid=88) ERROR 11-29 13:00:01 [core.py:842] Traceback (most recent call last):
(EngineCore_DP0 pid=88) ERROR 11-29 13:00:01 [core.py:842]   File "/x/worker.py", line 1, in init
(EngineCore_DP0 pid=88) ERROR 11-29 13:00:01 [core.py:842] torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 1.16 GiB.
(APIServer pid=1) Traceback (most recent call last):
(APIServer pid=1) RuntimeError: Engine core initialization failed. See root cause above. Failed core proc(s): {'EngineCore_DP0': 1}
"""
VLLM_VALUE = VLLM_MEMORY.replace(
    "torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 1.16 GiB.", "ValueError: no."
)
VLLM_ARGUMENT = """\
usage: vllm serve [model_tag] [options]
vllm: error: unrecognized arguments: --no-such-thing
"""
LLAMACPP_DAMAGED = """\
0.00.104.123 I llama_model_loader: loaded meta data
0.00.113.999 E load: error loading model: tensor 'x' data is not within the file bounds, model is corrupted or incomplete
0.00.114.000 E llama_model_load_from_file_impl: failed to load model
0.00.114.100 E srv load_model: failed to load model, 'm.gguf'
"""
LLAMACPP_MEMORY = """\
ggml_backend_cuda_buffer_type_alloc_buffer: allocating 17000.00 MiB on device 0: cudaMalloc failed: out of memory
llama_model_load: error loading model: unable to allocate CUDA0 buffer
"""


def ending(status: int | None, text: str = "", **more: object) -> Ending:
    return Ending(status, lines=lines_of(text), **more)  # type: ignore[arg-type]


@table(
    "text",
    [
        VLLM_MEMORY,
        LLAMACPP_MEMORY,
        "terminate called after throwing an instance of 'std::bad_alloc'\n  what():  std::bad_alloc\n",
        "Traceback (most recent call last):\n  File x\nMemoryError\n",
        "RuntimeError: [enforce fail at alloc_cpu.cpp:117] DefaultCPUAllocator: can't allocate memory: you tried 8 bytes",
        "ValueError: No available memory for the cache blocks. Try increasing `gpu_memory_utilization`",
        "ValueError: Free memory on device (3.1/24 GiB) on startup is less than desired GPU memory utilization (0.9, 21.6 GiB).",
        "ggml_vulkan: Device memory allocation failed: ErrorOutOfDeviceMemory",
        "sh: 1: Cannot fork: Cannot allocate memory",
        "HIP out of memory",
    ],
)
def test_out_of_memory_is_known_by_the_words_of_many(text: str) -> None:
    made = ending(1, text)
    assert reason_for(made, was_ready=False) is reason_for(made, was_ready=True) is Reason.OUT_OF_MEMORY
    assert "ran out of memory (status 1): " in what_happened(made, Reason.OUT_OF_MEMORY, was_ready=False).en


@table(
    "made, expected",
    [
        (ending(-signal.SIGKILL, oom_kills=1), Reason.OUT_OF_MEMORY),
        (ending(1, "died", oom_kills=1), Reason.OUT_OF_MEMORY),  # the one that was killed was a child of it
        (ending(-signal.SIGKILL), Reason.OUT_OF_MEMORY),
        (ending(-signal.SIGKILL, oom_kills=0), Reason.CRASHED),  # the kernel says that it was not the kernel
        (ending(-signal.SIGKILL, killed=True), Reason.CRASHED),
        (ending(-signal.SIGSEGV), Reason.CRASHED),
        (ending(0), Reason.CRASHED),
        (ending(None), Reason.CRASHED),
    ],
)
def test_sigkill_is_the_kernels_unless_somebody_else_can_be_named(made: Ending, expected: Reason) -> None:
    assert reason_for(made, was_ready=True) is expected


def test_before_it_was_ready_an_end_has_another_name() -> None:
    assert reason_for(ending(1), was_ready=False) is Reason.ENDED_EARLY
    taken = ending(1, "OSError: [Errno 98] Address already in use")
    assert reason_for(taken, was_ready=False) is Reason.PORT_TAKEN
    assert reason_for(taken, was_ready=True) is Reason.CRASHED


@table(
    "text, expected",
    [
        (VLLM_VALUE, "ValueError: no."),
        (VLLM_ARGUMENT, "vllm: error: unrecognized arguments: --no-such-thing"),
        (LLAMACPP_DAMAGED, "tensor 'x' data is not within the file bounds, model is corrupted or incomplete"),
        ("a\nb\n\n", "b"),
        ("[starting serve, 2026-11-29 13:00:00]\nbye\n[ended: status 1]\n", "bye"),
        ("", ""),
        ("\x1b[31mred\x1b[0m", "[31mred [0m"),
        ("0.1 E first\n0.2 E second", "first"),
        (
            "error while loading shared libraries: libcuda.so.1: cannot open shared object file",
            "error while loading shared",
        ),
    ],
)
def test_the_line_that_names_the_cause_is_found(text: str, expected: str) -> None:
    found = cause(lines_of(text))
    assert found.startswith(expected) if expected else found == ""


def test_the_sentence_says_how_and_why() -> None:
    early = what_happened(ending(1, VLLM_VALUE), Reason.ENDED_EARLY, was_ready=False)
    assert early.en == "its engine ended before it answered (status 1): ValueError: no."
    assert early.ja == "エンジンが応答する前に終了しました（終了コード1: ValueError: no.）"
    assert what_happened(ending(-11), Reason.CRASHED, was_ready=True).en == "its engine ended by itself (SIGSEGV)"
    assert (
        what_happened(ending(None), Reason.CRASHED, was_ready=True).en
        == "its engine ended by itself (nobody knows how)"
    )
    killed = what_happened(ending(-9, oom_kills=2), Reason.OUT_OF_MEMORY, was_ready=True)
    assert killed.en == "its engine ran out of memory (SIGKILL): the kernel killed it"
    guessed = what_happened(ending(-9), Reason.OUT_OF_MEMORY, was_ready=True)
    assert guessed.en == "its engine ran out of memory (SIGKILL): most likely the kernel killed it"


@table(
    "number, there, reason, words",
    [
        (errno.ENOENT, False, Reason.COMMAND_MISSING, "its command vllm is not there"),
        (errno.ENOENT, True, Reason.COMMAND_MISSING, "the interpreter that vllm names"),
        (errno.EACCES, True, Reason.COMMAND_REFUSED, "its command vllm may not be executed"),
        (errno.ENOEXEC, True, Reason.COMMAND_REFUSED, "its command vllm is no program for this machine"),
        (errno.E2BIG, True, Reason.COMMAND_REFUSED, "its command vllm can't be started (E2BIG)"),
        (errno.ENOMEM, True, Reason.COMMAND_REFUSED, "its command vllm can't be started (memory is used up)"),
        (0, True, Reason.COMMAND_REFUSED, "its command vllm can't be started (0)"),
    ],
)
def test_why_a_program_could_not_be_started(number: int, there: bool, reason: Reason, words: str) -> None:
    found, text = not_started("vllm", number, there=there)
    assert found is reason
    assert text.en.startswith(words)
    assert text.ja != text.en


def test_a_signal_without_a_name_has_its_number() -> None:
    assert signal_name(9) == "SIGKILL"
    assert signal_name(77) == "signal 77"


@given(st.integers(-70, 300) | st.none(), st.text(), st.booleans())
def test_whatever_it_says_there_is_one_short_line(status: int | None, text: str, was_ready: bool) -> None:
    made = ending(status, text)
    said = what_happened(made, reason_for(made, was_ready=was_ready), was_ready=was_ready)
    for each in (said.en, said.ja):
        assert each.isprintable()
        assert len(each) <= MAX_WORDS_CHARS + 100
