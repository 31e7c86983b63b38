"""A plan's settings into `.env`: which names get which values, and what the user is told of it."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path

from hayate.language import Language, Text
from hayate.tools.planner.compose_override import env_of_one
from hayate.tools.planner.engines import ENGINES
from hayate.tools.planner.envfile import changed_lines, merged, read_env_file, read_values, replace_env_file, with_flags
from hayate.tools.planner.flags import BACKEND_URLS, EXTRA_ARGS
from hayate.tools.planner.plan import Plan


def write_env(plan: Plan, path: Path, language: Language) -> None:
    """The plan's settings into `.env`, telling on stderr what changed. Raises UnusableEnvFile."""
    old = read_env_file(path)
    new = merged(old, env_values(plan, read_values(old), path))
    where = path.resolve()
    if new == old:
        say(
            Text(f"{where}: already so; nothing written.", f"{where}: すでにこの設定です。書き込みませんでした。").of(
                language
            )
        )
        return
    replace_env_file(path, new)
    say("\n".join(changed_lines(old, new)))
    say(Text(f"Written to {where}.", f"{where} に書き込みました。").of(language))
    if "MODEL" not in (plan.flags.env if plan.flags else {}):
        say(
            Text(
                "MODEL is left as it is: Ollama serves a local GGUF only under a name given with `ollama create`.",
                "MODELは変更していません。手元のGGUFをOllamaで使うには、`ollama create` で名前を付けてください。",
            ).of(language)
        )


def env_values(plan: Plan, present: Mapping[str, str], path: Path) -> dict[str, str]:
    """What `.env` should say. Where the engine is reached stays as it is while the engine stays the same."""
    if plan.flags is None:
        return {}
    engine, values = plan.engine.name, dict(plan.flags.env)
    if "MODEL" in values:
        values["MODEL"] = _in_container(values["MODEL"], path)
    here: dict[str, str] = {"LLM_BACKEND": engine}
    if present.get("LLM_BACKEND") != engine or not present.get("BACKEND_URL"):
        here["BACKEND_URL"] = BACKEND_URLS[engine]
        others = [name.strip() for name in present.get("COMPOSE_PROFILES", "").split(",")]
        services = {*ENGINES, "triton", "cpu", ""}
        here["COMPOSE_PROFILES"] = ",".join([*(name for name in others if name not in services), engine])
    name = EXTRA_ARGS.get(engine)
    if name is not None:
        given = present.get(name, "")
        wanted = with_flags(given, plan.flags.extra)
        if with_flags(given, {}) != wanted:
            values[name] = wanted
    return {**here, **values, **env_of_one(present)}


def _in_container(model: str, env_file: Path) -> str:
    """A path under the `models` folder beside `.env` as the containers see it; anything else as it is."""
    given = Path(model).expanduser()
    if not given.exists():
        return model
    models = (env_file.resolve().parent / "models").resolve()
    found = given.resolve()
    return (
        f"/models/{found.relative_to(models).as_posix()}"
        if found.is_relative_to(models) and found != models
        else str(found)
    )


def say(text: str) -> None:
    """To the user, beside whatever goes to stdout."""
    sys.stderr.write(text + "\n")
