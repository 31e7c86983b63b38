"""The Hugging Face Hub for every tool: through its own client library, into its own cache.

HF_ENDPOINT, HF_TOKEN, HF_HOME, HF_HUB_CACHE and HF_HUB_OFFLINE mean here what they mean to that library, because it is
the one that reads them. It takes a third of a second to import and is an extra of ours, so it is imported when a `Hub`
is made.

    HubTrouble
    ├── NotInstalled     the library is not there
    ├── Offline          it was told to ask nobody
    ├── Gated            the terms of the repository have to be accepted first
    ├── NoRepository     there is none of that name, or a private one
    ├── BadName          no repository can be called that
    ├── NoFile           the repository has no such file, or it is not in the cache and the Hub is away
    ├── NotKept          the disk would not take it
    └── NotGiven         everything else: the network, the Hub's own trouble, a page that is no Hub's

What a person is told of it is each tool's own. `backends.tokenizer` asks the library by itself: what serves stands on no tool.
"""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from hayate.language import Text, reason_of

T = TypeVar("T")
NAMES_S = 2.0
"""What looking up the Hub's name may take on top of the limit for its answer: the lookup has no time limit of its own."""


class HubTrouble(Exception):
    """The Hub did not give what was asked for. `status` is its HTTP status, if it answered with one."""

    def __init__(self, cause: Exception | str) -> None:
        super().__init__(str(cause) or type(cause).__name__)
        self.kind = type(cause).__name__
        """The name of what the library raised: unlike its text, it repeats no address and no header."""
        status = getattr(getattr(cause, "response", None), "status_code", None)
        self.status = status if isinstance(status, int) else None
        self.strerror = cause.strerror if isinstance(cause, OSError) else None
        self.reason = reason_of(cause) if isinstance(cause, OSError) else Text(str(self), str(self))


class NotInstalled(HubTrouble):
    """The library is not there."""


class Offline(HubTrouble):
    """It was told to ask nobody."""


class Gated(HubTrouble):
    """The terms of the repository have to be accepted first."""


class NoRepository(HubTrouble):
    """There is none of that name, or a private one."""


class BadName(HubTrouble):
    """No repository can be called that."""


class NoFile(HubTrouble):
    """The repository has no such file, or it is not in the cache and the Hub is away."""


class NotKept(HubTrouble):
    """The disk would not take it; `strerror` says why."""


class NotGiven(HubTrouble):
    """Everything else: the network, the Hub's own trouble, a page that is no Hub's."""


@dataclass(frozen=True, slots=True)
class Listing:
    """A repository's files with their sizes in bytes, 0 where the Hub doesn't say; `revision` is the commit they are of."""

    revision: str | None
    sizes: Mapping[str, int]


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
            return Listing(info.sha, {file.rfilename: file.size or 0 for file in info.siblings or ()})

        with _translated():
            return _within(limit_s + NAMES_S, ask)

    def fetch(self, repository: str, name: str, revision: str | None = None) -> Path:
        """One file, downloaded unless it is in the cache. Raises HubTrouble."""
        with _translated():
            return Path(self._api.hf_hub_download(repository, name, revision=revision, cache_dir=self.cache))


def hide_progress() -> None:
    """No bars while files come, in all of this process: for files that are a matter of a moment."""
    from huggingface_hub.utils.tqdm import disable_progress_bars

    disable_progress_bars()


@contextlib.contextmanager
def _translated() -> Iterator[None]:
    """What the library raises as ours. A page that is no Hub's gives the last three of the long list."""
    import httpx2
    from huggingface_hub.errors import (
        EntryNotFoundError,
        GatedRepoError,
        HFValidationError,
        RepositoryNotFoundError,
        XetDownloadError,
    )

    try:
        yield
    except GatedRepoError as error:
        raise Gated(error) from error
    except RepositoryNotFoundError as error:
        raise NoRepository(error) from error
    except HFValidationError as error:
        raise BadName(error) from error
    except EntryNotFoundError as error:
        raise NoFile(error) from error
    except (OSError, httpx2.HTTPError, httpx2.InvalidURL, XetDownloadError, ValueError, TypeError, KeyError) as error:
        raise (NotKept if _is_the_disks(error) else NotGiven)(error) from error


def _is_the_disks(error: Exception) -> bool:
    of_the_network = isinstance(error, ConnectionError | TimeoutError)
    return isinstance(error, OSError) and error.errno is not None and not of_the_network


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
