"""`hayate check-config`: the way in from the command line."""

from __future__ import annotations

import os

import typer

from hayate.language import Text, terminal_language
from hayate.tools.check.options import CheckOptions


def check_config(options: CheckOptions) -> int:
    """Name every mistake and every oddity of a configuration, without starting anything."""
    from hayate.config.load import examine
    from hayate.serve.specs import left_for_the_start, start_mistakes

    language = terminal_language(os.environ)
    path = options.file or options.config
    config, odd = examine(path, check=start_mistakes)
    for name, deployment in config.deployments.items():
        served = deployment.model or Text("(whatever it serves)", "（エンジンが提供するモデル）").of(language)
        typer.echo(f"{name}: {deployment.backend} {served} at {', '.join(deployment.replicas)}")
    for alias, targets in config.aliases.items():
        typer.echo(f"{alias} -> {', '.join(targets)}")
    notes = [Text(f"warning: {each.en}", f"注意: {each.ja}") for each in odd]
    notes += [Text(f"note: {each.en}", f"補足: {each.ja}") for each in left_for_the_start(config)]
    for each in notes:
        typer.echo(each.of(language), err=True)
    source = path or os.environ.get("HAYATE_CONFIG", "").strip()
    where = Text(f"in {source}", f"{source}に") if source else Text("in the environment", "環境変数に")
    typer.echo(Text(f"OK: no mistake {where.en}", f"OK: {where.ja}誤りはありません").of(language))
    return 0
