"""The body of `hayate pull`: what the reference means, and what is told of it.

The status of the command: 0 when the model is there, whole; 1 when it is not, and whatever has come of it is kept; 2 when
what was typed means nothing; 130 and 143 when it was stopped.
"""

from __future__ import annotations

import signal
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import orjson

from hayate.language import BilingualError, Text
from hayate.terminal import plain
from hayate.tools.embedded.reference import HubModel, parse_hub_model
from hayate.tools.embedded.speaker import Speaker
from hayate.tools.environment import Environment
from hayate.tools.models.configured import OLLAMA, Configured, deployments, ollamas
from hayate.tools.models.folder import models_folder
from hayate.tools.models.hub_pull import Pulled, pull_from_hub
from hayate.tools.models.ollama_pull import PREFIX, checked_tag, ollama_address, pull_by_ollama
from hayate.tools.models.options import PullOptions
from hayate.tools.models.refusals import Mistyped
from hayate.tools.transfer import Say, size_text

FAILED: Final = 1
MISTYPED: Final = 2
STOPPED: Final = 130
ENDED: Final = 143
PATHS: Final = ("/", ".", "~")
"""How a path begins, which no name on the Hub does."""


@dataclass(frozen=True, slots=True)
class Tag:
    """A model of Ollama's, and where it is to be pulled, each with the key for it."""

    tag: str
    origins: Mapping[str, str | None]


def run_pull(options: PullOptions, env: Environment) -> int:
    """Fetches what was named and tells of it, on standard error, and as JSON if that is wished; the status of the command."""
    say = Speaker(env.language)
    # The command line ends with 0 at a SIGTERM, as a server does. This has not done then what it should.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(ENDED))
    values: dict[str, Any] = {"ref": options.ref, "path": None, "files": [], "bytes": None, "came": 0, "error": None}
    status = 0
    try:
        meant = what_is_meant(options, env)
        values.update(_by_ollama(meant, say) if isinstance(meant, Tag) else _from_hub(meant, options, env, say))
    except BilingualError as error:
        status = MISTYPED if isinstance(error, Mistyped) else FAILED
        values["error"] = error.english
        say(error.english, error.japanese)
    except KeyboardInterrupt:
        status, values["error"] = STOPPED, "stopped"
        say.over_the_keys(
            "Stopped. What has come is kept: the same command goes on from there.",
            "中止しました。受信済みの分は残っており、同じコマンドで続きから再開します。",
        )
    if options.as_json:
        sys.stdout.write(orjson.dumps(values, option=orjson.OPT_INDENT_2).decode() + "\n")
    elif values["path"] is not None:
        sys.stdout.write(f"{values['path']}\n")
    return status


def what_is_meant(options: PullOptions, env: Environment) -> HubModel | Tag:
    """A model on the Hub, or one of Ollama's. Raises Mistyped, and ConfigError where the configuration has to be asked."""
    ref = options.ref.strip()
    if ref.lower().startswith(PREFIX):
        tag = checked_tag(ref[len(PREFIX) :])
        return Tag(tag, ollamas(deployments(options.config, env), tag) or {ollama_address(env): None})
    if (found := _on_the_hub(ref)) is not None:
        return found
    if "/" not in ref and (named := deployments(options.config, env).get(ref)) is not None:
        return _of_deployment(named)
    raise Mistyped(
        f"{plain(ref, 200)!r} is neither on the Hub (owner/repo, owner/repo:Q4_K_M, owner/repo/file.gguf) nor Ollama's "
        f"(ollama:llama3.2:1b) nor a deployment of the configuration.",
        f"「{plain(ref, 200)}」は、Hubの名前（owner/repo、owner/repo:Q4_K_M、owner/repo/file.gguf）でも、Ollamaの名前"
        f"（ollama:llama3.2:1b）でも、設定にあるデプロイメントでもありません。",
    )


def _on_the_hub(ref: str) -> HubModel | None:
    return None if ref.startswith(PATHS) else parse_hub_model(ref)


def _of_deployment(named: Configured) -> HubModel | Tag:
    if named.backend == OLLAMA and named.model:
        return Tag(checked_tag(named.model), dict.fromkeys(named.replicas, named.key))
    found = _on_the_hub(named.model or "")
    if found is None:
        model = plain(named.model or "-", 200)
        raise Mistyped(
            f"deployments.{named.name}.model is not on the Hub ({model}): name what is to be pulled.",
            f"deployments.{named.name}.modelはHubの名前ではありません（{model}）。"
            f"取得するモデルを直接指定してください。",
        )
    return found


def _from_hub(model: HubModel, options: PullOptions, env: Environment, say: Say) -> dict[str, Any]:
    pulled = pull_from_hub(model, models_folder(options.models, env), options.replace, say)
    said = _told(pulled)
    say(said.en, said.ja)
    return {
        "path": str(pulled.path),
        "files": [str(each) for each in pulled.files],
        "bytes": pulled.size_bytes,
        "came": pulled.came,
    }


def _told(pulled: Pulled) -> Text:
    size, path = size_text(pulled.size_bytes), pulled.path
    if pulled.unchecked:
        return Text(
            f"{path} is there ({size}); nobody told a checksum of {', '.join(pulled.unchecked[:3])}.",
            f"{path}を取得しました（{size}）。チェックサムの情報がないファイル: {'、'.join(pulled.unchecked[:3])}",
        )
    if not pulled.came:
        return Text(
            f"{path} was there already, whole ({size}).", f"{path}は取得済みで、内容に問題はありません（{size}）。"
        )
    return Text(f"{path} is there, whole ({size}).", f"{path}を取得し、チェックサムを確認しました（{size}）。")


def _by_ollama(meant: Tag, say: Say) -> dict[str, Any]:
    size = 0
    for origin, key in meant.origins.items():
        size = pull_by_ollama(origin, meant.tag, key, say)
        told = f" ({size_text(size)})" if size else ""
        say(f"{meant.tag} is there, at {origin}{told}.", f"{origin}に{meant.tag}を取得しました{told}。")
    return {"bytes": size or None, "came": len(meant.origins)}
