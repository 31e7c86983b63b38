"""A model's facts from the Hugging Face Hub: its `config.json` and the sizes of its weight files, nothing more is fetched."""

from __future__ import annotations

from collections.abc import Mapping

from hayate.tools.hub import Hub, hide_progress
from hayate.tools.hub_trouble import BadName, Gated, HubTrouble, NoRepository, NotInstalled
from hayate.tools.planner.config_json import facts_from_config
from hayate.tools.planner.facts import FactsMissing, ModelFacts
from hayate.tools.planner.weights import (
    BIN_INDEX,
    SAFETENSORS_INDEX,
    folder_weight_bytes,
    index_total,
    no_weights,
    read_json,
    weight_files,
)

CONFIG = "config.json"
ANSWER_S = 10.0


def facts_from_hub(repo: str, env: Mapping[str, str] | None = None) -> ModelFacts:
    """The model called `repo` on the Hub. Raises FactsMissing with the reason."""
    try:
        hub = Hub(env)
        hide_progress()
        return _from_cache(hub, repo) if hub.offline else _asked(hub, repo)
    except HubTrouble as trouble:
        raise _refusal(repo, trouble) from None
    except (OSError, ValueError, TypeError, KeyError) as error:  # a config.json that only looks like one
        raise _not_asked(repo, type(error).__name__) from None


def _asked(hub: Hub, repo: str) -> ModelFacts:
    listing = hub.files(repo, ANSWER_S)
    sizes = listing.sizes
    if CONFIG not in sizes:
        raise _without_config(repo, list(sizes))
    config = read_json(hub.fetch(repo, CONFIG, listing.revision))
    total = None
    for index in (SAFETENSORS_INDEX, BIN_INDEX):
        if index in sizes:
            total = index_total(read_json(hub.fetch(repo, index, listing.revision)))
            break
    total = total or sum(sizes[name] for name in weight_files(sizes))
    if not total:
        raise no_weights(repo)
    source = f"Hub, revision {listing.revision}" if listing.revision else "Hub"
    return facts_from_config(repo, config, total, source=source)


def _from_cache(hub: Hub, repo: str) -> ModelFacts:
    folder = hub.snapshot(repo)
    if folder is None or not (folder / CONFIG).is_file():
        raise FactsMissing(
            f"{repo}: not cached, and HF_HUB_OFFLINE is on", f"{repo} はキャッシュになく、HF_HUB_OFFLINE が有効です"
        )
    return facts_from_config(repo, read_json(folder / CONFIG), folder_weight_bytes(folder), source="Hub cache")


def _without_config(repo: str, names: list[str]) -> FactsMissing:
    if any(name.endswith(".gguf") for name in names):
        return FactsMissing(
            f"{repo} holds GGUF files: download one and give its path",
            f"{repo} はGGUFのリポジトリです。ファイルを1つダウンロードし、そのパスを指定してください",
        )
    return FactsMissing(f"{repo} has no {CONFIG}", f"{repo} に {CONFIG} がありません")


def _refusal(repo: str, trouble: HubTrouble) -> FactsMissing:
    match trouble:
        case NotInstalled():
            return FactsMissing(
                f"{repo} is not in the catalogue, and huggingface_hub is not installed to look it up"
                " (in Hayate's folder: make setup)",
                f"{repo}はカタログになく、調べるためのhuggingface_hubもインストールされていません"
                "（Hayateのフォルダーで`make setup`を実行してください）",
            )
        case Gated():
            return FactsMissing(
                f"{repo} is gated: accept its terms on the Hub and set HF_TOKEN",
                f"{repo} は利用条件への同意が必要です。Hubで同意し、HF_TOKEN を設定してください",
            )
        case NoRepository():
            return FactsMissing(
                f"{repo}: neither in the catalogue, nor a path here, nor on the Hub",
                f"{repo} はカタログにも手元にもHubにも見つかりません",
            )
        case BadName():
            return FactsMissing(
                f"{repo}: neither in the catalogue nor a path here", f"{repo} はカタログにも手元にもありません"
            )
    return _not_asked(repo, f"HTTP {trouble.status}" if trouble.status else trouble.kind)


def _not_asked(repo: str, reason: str) -> FactsMissing:
    """`reason` is a status or what kind of failure it was: the library's own texts repeat addresses and headers."""
    return FactsMissing(f"{repo}: the Hub can't be asked ({reason})", f"{repo}: Hubに問い合わせできません（{reason}）")
