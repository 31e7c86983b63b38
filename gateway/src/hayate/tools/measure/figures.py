"""From calls to figures. Pure.

Percentiles are interpolated between the two nearest values, as spreadsheets do; a figure without any value is None, never 0.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

from hayate.tools.measure.calls import MeasuredCall
from hayate.tools.measure.record import CallRow, FailureCount, ModelFigures, Spread


def percentile(values: Sequence[float], percent: float) -> float:
    """The value below which `percent` of the ascending, non-empty `values` lie."""
    place = (len(values) - 1) * percent / 100
    below = int(place)
    above = min(below + 1, len(values) - 1)
    low, high = values[below], values[above]
    # Held between its neighbours: rounding must not push it out.
    return min(max(low + (high - low) * (place - below), low), high)


def spread_of(values: Iterable[float | None]) -> Spread | None:
    """The spread of what is there; None when there is nothing."""
    found = sorted(value for value in values if value is not None)
    if not found:
        return None
    return Spread(
        min=found[0],
        p5=percentile(found, 5),
        p50=percentile(found, 50),
        p95=percentile(found, 95),
        max=found[-1],
        mean=min(max(sum(found) / len(found), found[0]), found[-1]),
    )


def figures_of(
    model: str, calls: Sequence[MeasuredCall], wall_s: float, warm_up_s: float | None = None, raw: bool = False
) -> ModelFigures:
    """One model's figures. Times and speeds are those of the calls that succeeded; `wall_s` is the time all of them took."""
    good = [call for call in calls if call.failure is None]
    tokens = sum(call.output_tokens for call in good)
    return ModelFigures(
        model=model,
        served_model=next((call.served_model for call in good if call.served_model), None),
        calls=len(calls),
        succeeded=len(good),
        failed=len(calls) - len(good),
        failures=_failures(calls),
        wall_s=wall_s,
        warm_up_s=warm_up_s,
        ttft_s=spread_of(call.ttft_s for call in good),
        tpot_s=spread_of(call.tpot_s for call in good),
        total_s=spread_of(call.total_s for call in good),
        stream_tokens_per_s=spread_of(_per_s(call, call.output_tokens - 1) for call in good),
        stream_chars_per_s=spread_of(_per_s(call, call.chars) for call in good),
        tokens_per_s=tokens / wall_s if good and wall_s > 0 else None,
        requests_per_s=len(good) / wall_s if good and wall_s > 0 else None,
        output_tokens=tokens,
        prompt_tokens=sum(call.prompt_tokens or 0 for call in good),
        tokens_from=_source(good),
        rows=[_row(call) for call in calls] if raw else None,
    )


def _per_s(call: MeasuredCall, amount: int) -> float | None:
    """How fast an answer flowed once it did; None for one that came all at once."""
    return amount / call.decode_s if call.decode_s is not None and call.output_tokens > 1 else None


def _source(good: Sequence[MeasuredCall]) -> str:
    told = {call.tokens_told for call in good}
    return "mixed" if len(told) == 2 else "deltas" if told == {False} else "usage"


def _failures(calls: Sequence[MeasuredCall]) -> list[FailureCount]:
    """A row for each reason, the commonest first, with what the first such call was told."""
    counts: Counter[str] = Counter(call.failure.reason for call in calls if call.failure)
    details = {call.failure.reason: call.failure.detail for call in reversed(calls) if call.failure}
    return [FailureCount(reason=each, detail=details[each], count=count) for each, count in counts.most_common()]


def _row(call: MeasuredCall) -> CallRow:
    return CallRow(
        number=call.number,
        started_s=call.started_s,
        ttft_s=call.ttft_s,
        total_s=call.total_s,
        output_tokens=call.output_tokens,
        chars=call.chars,
        prompt_tokens=call.prompt_tokens,
        finish_reason=call.finish_reason,
        failure=call.failure.reason if call.failure else None,
    )
