"""What is legal in a configuration and odd: nobody is kept from it, and whoever checks is told."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from itertools import pairwise
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import yaml

from hayate.config.addresses import is_loopback
from hayate.config.deployment import DeploymentConfig
from hayate.config.deprecated import deprecated
from hayate.config.environment import VARIABLES
from hayate.config.key_oddities import key_oddities, never, price_oddities, record_oddities
from hayate.config.mistakes import Mistake, Where
from hayate.config.models import Config
from hayate.config.turn_oddities import turn_oddities
from hayate.config.wanted import nearest
from hayate.config.yaml_tree import written_at
from hayate.language import Text
from hayate.wire.caps import RISKY_FIELDS

_WITHOUT_A_FILE = ("LLM_BACKEND", "BACKEND_URL", "MODEL", "BACKEND_API_KEY")


def oddities(
    config: Config, values: Mapping[str, Any], root: yaml.Node | None, env: Mapping[str, str], path: Path | None
) -> Iterator[Mistake]:
    """Each with its place. `values` is what was said, without defaults; `root` the file's tree."""
    yield from _names(config)
    yield from _addresses(config)
    for name, each in config.deployments.items():
        yield from _limits(("deployments", name), each, _given(values, "deployments", name))
    yield from _gateway_limits(config, values)
    yield from turn_oddities(config, values, root)
    yield from deprecated(config)
    yield from key_oddities(config)
    yield from price_oddities(config)
    yield from record_oddities(config)
    yield from _fields(config)
    yield from _secrets(config, root)
    yield from _variables(env, alone=path is None)


def _given(values: Any, *where: str) -> Mapping[str, Any]:
    for step in where:
        values = values.get(step) if isinstance(values, Mapping) else None
    return values if isinstance(values, Mapping) else {}


def _names(config: Config) -> Iterator[Mistake]:
    for section, names in (("deployments", config.deployments), ("aliases", config.aliases)):
        if "" in names:
            yield Mistake(
                (section, ""),
                Text("has an empty name, which no client can send", "名前が空です。クライアントから指定できません"),
            )
    for name, each in config.deployments.items():
        if each.model == "":
            yield Mistake(
                ("deployments", name, "model"),
                Text(
                    "is empty; null is the model that the engine serves",
                    "空です。エンジンが提供するモデルを使うにはnullと書きます",
                ),
            )
        elif (other := config.aliases.get(str(each.model))) and name not in other:
            yield Mistake(
                ("aliases", str(each.model)),
                Text(
                    f"is the model of the deployment {name} too, which clients don't reach by that name",
                    f"デプロイメント{name}のモデル名と同じです。この名前では{name}に届きません",
                ),
            )
    served = {target for targets in config.aliases.values() for target in targets}
    if config.aliases and set(config.aliases) != {"default"}:
        for name in config.deployments:
            if name not in served:
                yield Mistake(
                    ("deployments", name),
                    Text(
                        "no alias leads here; clients reach it by this name, or its model's, alone",
                        "ここを指すエイリアスがありません。この名前かモデル名でしか利用できません",
                    ),
                )


def _addresses(config: Config) -> Iterator[Mistake]:
    users: defaultdict[str, list[tuple[str, int]]] = defaultdict(list)
    for name, each in config.deployments.items():
        for number, url in enumerate(each.replicas):
            users[url].append((name, number))
            if _is_here(url, config):
                yield Mistake(
                    ("deployments", name, "replicas", number),
                    Text(
                        f"{url} is where this gateway itself listens",
                        f"{url}は、このゲートウェイ自身のアドレスです",
                    ),
                )
    for url, found in users.items():
        for (name, _), (other, number) in pairwise(found):
            where = ("deployments", other, "replicas", number)
            first, second = config.deployments[name], config.deployments[other]
            if name == other:
                yield Mistake(
                    where,
                    Text(
                        f"{url} is listed twice and gets calls twice as often",
                        f"{url}が2回書かれています。呼び出しが偏ります",
                    ),
                )
            elif first.backend != second.backend:
                yield Mistake(
                    where,
                    Text(
                        f"{url} is {first.backend} in the deployment {name} and {second.backend} here",
                        f"{url}は、デプロイメント{name}では{first.backend}、ここでは{second.backend}です",
                    ),
                )
            elif first.model == second.model:
                yield Mistake(
                    where,
                    Text(
                        f"{url} serves the same model in the deployment {name}; each has a queue and limits of its own",
                        f"{url}は、デプロイメント{name}でも同じモデルを提供しています。キューと上限は別々に数えられます",
                    ),
                )


