"""Why the status of a gateway can't be told."""

from __future__ import annotations

from hayate.tools.refusal import Refusal


class CannotTell(Refusal):
    """Any of them: status 2, as for a gateway that does not run."""


class NobodyThere(CannotTell):
    """Nothing takes connections at the address, or it can't be reached at all."""


class NoAnswer(CannotTell):
    """Something is there and says nothing in time."""


class SomethingElse(CannotTell):
    """What answers is not a gateway that can tell."""


class KeyRefused(CannotTell):
    """No key is known for it, or it does not take the one that was sent."""
