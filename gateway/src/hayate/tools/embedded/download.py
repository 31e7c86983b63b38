"""GGUF files from the Hugging Face Hub.

Rule: a file that is in the cache is used without asking anybody. Otherwise whether the Hub answers is decided once,
within a few seconds, before the client library may try and try again.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path

from hayate.language import Text
from hayate.tools.download import InUse, WrongChecksum
from hayate.tools.embedded.reference import PREFERRED, HubModel, NoSuchFile, choose, is_of
from hayate.tools.embedded.refusals import CannotStart, HubFailed, ModelRefused
from hayate.tools.embedded.speaker import Say
from hayate.tools.hub import ASK_S, Hub
from hayate.tools.hub_trouble import BadName, HubTrouble, NoFile, NotKept, Offline
from hayate.tools.hub_words import Asker, in_use, in_vain, not_there, wrong_checksum
from hayate.tools.transfer import begun, transfer

NAME_A_FILE = "MODEL=/path/to/model.gguf"
ASKER = Asker(
    "MODEL",
    later=Text(
        f"Try again later, or name a file: {NAME_A_FILE}",
        f"後で再試行するか、ファイルを指定してください: {NAME_A_FILE}",
    ),
    network=Text(
        f"Connect to the network, or name a file: {NAME_A_FILE}",
        f"ネットワークを確認するか、ファイルを指定してください: {NAME_A_FILE}",
    ),
)


def obtain(model: HubModel, say: Say) -> list[Path]:
    """The files of `model`, downloaded when they are not in the cache. Raises HubFailed or ModelRefused."""
    hub = Hub()
    cached = _cached(hub, model)
    if cached and _settled(cached, model):
        return cached
    try:
        listing = hub.files(model.repository, ASK_S)
        names = choose(listing.sizes, model)
        size_bytes = sum(listing.sizes[name] for name in names)
        line = begun(", ".join(names), size_bytes, model.repository)
        say(line.en, line.ja)
        with transfer(size_bytes) as bar:
            return [hub.keep(model.repository, name, listing, partial(bar.at, name)) for name in names]
    except NoSuchFile as error:
        said = not_there(model.repository, str(model), error.names)
        raise ModelRefused(said.en, said.ja) from None
    except (WrongChecksum, InUse) as error:
        said = (in_use if isinstance(error, InUse) else wrong_checksum)(str(model))
        raise HubFailed(said.en, said.ja) from error
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


def _refusal(hub: Hub, model: HubModel, trouble: HubTrouble) -> CannotStart:
    match trouble:
        case Offline():
            return HubFailed(
                f"HF_HUB_OFFLINE is set and {model} is not in the cache ({hub.cache}): unset it, or name a file: {NAME_A_FILE}",
                f"HF_HUB_OFFLINEが設定されており、{model}はキャッシュ（{hub.cache}）にありません。設定を外すか、"
                f"ファイルを指定してください: {NAME_A_FILE}",
            )
        case NotKept():
            why = trouble.reason
            return HubFailed(
                f"{model} can't be kept in {hub.cache}: {why.en}. Mend that, or name another folder with HF_HOME.",
                f"{model}を{hub.cache}に保存できません（{why.ja}）。解消するか、別のフォルダーをHF_HOMEで指定してください。",
            )
    said = in_vain(hub.endpoint, model.repository, str(model), trouble, ASKER)
    return (ModelRefused if isinstance(trouble, NoFile | BadName) else HubFailed)(said.en, said.ja)
