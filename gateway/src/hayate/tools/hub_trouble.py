"""What goes wrong with the Hugging Face Hub, and what its client library raises as one of these.

    HubTrouble
    ├── NotInstalled     the library is not there
    ├── Offline          it was told to ask nobody
    ├── Gated            the terms of the repository have to be accepted first
    ├── NoRepository     there is none of that name, or a private one
    ├── BadName          no repository can be called that
    ├── NoFile           the repository has no such file, or it is not in the cache and the Hub is away
    ├── NotKept          the disk would not take it
    └── NotGiven         everything else: the network, the Hub's own trouble, a page that is no Hub's
        └── Lost         what another try may mend

What a person is told of it is in `hub_words`, or each tool's own.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from hayate.language import Text, reason_of
from hayate.tools.download import Passing

BUSY = (408, 429)
"""Statuses below 500 that another try may mend."""


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


class Lost(NotGiven, Passing):
    """Of these, what another try may mend: a connection that was cut, a Hub that is busy."""


@contextlib.contextmanager
def translated() -> Iterator[None]:
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
        if _is_the_disks(error):
            raise NotKept(error) from error
        trouble = NotGiven(error)
        of_the_way = isinstance(error, OSError | httpx2.HTTPError)
        passing = of_the_way and (trouble.status is None or trouble.status >= 500 or trouble.status in BUSY)
        raise (Lost(error) if passing else trouble) from error


def _is_the_disks(error: Exception) -> bool:
    of_the_network = isinstance(error, ConnectionError | TimeoutError)
    return isinstance(error, OSError) and error.errno is not None and not of_the_network
