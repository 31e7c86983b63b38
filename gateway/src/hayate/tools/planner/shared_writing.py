"""A plan for several models into its files: the gateway's YAML and the compose override beside `.env`, then `.env` itself."""

from __future__ import annotations

from pathlib import Path

from hayate.language import Language, Text
from hayate.tools.planner.compose_override import COMPOSE_FILE, GATEWAY_FILE, compose_override, env_lines
from hayate.tools.planner.envfile import (
    UnusableEnvFile,
    changed_lines,
    merged,
    read_env_file,
    read_values,
    replace_env_file,
)
from hayate.tools.planner.gateway_yaml import MARK, gateway_yaml
from hayate.tools.planner.shared import SharedPlan
from hayate.tools.planner.writing import say


def write_shared(plan: SharedPlan, env_file: Path, language: Language) -> None:
    """Writes them, telling on stderr what changed and what to start. Nothing is written unless all of it can be: a file of
    the same name that no plan wrote is in the way. Raises UnusableEnvFile.
    """
    folder, old = env_file.parent, read_env_file(env_file)
    texts = {folder / GATEWAY_FILE: gateway_yaml(plan)}
    override = compose_override(plan)
    if override is not None:
        texts[folder / COMPOSE_FILE] = override
    texts[env_file] = merged(old, env_lines(plan, read_values(old)))
    before = {path: read_env_file(path) for path in texts}
    for path, text in before.items():
        if path != env_file and text and not text.startswith(MARK):
            raise UnusableEnvFile(
                f"{path}: was not written by a plan, and stays as it is; move it away first",
                f"{path}: `hayate plan`が書いたファイルではないため、上書きしません。先に移動してください",
            )
    for path, text in texts.items():
        if text == before[path]:
            said = Text(f"{path}: already so.", f"{path}: すでにこの設定です。")
        else:
            replace_env_file(path, text)
            said = Text(f"{path}: written.", f"{path}: 書き込みました。")
            if path == env_file:
                say("\n".join(changed_lines(before[path], text)))
        say(said.of(language))
    say(_next(plan).of(language))


def _next(plan: SharedPlan) -> Text:
    if plan.engine.name == "llamacpp":
        return Text(
            "Next: `hayate serve`, with a llama-server built for CUDA on the PATH.",
            "次に`hayate serve`を実行してください（CUDA対応のllama-serverがPATHに必要です）。",
        )
    return Text("Next: docker compose up -d", "次に`docker compose up -d`を実行してください。")
