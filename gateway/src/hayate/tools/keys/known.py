"""Which of a key's models nobody has: asked of the gateway that runs on the folder, else of the configuration's file.

A key for such a model is made all the same; a slip is told. Where neither can be asked, nothing is said.
"""

from __future__ import annotations

from pathlib import Path

from hayate.access.key_files import ADMIN, KeyFileError, find_key
from hayate.config.load import sources_of, whole_config
from hayate.language import Text
from hayate.tools.environment import Environment
from hayate.tools.running import all_running, reachable
from hayate.tools.status.answer import read_answer
from hayate.tools.status.ask import ask
from hayate.tools.status.refusals import CannotTell
from hayate.tools.status.target import Target

WAIT_S = 2.0
"""For the gateway's answer: it is only for a warning."""
ANYWHERE = ("default", "fast", "smart")
"""Names that are there where no aliases are configured."""


def models_of(config: Path | None, data: Path, env: Environment) -> set[str] | None:
    """Every name that a call can give, as far as can be told; None where nobody can tell. Raises ConfigError."""
    for each in all_running(env):
        if each.data == data.resolve():
            return _of_running(reachable(each.url), data, env)
    if sources_of(config, env).path is None:  # how it will be started, nobody knows
        return None
    found = whole_config(config, env)
    served = {each.model for each in found.deployments.values() if each.model}
    return {*found.deployments, *(found.aliases or ANYWHERE), *served, "default"}


def _of_running(url: str, data: Path, env: Environment) -> set[str] | None:
    nowhere = Text("", "")
    try:
        key = find_key(data, env, ADMIN)
        answer = read_answer(ask(Target(url, key, nowhere, nowhere), WAIT_S))
    except (CannotTell, KeyFileError):
        return None
    served = {each.model for each in answer.deployments if each.model}
    return {*answer.aliases, *(each.name for each in answer.deployments), *served}
