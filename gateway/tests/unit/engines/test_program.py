"""What is started: the command with its placeholders filled in, and an environment without the gateway's secrets."""

from __future__ import annotations

from hayate.engines.program import run_program, without_secrets
from hayate.settings import Run


def test_the_engine_has_the_gateways_environment_without_its_secrets_and_its_own() -> None:
    secrets = {"HAYATE_API_KEY": "secret", "HAYATE_ADMIN_KEY": "secret", "BACKEND_API_KEY": "secret"}
    env = {"PATH": "/bin", "HF_TOKEN": "t", "A": "1", **secrets}
    run = Run(command=("serve", "{port}"), env={"A": "{port}", "HAYATE_MINE": "2"})
    assert run_program(run, 2345, None, env).env == {"PATH": "/bin", "HF_TOKEN": "t", "A": "2345", "HAYATE_MINE": "2"}
    assert set(without_secrets(env)) == {"PATH", "HF_TOKEN", "A"}


def test_every_part_of_a_run_is_carried_over() -> None:
    run = Run(command=("serve", "{model}", "--port={port}", "{{}}"), ready="/v1/models", stop="SIGINT", stop_s=3)
    made = run_program(run, 1, "qwen", {})
    assert made.command == ("serve", "qwen", "--port=1", "{}")
    assert (made.ready, made.stop, made.stop_s, made.stdin) == ("/v1/models", "SIGINT", 3, None)
