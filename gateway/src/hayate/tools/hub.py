"""The Hugging Face Hub for every tool: through its own client library, into its own cache.

HF_ENDPOINT, HF_TOKEN, HF_HOME, HF_HUB_CACHE and HF_HUB_OFFLINE mean here what they mean to that library, because it is
the one that reads them. It takes a third of a second to import and is an extra of ours, so it is imported when a `Hub`
is made. Weights alone come by our own way (`tools.download`): the library throws away what has come when a download is
cut, and does not look at its checksum.

What goes wrong is a `HubTrouble`. `backends.tokenizer` asks the library by itself: what serves stands on no tool.
"""

from __future__ import annotations

import contextlib
import os
import re
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from hayate.tools.download import SHA256, Passing, Told, Wanted, complete
from hayate.tools.hub_trouble import HubTrouble, Lost, NotInstalled, NotKept, Offline, translated

T = TypeVar("T")
ASK_S = 4.0
"""What the Hub is given to answer a question that somebody waits for."""
NAMES_S = 2.0
"""What looking up the Hub's name may take on top of the limit for its answer: the lookup has no time limit of its own."""
CONNECT_S, SILENCE_S = 10.0, 30.0
"""What a connection for a file may take, and how long it may bring nothing."""
PARTIAL = 206


@dataclass(frozen=True, slots=True)
class Listing:
    """A repository's files with their sizes in bytes, 0 where the Hub doesn't say; `revision` is the commit they are of."""

    revision: str | None
    sizes: Mapping[str, int]
    checksums: Mapping[str, str]
    """Of each file the SHA-256, or, of one that is no LFS file, the SHA-1 that git gives it; none where the Hub doesn't say."""

    def wanted(self, name: str) -> Wanted:
        """What the file has to be."""
        return Wanted(self.sizes[name], self.checksums.get(name, ""))


