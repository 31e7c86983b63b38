"""`hayate serve`, `check-config`, `config show` and `key`: the way in from the command line; and the gateway
that is meant, for `bench`.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial, wraps
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import typer

from hayate.tools.environment import Environment
from hayate.tools.gateway.options import CheckOptions, KeyOptions, ServeOptions, ShowOptions

if TYPE_CHECKING:
    from hayate.tools.running import Place

Options = TypeVar("Options")
REFUSED = 2


def mistakes_told(run: Callable[[Options, Environment], int]) -> Callable[[Options, Environment], int]:
    """What the operator can mend ends the command with its text alone and status 2."""

    @wraps(run)
    def command(options: Options, env: Environment) -> int:
        from hayate.language import BilingualError

        try:
            return run(options, env)
        except BilingualError as error:
            typer.echo(error.text(env.language), err=True)
        return REFUSED

    return command


def serve(options: ServeOptions, env: Environment) -> int:
    """Start the bare gateway in front of engines that run elsewhere."""
    from hayate.config.load import load_config
    from hayate.serve.server import quiet_libraries, run
    from hayate.serve.specs import option_mistakes

    quiet_libraries()
    around = env.typing(HAYATE_HOST=options.host, HAYATE_PORT=options.port)
    load = partial(load_config, options.config, around, check=option_mistakes)
    run(load(), load, around)
    return 0


def check_config(options: CheckOptions, env: Environment) -> int:
    """Name every mistake and every oddity of a configuration, without starting anything."""
    from hayate.tools.gateway.check import run_check

    return run_check(options, env)


def show(options: ShowOptions, env: Environment) -> int:
    """Show what holds and who says so."""
    from hayate.tools.gateway.show import run_show

    return run_show(options, env)


def key(options: KeyOptions, env: Environment) -> int:
    """Show the API key of the gateway."""
    from hayate.tools.gateway.key import run_key

    return run_key(options, env)


def place_of(config: Path | None, env: Environment) -> Place:
    """The gateway that this configuration means. Raises ConfigError."""
    from hayate.tools.gateway.place import place_of as found

    return found(config, env)
