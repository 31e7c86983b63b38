"""What is legal and odd in how engines are run and take turns: what a shell would have read, sizes in powers of ten, settings
that change nothing.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

import yaml

from hayate.config.deployment import DeploymentConfig
from hayate.config.mistakes import Mistake, Where
from hayate.config.models import Config
from hayate.config.running import RunConfig
from hayate.config.turns import preloaded, takes_turns
from hayate.config.values import shown_size
from hayate.config.yaml_tree import written_at
from hayate.language import Text

_SHELLS: Final = re.compile(r"(?:&&|\|\|?|;|&|[0-9]?>>?(?:&[0-9])?|<)")
_SHELLS_NAME: Final = re.compile(r"\$[A-Za-z_(].{0,40}|~(?:/.{0,40})?")
_ASSIGNMENT: Final = re.compile(r"([A-Z_][A-Z0-9_]*)=.*", re.DOTALL)
_SECRET: Final = re.compile(r".*(?:KEY|TOKEN|SECRET|PASSWORD)", re.IGNORECASE)
_FROM_ENVIRONMENT: Final = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)")
_DECIMAL: Final = re.compile(r"([0-9.]+)\s*([kmgtp])b?", re.IGNORECASE)


def turn_oddities(config: Config, values: Mapping[str, Any], root: yaml.Node | None) -> Iterator[Mistake]:
    """Each with its place. `values` is what was said, without defaults; `root` the file's tree."""
    used = {name for each in config.deployments.values() if each.memory is not None for name in each.gpu}
    for name, gpu in config.gpus.items():
        yield from _decimal(("gpus", name, "memory"), values, gpu.memory)
        if name not in used:
            yield Mistake(
                ("gpus", name),
                Text(
                    f"is taken by no deployment; write gpu: {name} and memory: with what each takes",
                    f"使うデプロイメントがありません。それぞれにgpu: {name}とmemory:を書いてください",
                ),
            )
    for name, each in config.deployments.items():
        where = ("deployments", name)
        if each.memory is not None:
            yield from _decimal((*where, "memory"), values, each.memory)
        if isinstance(each.run, RunConfig):
            yield from _command((*where, "run"), each.run, root)
        yield from _without_effect(where, config, each, values)
    for name in preloaded(config):
        if not takes_turns(config, config.deployments[name]):
            yield Mistake(
                ("preload",),
                Text(
                    f"{name} is not the gateway's to load: it has neither run nor memory on one of gpus",
                    f"{name}はゲートウェイが読み込むモデルではありません（runも、gpusに対するmemoryもありません）",
                ),
            )


def _decimal(where: Where, values: Any, size_bytes: int) -> Iterator[Mistake]:
    for step in where:
        values = values.get(step) if isinstance(values, Mapping) else None
    found = _DECIMAL.fullmatch(values.strip()) if isinstance(values, str) else None
    if found is not None:
        meant = f"{found[1]}{found[2].upper()}iB"
        yield Mistake(
            where,
            Text(
                f"{found[0]} is counted in powers of ten, {shown_size(size_bytes)}; write {meant} if that is meant",
                f"{found[0]}は10のべき乗の単位で、{shown_size(size_bytes)}です。{meant}のつもりであれば、そう書いてください",
            ),
        )


def _command(where: Where, run: RunConfig, root: yaml.Node | None) -> Iterator[Mistake]:
    for number, argument in enumerate(run.command):
        here = (*where, "command", number)
        written = written_at(root, here) or ""
        if text := _shells(argument, first=number == 0):
            yield Mistake(here, text)
        elif any(_SECRET.fullmatch(name) for name in _FROM_ENVIRONMENT.findall(written)):
            yield Mistake(
                here,
                Text(
                    "is a secret that every user of the machine can see in its list of processes; most engines take it from a "
                    "variable too, which stands in env",
                    "秘密の値が引数にあり、マシンのほかのユーザーにもプロセス一覧で見えます。多くのエンジンは環境変数からも読み取れるため、"
                    "envに書いてください",
                ),
            )
    for name, value in run.env.items():
        written = written_at(root, (*where, "env", name)) or ""
        if value and written and "${" not in written and _SECRET.fullmatch(name):
            yield Mistake(
                (*where, "env", name),
                Text(
                    f"is a secret written into the file; ${{{name}}} takes it from the environment",
                    f"秘密の値がファイルに書かれています。${{{name}}}と書けば環境変数から取れます",
                ),
            )


def _shells(argument: str, *, first: bool) -> Text | None:
    """What is said of an argument that only a shell would understand."""
    if _SHELLS.fullmatch(argument):
        return Text(
            f"{argument} is an argument like any other: no shell reads the command; put what needs one into a script, "
            "and write that here",
            f"{argument}は通常の引数として渡されます（シェルは使いません）。シェルが必要な処理はスクリプトに書き、それを指定してください",
        )
    if _SHELLS_NAME.fullmatch(argument):
        return Text(
            f"{argument[:40]} stays as it is: no shell reads the command; ${{NAME}} comes from the environment",
            f"{argument[:40]}はそのまま渡されます（シェルは使いません）。環境変数の値は${{NAME}}と書きます",
        )
    if first and (found := _ASSIGNMENT.fullmatch(argument)):
        return Text(
            f"the first argument is the program; write {found[1][:40]} below env",
            f"最初の引数はプログラムです。{found[1][:40]}はenvに書いてください",
        )
    return None


def _without_effect(where: Where, config: Config, each: DeploymentConfig, values: Any) -> Iterator[Mistake]:
    for step in where:
        values = values.get(step) if isinstance(values, Mapping) else None
    given = values if isinstance(values, Mapping) else {}
    if not takes_turns(config, each):
        for name in ("pin", "idle_unload_s", "load_timeout_s"):
            if given.get(name):
                yield Mistake(
                    (*where, name),
                    Text(
                        "changes nothing: the gateway does not load this model; it does with run, or with memory on one of gpus",
                        "効果がありません。ゲートウェイが読み込むのは、runか、gpusに対するmemoryのあるモデルだけです",
                    ),
                )
    shared = [name for name in each.gpu if name in config.gpus]
    if shared and each.memory is None:
        yield Mistake(
            (*where, "gpu"),
            Text(
                f"without memory it is not counted on {shared[0]}, and the others may find less room there than they expect",
                f"memoryがないため、{shared[0]}の使用量に数えられません。ほかのモデルの読み込みに失敗することがあります",
            ),
        )
