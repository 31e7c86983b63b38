"""GGUF files from the Hugging Face Hub.

Rule: a file that is in the cache is used without asking anybody. Otherwise whether the Hub answers is decided once,
within a few seconds, before the client library may try and try again.
"""

from __future__ import annotations

from pathlib import Path

from hayate.tools.embedded.reference import PREFERRED, HubModel, NoSuchFile, choose, is_of
from hayate.tools.embedded.refusals import CannotStart, HubFailed, ModelRefused
from hayate.tools.embedded.speaker import Say
from hayate.tools.hub import BadName, Gated, Hub, HubTrouble, NoFile, NoRepository, NotKept, Offline

ASK_S = 4.0


def obtain(model: HubModel, say: Say) -> list[Path]:
    """The files of `model`, downloaded when they are not in the cache. Raises HubFailed or ModelRefused."""
    hub = Hub()
    cached = _cached(hub, model)
    if cached and _settled(cached, model):
        return cached
    try:
        there = hub.files(model.repository, ASK_S).sizes
        names = choose(there, model)
        size = f"{', '.join(names)} ({sum(there[name] for name in names) / 1e6:,.0f} MB)"
        say(f"Downloading {size} from {model.repository}", f"{model.repository} から {size} をダウンロードします")
        return [hub.fetch(model.repository, name) for name in names]
    except NoSuchFile as error:
        raise _no_such_file(model, error) from None
    except HubTrouble as trouble:
        if cached:
            return cached
        raise _refusal(hub, model, trouble) from trouble


def _cached(hub: Hub, model: HubModel) -> list[Path]:
    """The files of `model` in the cache, if all are there."""
    snapshot = hub.snapshot(model.repository)
    if snapshot is None:
        return []
    names = [path.relative_to(snapshot).as_posix() for path in snapshot.rglob("*.gguf") if path.exists()]
    try:
        return [snapshot / name for name in choose(names, model)]
    except NoSuchFile:
        return []


def _settled(cached: list[Path], model: HubModel) -> bool:
    """With neither file nor quantisation named, only the first preference needs no look at what else there is."""
    return bool(model.file or model.quantisation) or is_of(cached[0].name, PREFERRED[0])


def _no_such_file(model: HubModel, error: NoSuchFile) -> ModelRefused:
    if not error.names:
        return ModelRefused(
            f"{model.repository} has no GGUF files; look for a repository whose name ends in -GGUF.",
            f"{model.repository} に GGUF ファイルがありません。名前が -GGUF で終わるリポジトリを探してください。",
        )
    return ModelRefused(
        f"{model} is not there; {model.repository} has: {error}.",
        f"{model} が見つかりません。{model.repository} にあるもの: {error}",
    )


def _refusal(hub: Hub, model: HubModel, trouble: HubTrouble) -> CannotStart:
    match trouble:
        case Offline():
            return HubFailed(
                f"HF_HUB_OFFLINE is set and {model} is not in the cache ({hub.cache}).",
                f"HF_HUB_OFFLINE が設定されており、{model} はキャッシュ（{hub.cache}）にありません。",
            )
        case Gated():
            page = f"{hub.endpoint}/{model.repository}"
            return HubFailed(
                f"{model.repository} asks for consent: accept its terms at {page} and set HF_TOKEN.",
                f"{model.repository} は利用規約への同意が必要です。{page} で同意し、HF_TOKEN を設定してください。",
            )
        case NoRepository():
            return HubFailed(
                f"{model.repository} is not on {hub.endpoint}, or is private: check the name, or set HF_TOKEN.",
                f"{model.repository} は {hub.endpoint} にないか、非公開です。名前を確かめるか、HF_TOKEN を設定してください。",
            )
        case NoFile() | BadName():
            return ModelRefused(f"{model} is not a file on the Hub.", f"{model} は Hub 上のファイルではありません。")
        case NotKept():
            return HubFailed(
                f"{model} can't be kept in {hub.cache}: {trouble.strerror}.",
                f"{model} を {hub.cache} に保存できません: {trouble.strerror}。",
            )
    reason = f"status {trouble.status}" if trouble.status else str(trouble).splitlines()[0]
    return HubFailed(
        f"{model.repository} can't be had from {hub.endpoint}: {reason}.",
        f"{model.repository} を {hub.endpoint} から取得できません: {reason}。",
    )
