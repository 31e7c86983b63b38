"""GGUF files from the Hugging Face Hub.

Rule: a file that is in the cache is used without asking anybody. Otherwise whether the Hub answers is decided once,
within a few seconds, before the client library may try and try again.
"""

from __future__ import annotations

import re
from pathlib import Path

from hayate.tools.embedded.reference import PREFERRED, HubModel, NoSuchFile, choose, is_of
from hayate.tools.embedded.refusals import CannotStart, HubFailed, ModelRefused
from hayate.tools.embedded.speaker import Say
from hayate.tools.hub import BadName, Gated, Hub, HubTrouble, NoFile, NoRepository, NotKept, Offline

ASK_S = 4.0
UNAUTHORISED = 401
NAME_A_FILE = "MODEL=/path/to/model.gguf"


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
        say(f"Downloading {size} from {model.repository}", f"{model.repository}から{size}をダウンロードします")
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
            f"{model.repository}にGGUFファイルがありません。名前が-GGUFで終わるリポジトリを探してください。",
        )
    return ModelRefused(
        f"{model} is not there; {model.repository} has: {error}.",
        f"{model}が見つかりません。{model.repository}にあるもの: {error}",
    )


def _refusal(hub: Hub, model: HubModel, trouble: HubTrouble) -> CannotStart:
    match trouble:
        case Offline():
            return HubFailed(
                f"HF_HUB_OFFLINE is set and {model} is not in the cache ({hub.cache}): unset it, or name a file: {NAME_A_FILE}",
                f"HF_HUB_OFFLINEが設定されており、{model}はキャッシュ（{hub.cache}）にありません。設定を外すか、"
                f"ファイルを指定してください: {NAME_A_FILE}",
            )
        case Gated():
            page = f"{hub.endpoint}/{model.repository}"
            return HubFailed(
                f"{model.repository} asks for consent: accept its terms at {page} and set HF_TOKEN.",
                f"{model.repository}は利用許諾が必要です。{page} で同意し、HF_TOKENを設定してください。",
            )
        case NoRepository():
            return HubFailed(
                f"{model.repository} is not on {hub.endpoint}, or is private: check the name (MODEL), or set an HF_TOKEN that "
                f"may see it.",
                f"{model.repository}は{hub.endpoint}にないか、非公開です。名前（MODEL）を確かめるか、閲覧できるHF_TOKENを設定してください。",
            )
        case NoFile() | BadName():
            return ModelRefused(
                f"{model} is not a file on the Hub: check the name (MODEL).",
                f"{model}はHubにありません。名前（MODEL）を確かめてください。",
            )
        case NotKept():
            why = trouble.reason
            return HubFailed(
                f"{model} can't be kept in {hub.cache}: {why.en}. Mend that, or name another folder with HF_HOME.",
                f"{model}を{hub.cache}に保存できません（{why.ja}）。解消するか、別のフォルダーをHF_HOMEで指定してください。",
            )
    return _unreached(hub, model, trouble)


def _unreached(hub: Hub, model: HubModel, trouble: HubTrouble) -> HubFailed:
    if trouble.status == UNAUTHORISED:
        return HubFailed(
            f"{hub.endpoint} refuses HF_TOKEN, so {model.repository} can't be had: make a new one at "
            f"{hub.endpoint}/settings/tokens, or unset it.",
            f"HF_TOKENが{hub.endpoint}に拒否されたため、{model.repository}を取得できません。{hub.endpoint}/settings/tokens で"
            f"新しいトークンを作成するか、HF_TOKENの設定を外してください。",
        )
    if not hub.endpoint.startswith(("http://", "https://")):
        return HubFailed(
            f"HF_ENDPOINT={hub.endpoint} is no http:// or https:// URL: mend it, or unset it.",
            f"HF_ENDPOINT={hub.endpoint}がhttp://またはhttps://で始まっていません。修正するか、設定を外してください。",
        )
    if trouble.status is not None:
        reason = f"status {trouble.status}"
        return HubFailed(
            f"{model.repository} can't be had from {hub.endpoint} ({reason}). Try again later, or name a file: {NAME_A_FILE}",
            f"{hub.endpoint}のエラーのため、{model.repository}を取得できません（{reason}）。後で再試行するか、"
            f"ファイルを指定してください: {NAME_A_FILE}",
        )
    reason = re.sub(r"^\[Errno -?\d+\] ", "", str(trouble).splitlines()[0]).rstrip(".")
    return HubFailed(
        f"{model.repository} can't be had from {hub.endpoint}: {reason}. Connect to the network, or name a file: {NAME_A_FILE}",
        f"{hub.endpoint}に接続できないため、{model.repository}を取得できません（{reason}）。ネットワークを確認するか、"
        f"ファイルを指定してください: {NAME_A_FILE}",
    )
