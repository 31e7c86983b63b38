"""llm/ollama/serve.sh, run with a stand-in whose server takes its time."""

from __future__ import annotations

import signal
import subprocess
import time
from typing import Any

from tests.deploy.stand_ins import LLM, Bench
from tests.support.waiting import LAST_RESORT_S

SERVER = """
import signal, time
store = {store!r}
if sys.argv[1] == "serve":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    open(store + ".up", "w").close()
    ends_at = time.monotonic() + {alive_s}
    while time.monotonic() < ends_at:
        time.sleep(0.02)
    sys.exit(3)
if not os.path.exists(store + ".up"):
    sys.exit(1)
if sys.argv[1] == "show":
    sys.exit(not os.path.exists(store))
if sys.argv[1] == "pull":
    time.sleep({pull_s})
    open(store, "w").close()
"""


def ollama(bench: Bench, alive_s: float = 20, pull_s: float = 0) -> None:
    store = str(bench.folder / "store")
    bench.stand_in("ollama", SERVER.format(store=store, alive_s=alive_s, pull_s=pull_s))


def started(bench: Bench, **env: str) -> subprocess.Popen[Any]:
    settings = {"PATH": f"{bench.folder / 'bin'}:/usr/bin:/bin", "HOME": str(bench.folder), **env}
    return subprocess.Popen(["bash", LLM / "ollama/serve.sh"], env=settings)


def wait_for(bench: Bench, verb: str) -> None:
    ends_at = time.monotonic() + LAST_RESORT_S
    while verb not in [call.argv[1] for call in bench.calls()]:
        assert time.monotonic() < ends_at, f"no `ollama {verb}`"
        time.sleep(0.02)


def test_a_missing_model_is_fetched_once_the_server_is_up(bench: Bench) -> None:
    ollama(bench)
    process = started(bench, MODEL="qwen2.5:7b", OLLAMA_NUM_PARALLEL="4", OLLAMA_CONTEXT_LENGTH="")
    wait_for(bench, "pull")
    process.send_signal(signal.SIGTERM)
    assert process.wait(10) == 0
    calls = {call.argv[1]: call for call in bench.calls()}
    assert calls["pull"].argv[2] == "qwen2.5:7b"
    served = calls["serve"].env
    assert served["OLLAMA_HOST"] == "127.0.0.1:11434"
    assert served["OLLAMA_NUM_PARALLEL"] == "4"
    assert "OLLAMA_CONTEXT_LENGTH" not in served


def test_several_are_fetched_one_after_the_other(bench: Bench) -> None:
    ollama(bench, alive_s=3)
    assert started(bench, MODEL="qwen2.5:7b hf.co/own/name-GGUF:Q4_K_M").wait(15) == 3
    looked_for = [call.argv[2] for call in bench.calls() if call.argv[1] == "show"]
    assert looked_for == ["qwen2.5:7b", "hf.co/own/name-GGUF:Q4_K_M"]
    # The stand-in has one place for whatever is fetched: once there, all are.
    assert [call.argv[2] for call in bench.calls() if call.argv[1] == "pull"] == ["qwen2.5:7b"]


def test_a_model_that_is_there_is_not_fetched(bench: Bench) -> None:
    ollama(bench, alive_s=2)
    (bench.folder / "store").touch()
    assert started(bench, MODEL="qwen2.5:7b").wait(15) == 3  # the server's own end is the script's
    assert "pull" not in [call.argv[1] for call in bench.calls()]


def test_fetching_can_be_forbidden(bench: Bench) -> None:
    ollama(bench, alive_s=2)
    assert "OLLAMA_PULL=never" in bench.run("ollama/serve.sh", MODEL="qwen2.5:7b", OLLAMA_PULL="never", expect=3)
    assert "pull" not in [call.argv[1] for call in bench.calls()]


def test_a_stop_does_not_wait_for_a_download(bench: Bench) -> None:
    ollama(bench, pull_s=60)
    process = started(bench, MODEL="qwen2.5:72b")
    wait_for(bench, "pull")
    process.send_signal(signal.SIGTERM)
    assert process.wait(10) == 0


def test_a_server_that_does_not_start_is_not_waited_for(bench: Bench) -> None:
    bench.stand_in("ollama", "sys.exit(1)")
    bench.run("ollama/serve.sh", expect=1)
