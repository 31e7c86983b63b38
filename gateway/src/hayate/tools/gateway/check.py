"""`hayate check-config`: what a configuration serves, what is odd in it, and OK; what is wrong is a ConfigError."""

from __future__ import annotations

import typer

from hayate.config.environment import file_named, looked_through
from hayate.config.load import examine
from hayate.language import Text
from hayate.policy.routing import with_first_names
from hayate.serve.specs import left_for_the_start, start_mistakes
from hayate.tools.environment import Environment
from hayate.tools.gateway.options import CheckOptions

WHATEVER = Text("(whatever it serves)", "エンジンが提供するモデル")


def run_check(options: CheckOptions, env: Environment) -> int:
    """The exit status; what is odd is told beside and changes nothing. Raises ConfigError."""
    path = options.file or options.config
    config, odd = examine(path, env, check=start_mistakes)
    for name, deployment in config.deployments.items():
        served = deployment.model or WHATEVER.of(env.language)
        kind, urls = deployment.backend, ", ".join(deployment.replicas)
        line = Text(f"{name}: {kind} {served} at {urls}", f"{name}: {kind}、{served}、{urls}")
        typer.echo(line.of(env.language))
    for alias, targets in with_first_names(config.aliases, tuple(config.deployments)).items():
        typer.echo(f"{alias} -> {', '.join(targets)}")
    notes = [Text(f"warning: {each.en}", f"注意: {each.ja}") for each in odd]
    notes += [Text(f"note: {each.en}", f"補足: {each.ja}") for each in left_for_the_start(config)]
    for each in notes:
        typer.echo(each.of(env.language), err=True)
    source = path or file_named(looked_through(env)[0])
    where = Text(f"in {source}", f"{source}に") if source else Text("in the environment", "環境変数に")
    typer.echo(Text(f"OK: no mistake {where.en}", f"OK: {where.ja}誤りはありません").of(env.language))
    return 0
