"""The prompt's tokens of a call whose engine has not told them: estimated, and marked so.

Engines count a prompt once they have read it whole, and tell it with the end of the answer (llama.cpp, and a stream of
Messages, at its start too). A call that ends sooner has used its prompt nevertheless, if its answer had begun. What the
prompts of other calls came to is what the estimate is learned from.
"""

from __future__ import annotations

from hayate.errors import CLIENT_CLOSED
from hayate.fleet.fleet import Fleet
from hayate.policy.estimates import Estimates
from hayate.telemetry.record import CallRecord

_AT_WORK = (200, CLIENT_CLOSED)
"""How a call ends whose engine was at work on a whole answer: whether it had begun, nobody can see."""


def count_prompt(record: CallRecord, estimates: Estimates, fleet: Fleet) -> None:
    """Learns from the call, or puts in what it probably used; once it has ended."""
    usage, size = record.usage, record.sent_bytes
    if not size:
        return
    if usage.told_prompt:
        if usage.exact:
            estimates.learn_prompt(record.deployment, size, usage.prompt_tokens)
    elif usage.begun or (not record.streamed and record.attempts and record.status in _AT_WORK):
        tokens = estimates.prompt_tokens(record.deployment, size)
        deployment = fleet.deployments.get(record.deployment)
        context = None if deployment is None else deployment.context_tokens
        usage.prompt_tokens = tokens if context is None else min(tokens, context)
