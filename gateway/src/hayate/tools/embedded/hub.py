"""GGUF files from the Hugging Face Hub, into its own cache, by its own client.

Rule: a file that is in the cache is used without asking anybody. Otherwise whether the Hub answers is decided once, within
`DECIDE_S`, before the client library may try and try again. HF_HOME, HF_TOKEN, HF_ENDPOINT and HF_HUB_OFFLINE mean here
what they mean to that library, because it is the one that reads them.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import httpx2
from huggingface_hub import HfApi, constants, hf_hub_download, logging
from huggingface_hub.errors import (
    EntryNotFoundError,
    GatedRepoError,
    HfHubHTTPError,
    HFValidationError,
    RepositoryNotFoundError,
    XetDownloadError,
)

from hayate.tools.embedded.reference import PREFERRED, HubModel, NoSuchFile, choose, is_of
from hayate.tools.embedded.refusals import CannotStart, HubFailed, ModelRefused
from hayate.tools.embedded.speaker import Say

ASK_S = 4.0
DECIDE_S = 6.0
"""Longer than ASK_S, because looking up a name has no time limit of its own."""

# What the client library raises when the Hub, the network or the disk fails it; a page that is no Hub's gives the last three.
FAULTS = (HubFailed, OSError, httpx2.HTTPError, httpx2.InvalidURL, XetDownloadError, ValueError, TypeError, KeyError)
T = TypeVar("T")


def obtain(model: HubModel, say: Say) -> list[Path]:
    """The files of `model`, downloaded when they are not in the cache. Raises HubFailed or ModelRefused."""
    logging.set_verbosity_error()  # type: ignore[no-untyped-call]  # its signature says nothing
    cached = _cached(model)
    if cached and _settled(cached, model):
        return cached
    try:
        there = _list_files(model)
        names = choose(there, model)
        size = f"{', '.join(names)} ({sum(there[name] for name in names) / 1e6:,.0f} MB)"
        say(f"Downloading {size} from {model.repository}", f"{model.repository} から {size} をダウンロードします")
        return [Path(hf_hub_download(model.repository, name)) for name in names]
    except NoSuchFile as error:
        raise _no_such_file(model, error) from None
    except FAULTS as error:
        if cached:
            return cached
        raise _refusal(model, error) from error


def cache_folder() -> Path:
    """Where the client library keeps what it has."""
    return Path(constants.HF_HUB_CACHE)


def _cached(model: HubModel) -> list[Path]:
    """The files of `model` in the cache, if all are there."""
    folder = cache_folder() / f"models--{model.repository.replace('/', '--')}"
    try:
        commit = (folder / "refs" / "main").read_text(encoding="ascii").strip()
    except OSError:
        return []
    snapshot = folder / "snapshots" / commit
    names = [path.relative_to(snapshot).as_posix() for path in snapshot.rglob("*.gguf") if path.exists()]
    try:
        return [snapshot / name for name in choose(names, model)]
    except NoSuchFile:
        return []


def _settled(cached: list[Path], model: HubModel) -> bool:
    """With neither file nor quantisation named, only the first preference needs no look at what else there is."""
    return bool(model.file or model.quantisation) or is_of(cached[0].name, PREFERRED[0])


def _list_files(model: HubModel) -> dict[str, int]:
    """The repository's files and their sizes in bytes, 0 when the Hub doesn't say."""
    if constants.is_offline_mode():
        raise HubFailed(
            f"HF_HUB_OFFLINE is set and {model} is not in the cache ({cache_folder()}).",
            f"HF_HUB_OFFLINE が設定されており、{model} はキャッシュ（{cache_folder()}）にありません。",
        )
    info = _within(DECIDE_S, lambda: HfApi().model_info(model.repository, timeout=ASK_S, files_metadata=True))
    return {sibling.rfilename: sibling.size or 0 for sibling in info.siblings or []}


def _within(limit_s: float, ask: Callable[[], T]) -> T:
    """The answer, or TimeoutError. The asking thread is left behind: it can't hold up the end of the process."""
    answers: list[T] = []
    errors: list[BaseException] = []

    def run() -> None:
        try:
            answers.append(ask())
        except BaseException as error:  # noqa: BLE001  handed to the caller, whatever it is
            errors.append(error)

    thread = threading.Thread(target=run, daemon=True, name="hub")
    thread.start()
    thread.join(limit_s)
    if errors:
        raise errors[0]
    if not answers:
        raise TimeoutError(f"no answer within {limit_s:g} s")
    return answers[0]


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


def _refusal(model: HubModel, error: Exception) -> CannotStart:
    """Our sentence for what the client library raised."""
    if isinstance(error, CannotStart):
        return error
    page = f"{constants.ENDPOINT}/{model.repository}"
    if isinstance(error, GatedRepoError):
        return HubFailed(
            f"{model.repository} asks for consent: accept its terms at {page} and set HF_TOKEN.",
            f"{model.repository} は利用規約への同意が必要です。{page} で同意し、HF_TOKEN を設定してください。",
        )
    if isinstance(error, RepositoryNotFoundError):
        return HubFailed(
            f"{model.repository} is not on {constants.ENDPOINT}, or is private: check the name, or set HF_TOKEN.",
            f"{model.repository} は {constants.ENDPOINT} にないか、非公開です。名前を確かめるか、HF_TOKEN を設定してください。",
        )
    if isinstance(error, EntryNotFoundError | HFValidationError):
        return ModelRefused(f"{model} is not a file on the Hub.", f"{model} は Hub 上のファイルではありません。")
    reason = (
        f"status {error.response.status_code}"
        if isinstance(error, HfHubHTTPError)
        else str(error) or type(error).__name__
    )
    if isinstance(error, OSError) and error.errno is not None and not isinstance(error, ConnectionError | TimeoutError):
        return HubFailed(
            f"{model} can't be kept in {cache_folder()}: {error.strerror}.",
            f"{model} を {cache_folder()} に保存できません: {error.strerror}。",
        )
    return HubFailed(
        f"{model.repository} can't be had from {constants.ENDPOINT}: {reason.splitlines()[0]}.",
        f"{model.repository} を {constants.ENDPOINT} から取得できません: {reason.splitlines()[0]}。",
    )
