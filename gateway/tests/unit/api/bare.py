"""A gateway without engines and without a server: what is around calls, for tests of just that."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence

from hayate.access.authenticator import Authenticator
from hayate.access.principals import OWNER
from hayate.api.gateway import Gateway, Reloaded
from hayate.fleet.deployment import Deployment
from hayate.fleet.engines import Engines
from hayate.fleet.fleet import Fleet
from hayate.fleet.spec import DeploymentSpec
from hayate.history.conversations import Conversations
from hayate.relay.relay import Relay
from hayate.relay.ticker import Ticker
from hayate.store.store import Store
from hayate.telemetry.calls import CallObserver, EndedCalls
from hayate.telemetry.metrics import Metrics
from hayate.telemetry.record import CallRecord

KEY = "sk-hayate-0123456789abcdef"
"""The callers' key of every gateway made here."""


class Observer:
    """Who is told of ended calls, and remembers each."""

    def __init__(self) -> None:
        self.records: list[CallRecord] = []

    def calls_ended(self, batch: Sequence[CallRecord]) -> None:
        self.records += batch


async def _meets(_: Deployment) -> None:
    """Nobody is loaded."""


async def nothing_changes() -> Reloaded:
    return Reloaded((), {}, ())


def bare_gateway(
    ticker: Ticker,
    store: Store,
    *observers: CallObserver,
    specs: Sequence[DeploymentSpec] = (),
    reload: Callable[[], Awaitable[Reloaded]] = nothing_changes,
) -> Gateway:
    """Observers are told of each call at once."""
    fleet = Fleet(specs, {})
    auth = Authenticator({KEY: OWNER})
    history, calls = Conversations(store), EndedCalls(observers)
    engines = Engines(fleet, lambda _: None, _meets, lambda event, resident: None)
    return Gateway(Relay(fleet, ticker), auth, calls, Metrics(fleet), ticker, store, history, engines, reload)
