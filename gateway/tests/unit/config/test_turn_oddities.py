"""What is odd in commands and sizes is told with its place, and keeps nobody from starting."""

from __future__ import annotations

from pathlib import Path

from tests.support.tables import table
from tests.unit.config.test_oddities import odd

GPU = "gpus: {gpu0: {memory: 24GiB}}\n"


def run(*arguments: str, env: str = "{}") -> str:
    command = ", ".join(f"'{each}'" for each in ("serve", "{port}", *arguments))
    return f"deployments:\n  a: {{backend: vllm, run: {{command: [{command}], env: {env}}}}}\n"


@table(
    ("text", "said"),
    [
        (
            GPU.replace("GiB", "GB")
            + "deployments:\n  a: {backend: vllm, replicas: [http://a], gpu: gpu0, memory: 19GiB}\n",
            "line 1: gpus.gpu0.memory: 24GB is counted in powers of ten, 22.35 GiB; write 24GiB if that is meant",
        ),
        (
            GPU + "deployments:\n  a: {backend: vllm, replicas: [http://a], gpu: gpu0, memory: 19.5G}\n",
            "line 3: deployments.a.memory: 19.5G is counted in powers of ten, 18.16 GiB; write 19.5GiB if that is meant",
        ),
        (
            GPU + "deployments:\n  a: {backend: vllm, replicas: [http://a]}\n",
            "line 1: gpus.gpu0: is taken by no deployment",
        ),
        (
            "preload: [a]\ndeployments:\n  a: {backend: vllm, replicas: [http://a]}\n",
            "line 1: preload: a is not the gateway's to load",
        ),
        (
            "deployments:\n  a: {backend: vllm, replicas: [http://a], pin: true}\n",
            "line 2: deployments.a.pin: changes nothing: the gateway does not load this model",
        ),
        (
            GPU
            + "deployments:\n  a: {backend: vllm, replicas: [http://a], gpu: gpu0}\n"
            + "  b: {backend: vllm, replicas: [http://b], gpu: gpu0, memory: 2GiB}\n",
            "line 3: deployments.a.gpu: without memory it is not counted on gpu0",
        ),
        (run("&&"), "line 2: deployments.a.run.command.2: && is an argument like any other"),
        (run("2>&1"), "line 2: deployments.a.run.command.2: 2>&1 is an argument like any other"),
        (run("|"), "line 2: deployments.a.run.command.2: | is an argument like any other"),
        (run("$HOME/x"), "line 2: deployments.a.run.command.2: $HOME/x stays as it is"),
        (run("~/models"), "line 2: deployments.a.run.command.2: ~/models stays as it is"),
        (
            run("--key", "${MY_KEY}"),
            "line 2: deployments.a.run.command.3: is a secret that every user of the machine can see",
        ),
        (run(env="{MY_TOKEN: s3cret}"), "line 2: deployments.a.run.env.MY_TOKEN: is a secret written into the file"),
        (
            "deployments:\n  a: {backend: vllm, run: {command: [A_B=1, '{port}']}}\n",
            "line 2: deployments.a.run.command.0: the first argument is the program; write A_B below env",
        ),
    ],
)
def test_each_is_told_with_its_place(tmp_path: Path, text: str, said: str) -> None:
    found = odd(tmp_path, text, MY_KEY="s3cret")
    assert len(found) == 1, found
    assert found[0].startswith(said)
    assert "s3cret" not in found[0]


@table(
    "text",
    [
        run("--flag=a&b", "a;b", "x>y", "bash", "-c", "a && b", "A=1", "100%", "$"),
        run(env="{MY_KEY: '${MY_KEY}', TOKENIZERS_PARALLELISM: 'false'}"),
        GPU + "deployments:\n  a: {backend: vllm, replicas: [http://a], gpu: gpu0, memory: 20401094656}\n",
        "preload: [a]\ndeployments:\n  a: {backend: vllm, run: {command: [x, '{port}']}, pin: true, load_timeout_s: 5}\n",
    ],
)
def test_what_is_usual_is_not_odd(tmp_path: Path, text: str) -> None:
    assert odd(tmp_path, text, MY_KEY="k") == []