class Hub:
    """The Hub that this process's environment names, or `env` in its place. Raises NotInstalled."""

    def __init__(self, env: Mapping[str, str] | None = None) -> None:
        # Read when the library is imported: without it, it asks the Hub for more than the model.
        os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
        try:
            from huggingface_hub import HfApi, constants, logging
        except ImportError as error:
            raise NotInstalled(error) from None
        logging.set_verbosity_error()  # type: ignore[no-untyped-call]  # its signature says nothing
        given = env or {}
        self._api = HfApi(endpoint=_word(given, "HF_ENDPOINT"), token=_word(given, "HF_TOKEN"))
        self.endpoint: str = self._api.endpoint
        self.cache = Path(constants.HF_HUB_CACHE) if env is None else _cache_of(env, Path(constants.HF_HUB_CACHE))
        self._offline = constants.is_offline_mode() if env is None else _is_on(env, "HF_HUB_OFFLINE")

    @property
    def offline(self) -> bool:
        """Whether only the cache may be looked into."""
        return self._offline

    def snapshot(self, repository: str) -> Path | None:
        """The folder in the cache with the files of the newest commit that is known here. Nobody is asked."""
        folder = self.cache / f"models--{repository.replace('/', '--')}"
        try:
            commit = (folder / "refs" / "main").read_text(encoding="ascii").strip()
        except OSError:
            return None
        return folder / "snapshots" / commit

    def files(self, repository: str, limit_s: float) -> Listing:
        """What the repository holds. The Hub is asked once and given `limit_s` to answer. Raises HubTrouble."""
        if self._offline:
            raise Offline("HF_HUB_OFFLINE")

        def ask() -> Listing:
            info = self._api.model_info(repository, timeout=limit_s, files_metadata=True)
            files = info.siblings or ()
            sums = {file.rfilename: (file.lfs.sha256 if file.lfs else file.blob_id) or "" for file in files}
            return Listing(info.sha, {file.rfilename: file.size or 0 for file in files}, sums)

        with translated():
            return _within(limit_s + NAMES_S, ask)

    def fetch(self, repository: str, name: str, revision: str | None = None) -> Path:
        """One file, downloaded unless it is in the cache. Raises HubTrouble."""
        with translated():
            return Path(self._api.hf_hub_download(repository, name, revision=revision, cache_dir=self.cache))

    def keep(self, repository: str, name: str, listing: Listing, told: Told) -> Path:
        """Weights, in the cache: where a download was cut, it goes on. `told` is told how many bytes there are.
        Raises HubTrouble and WrongChecksum.
        """
        wanted = listing.wanted(name)
        blobs = self.cache / f"models--{repository.replace('/', '--')}" / "blobs"
        blob = blobs / wanted.checksum
        if SHA256.fullmatch(wanted.checksum) and not blob.exists():
            try:
                blobs.mkdir(parents=True, exist_ok=True)
                self.download(repository, name, listing, blob, told)
            except OSError as error:
                raise NotKept(error) from error
        return self.fetch(repository, name)  # which finds the blob and makes it known under its name and commit

    def download(self, repository: str, name: str, listing: Listing, target: Path, told: Told) -> None:
        """One file to a place of its own, beside which what has come of it stands until it is whole. Raises HubTrouble,
        WrongChecksum, InUse, and OSError of the disk.
        """
        part = target.with_name(f"{listing.checksums.get(name) or target.name}.part")

        @contextlib.contextmanager
        def source(start: int) -> Iterator[tuple[int, Iterator[bytes]]]:
            with self._opened(repository, name, listing.revision, start) as found:
                yield found

        try:
            complete(source, listing.wanted(name), part, target, told)
        except HubTrouble:
            raise
        except Passing as error:
            raise Lost(error) from error

    @contextlib.contextmanager
    def _opened(
        self, repository: str, name: str, revision: str | None, start: int
    ) -> Iterator[tuple[int, Iterator[bytes]]]:
        """The file's bytes from `start` on, or from where the Hub begins all the same. Raises HubTrouble, also as the
        bytes come.
        """
        import httpx2
        from huggingface_hub import get_session, hf_hub_url, hf_raise_for_status
        from huggingface_hub.utils import build_hf_headers  # type: ignore[attr-defined]  # documented all the same

        url = hf_hub_url(repository, name, revision=revision, endpoint=self.endpoint)
        headers = {**build_hf_headers(token=self._api.token), "accept-encoding": "identity"}
        if start:
            headers["range"] = f"bytes={start}-"
        patience = httpx2.Timeout(SILENCE_S, connect=CONNECT_S)
        with contextlib.ExitStack() as held:
            with translated():
                response = held.enter_context(get_session().stream("GET", url, headers=headers, timeout=patience))
                hf_raise_for_status(response)
            said = re.match(r"bytes (\d+)-", response.headers.get("content-range", ""))
            yield int(said[1]) if said and response.status_code == PARTIAL else 0, _pieces(response.iter_raw())


def hide_progress() -> None:
    """No bars while files come, in all of this process: for files that are a matter of a moment."""
    from huggingface_hub.utils.tqdm import disable_progress_bars

    disable_progress_bars()


def _pieces(pieces: Iterator[bytes]) -> Iterator[bytes]:
    """The bytes as they come. What breaks them off is ours; what whoever takes them does is not looked at."""
    while True:
        with translated():
            piece = next(pieces, None)
        if piece is None:
            return
        yield piece


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


def _word(env: Mapping[str, str], name: str) -> str | None:
    """None leaves it to the library, which has read this process's environment."""
    return env.get(name, "").strip() or None


def _cache_of(env: Mapping[str, str], usual: Path) -> Path:
    if env.get("HF_HUB_CACHE"):
        return Path(env["HF_HUB_CACHE"])
    return Path(env["HF_HOME"]) / "hub" if env.get("HF_HOME") else usual


def _is_on(env: Mapping[str, str], name: str) -> bool:
    return env.get(name, "").lower() in ("1", "true", "yes", "on")
