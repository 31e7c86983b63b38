"""What stands behind the names: deployments and aliases, swapped in one step. What watches them: `health_checks`, `canary`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from hayate.errors import UnknownModel
from hayate.fleet.deployment import Deployment
from hayate.fleet.spec import DeploymentSpec
from hayate.policy.lanes import Lanes
from hayate.policy.routing import resolve, with_first_names
from hayate.settings import Probing


class Fleet:
    """The tables: deployments by name, aliases. `apply` swaps them in one step."""

    def __init__(
        self, specs: Iterable[DeploymentSpec], aliases: Mapping[str, Sequence[str]], probing: Probing | None = None
    ) -> None:
        self.probing = probing or Probing()
        self.deployments: dict[str, Deployment] = {}
        self.aliases: Mapping[str, Sequence[str]] = {}
        self._configured: Mapping[str, Sequence[str]] = {}
        self._lanes: Mapping[frozenset[str], Lanes] = {}
        self._routes: dict[str, list[Deployment]] = {}  # only names that resolve, so a caller can't fill it
        self.apply(specs, aliases)

    def apply(self, specs: Iterable[DeploymentSpec], aliases: Mapping[str, Sequence[str]]) -> None:
        """A new configuration. Calls under way are not touched; deployments and replicas that stay keep their state."""
        old = self.deployments
        new: dict[str, Deployment] = {}
        for spec in specs:
            kept = old.get(spec.name)
            if kept is None or type(kept.backend) is not type(spec.backend):
                new[spec.name] = Deployment(spec, self.probing)
            else:
                kept.adopt(spec)
                new[spec.name] = kept
        for name, deployment in old.items():
            if new.get(name) is not deployment:
                for replica in deployment.replicas:
                    replica.pool.close()
        self.deployments = new
        self._configured = aliases
        self._lanes = shared_lanes(new.values(), self._lanes)
        self._name()

    def _name(self) -> None:
        """Which names there are, from what is configured and what engines serve."""
        served = set[str]().union(*(each.models for each in self.deployments.values()))
        self.aliases = with_first_names(self._configured, tuple(self.deployments), served)
        self._routes.clear()

    def route(self, name: str | None) -> list[Deployment]:
        """The deployments behind a model's name, in the order to try. Raises UnknownModel."""
        route = self._routes.get(name or "default")
        if route is None:
            targets = resolve(name, self.aliases, {each.name: each.models for each in self.deployments.values()})
            route = self._routes[name or "default"] = [self.deployments[target] for target in targets]
        return route

    def has(self, name: str) -> bool:
        """Whether there is a model of this name, whoever has asked for it."""
        try:
            self.route(name)
        except UnknownModel:
            return False
        return True

    def knows(self, name: str | None) -> bool:
        """Whether calls have found that name already; `route` tells about one that none has asked for yet."""
        return (name or "default") in self._routes

    def refresh(self, deployment: Deployment) -> None:
        """A replica has said what it serves: names may mean something else now."""
        deployment.refresh()
        self._name()

    def ready(self, now: float) -> bool:
        """Whether the alias `default` can be served."""
        return any(deployment.ready(now) for deployment in self.route(None))

    def close(self) -> None:
        """Closes every idle connection."""
        for deployment in self.deployments.values():
            for replica in deployment.replicas:
                replica.pool.close()


def shared_lanes(
    deployments: Iterable[Deployment], kept: Mapping[frozenset[str], Lanes]
) -> Mapping[frozenset[str], Lanes]:
    """Gives the same lanes to deployments that share a GPU, directly or by way of others; by the GPUs that belong together so.
    What is `kept` goes on where these are the same. Deployments that name no GPU have lanes of their own.
    """
    together: list[tuple[set[str], list[Deployment]]] = []
    for deployment in deployments:
        gpus, members = set(deployment.gpus), [deployment]
        if not gpus:
            if deployment.gate.lanes in kept.values():
                deployment.stand_on(Lanes())
            continue
        for group in [each for each in together if each[0] & gpus]:
            together.remove(group)
            gpus |= group[0]
            members = group[1] + members
        together.append((gpus, members))
    found = {frozenset(gpus): kept.get(frozenset(gpus), Lanes()) for gpus, _ in together}
    for gpus, members in together:
        for deployment in members:
            deployment.stand_on(found[frozenset(gpus)])
    return found
