"""`hayate check-config`: what a configuration serves, what is odd in it, and OK; what is wrong is a ConfigError."""

from __future__ import annotations

import typer

from hayate.config.deployment import DeploymentConfig
from hayate.config.environment import file_named, looked_through
from hayate.config.load import examine
from hayate.config.models import Config
from hayate.config.running import RunConfig
from hayate.config.values import shown_size
from hayate.language import Text
from hayate.policy.routing import with_first_names
from hayate.serve.specs import left_for_the_start, not_here, start_mistakes
from hayate.tools.environment import Environment
from hayate.tools.gateway.options import CheckOptions

WHATEVER = Text("(whatever it serves)", "エンジンが提供するモデル")


def run_check(options: CheckOptions, env: Environment) -> int:
    """The exit status; what is odd is told beside and changes nothing. Raises ConfigError."""
    path = options.file or options.config
    config, odd = examine(path, env, check=start_mistakes)
    for name, deployment in config.deployments.items():
        served = deployment.model or WHATEVER.of(env.language)
        kind, place = deployment.backend, _place(deployment)
        line = Text(f"{name}: {kind} {served} {place.en}", f"{name}: {kind}、{served}、{place.ja}")
        typer.echo(line.of(env.language))
    for name in config.gpus:
        typer.echo(_sharing(name, config).of(env.language))
    for alias, targets in with_first_names(config.aliases, tuple(config.deployments)).items():
        typer.echo(f"{alias} -> {', '.join(targets)}")
    notes = [Text(f"warning: {each.en}", f"注意: {each.ja}") for each in odd]
    notes += [Text(f"note: {each.en}", f"補足: {each.ja}") for each in (*left_for_the_start(config), *not_here(config))]
    for each in notes:
        typer.echo(each.of(env.language), err=True)
    source = path or file_named(looked_through(env)[0])
    where = Text(f"in {source}", f"{source}に") if source else Text("in the environment", "環境変数に")
    typer.echo(Text(f"OK: no mistake {where.en}", f"OK: {where.ja}誤りはありません").of(env.language))
    return 0


def _place(deployment: DeploymentConfig) -> Text:
    """Where it answers, or what is run: the program alone, whose arguments may hold secrets."""
    if deployment.run is None:
        urls = ", ".join(deployment.replicas)
        return Text(f"at {urls}", urls)
    program = deployment.run.command[0] if isinstance(deployment.run, RunConfig) else deployment.run
    return Text(f"run here ({program})", f"このマシンで起動（{program}）")


def _sharing(gpu: str, config: Config) -> Text:
    """Who takes what of it, and whether that fits."""
    sizes = {
        name: each.memory for name, each in config.deployments.items() if each.memory is not None and gpu in each.gpu
    }
    whole = config.gpus[gpu].memory
    listed = ", ".join(f"{name} {shown_size(size)}" for name, size in sizes.items()) or "-"
    fits = sum(sizes.values()) <= whole
    says = Text("all fit together", "同時に収まります") if fits else Text("they take turns", "交代で使います")
    return Text(
        f"{gpu}: {shown_size(whole)} for {listed}: {says.en}", f"{gpu}: {shown_size(whole)}（{listed}）、{says.ja}"
    )
