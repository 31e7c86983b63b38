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
from hayate.wire.replies import TO_EVENTS


def count(record: CallRecord, estimates: Estimates, fleet: Fleet) -> None:
    """Learns from the call, or puts in what it probably used; once it has ended."""
    usage, size = record.usage, record.sent_bytes
    if not size:
        return
    if record.status == 200 and usage.exact and record.sent_path in TO_EVENTS:
        estimates.learn_answer(record.key, record.model, usage.completion_tokens)
    if usage.told_prompt:
        if usage.exact:
            estimates.learn_prompt(record.deployment, record.sent_path, size, usage.prompt_tokens)
    elif usage.begun or _was_at_work(record):
        tokens = estimates.prompt_tokens(record.deployment, record.sent_path, size)
        deployment = fleet.deployments.get(record.deployment)
        context = None if deployment is None else deployment.context_tokens
        usage.prompt_tokens = tokens if context is None else min(tokens, context)


def _was_at_work(record: CallRecord) -> bool:
    """Whether an engine was making a whole answer: how far it had come, nobody can see."""
    asked = record.attempts > 0 and not record.streamed and record.sent_path in TO_EVENTS
    return asked and record.status in (200, CLIENT_CLOSED)