def _is_here(url: str, config: Config) -> bool:
    parts = urlsplit(url)
    port = parts.port or (443 if parts.scheme == "https" else 80)
    host = parts.hostname or ""
    return port == config.server.port and (is_loopback(host) or host == config.server.host)


def _limits(where: Where, each: DeploymentConfig, given: Mapping[str, Any]) -> Iterator[Mistake]:
    times, said = each.timeouts, _given(given, "timeouts")
    for name in ("connect_s", "first_byte_s", "silence_s", "whole_s"):
        value = getattr(times, name)
        if times.total_s is not None and value is not None and value > times.total_s and name in said:
            yield never((*where, "timeouts", name), f"timeouts.total_s: {times.total_s:g}")
    if "queue_timeout_s" in given and each.max_queued == 0:
        yield never((*where, "queue_timeout_s"), "max_queued: 0")
    if each.min_tokens_per_s is not None and each.max_in_flight != "auto":
        yield Mistake(
            (*where, "min_tokens_per_s"),
            Text(
                "changes nothing where max_in_flight is a number; write auto there, or remove this",
                "max_in_flightが数値のため効果がありません。max_in_flightをautoにするか、この行を取り除いてください",
            ),
        )


def _gateway_limits(config: Config, values: Mapping[str, Any]) -> Iterator[Mistake]:
    server, safety = config.server, config.safety
    # Media come in base64: 4 characters for 3 bytes.
    if "max_media_bytes" in _given(values, "safety") and safety.max_media_bytes * 4 > server.max_body_bytes * 3:
        yield never(("safety", "max_media_bytes"), f"server.max_body_bytes: {server.max_body_bytes}")
    for name, each in config.deployments.items():
        if each.max_in_flight != "auto":
            in_flight = each.max_in_flight * max(1, len(each.replicas))
            if in_flight > server.max_connections:
                yield never(("deployments", name, "max_in_flight"), f"server.max_connections: {server.max_connections}")
    contexts = [each.context_tokens for each in config.deployments.values()]
    known = [each for each in contexts if each is not None]
    if safety.max_output_tokens is not None and len(known) == len(contexts) and safety.max_output_tokens > max(known):
        yield never(("safety", "max_output_tokens"), f"context_tokens: {max(known)}")


def _fields(config: Config) -> Iterator[Mistake]:
    for number, name in enumerate(config.safety.allow_fields):
        if name in RISKY_FIELDS:
            continue
        meant = nearest(name, list(RISKY_FIELDS))
        english, japanese = (f"; did you mean {meant}?", f"。{meant}のことですか？") if meant else ("", "")
        yield Mistake(
            ("safety", "allow_fields", number),
            Text(
                f"{name[:60]} is no field that is refused, so this changes nothing{english}",
                f"{name[:60]}は拒否される項目ではないため、効果がありません{japanese}",
            ),
        )


def _secrets(config: Config, root: yaml.Node | None) -> Iterator[Mistake]:
    for name in config.deployments:
        where = ("deployments", name, "api_key")
        written = written_at(root, where)
        if written and "${" not in written and config.deployments[name].api_key is not None:
            yield Mistake(
                where,
                Text(
                    "is a secret written into the file; ${BACKEND_API_KEY} takes it from the environment",
                    "秘密の値がファイルに書かれています。${BACKEND_API_KEY}と書けば環境変数から取れます",
                ),
            )


def _variables(env: Mapping[str, str], *, alone: bool) -> Iterator[Mistake]:
    if not alone:
        for name in _WITHOUT_A_FILE:
            if env.get(name):
                yield Mistake(
                    (),
                    Text(
                        "counts only where there is no file, or where the file names it",
                        "ファイルがない場合か、ファイルの中で参照した場合だけ有効です",
                    ),
                    variable=name,
                )
    for name in env:
        if name.startswith("HAYATE_") and name not in VARIABLES:
            meant = next((each for each in VARIABLES if sorted(each) == sorted(name)), None)
            if meant is not None:
                yield Mistake(
                    (),
                    Text(f"is not read; did you mean {meant}?", f"読み取られません。{meant}のことですか？"),
                    variable=name,
                )
