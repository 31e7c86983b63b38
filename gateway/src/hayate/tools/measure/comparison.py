"""Two measurements side by side. Pure.

Models are paired by name; where the earlier run has a single model, it is the one that all later models are compared
with: "before" was one slow model, whatever it was called.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from hayate.tools.measure.record import ModelFigures, Record, Spread

Percent = Literal["p50", "p95"]


@dataclass(frozen=True, slots=True)
class Metric:
    """One figure of a model: where it stands in the record, and which way is better."""

    name: str
    """As `words` calls it."""
    field: str
    lower_is_better: bool
    percent: Percent | None = None

    @property
    def label(self) -> str:
        """Its name in `--json`, which stays."""
        return f"{self.field}_{self.percent}" if self.percent else self.field

    def of(self, figures: ModelFigures) -> float | None:
        """The figure; None where the model has none."""
        value: Spread | float | None = getattr(figures, self.field)
        return getattr(value, self.percent or "p50") if isinstance(value, Spread) else value


METRICS = (
    Metric("ttft", "ttft_s", True, "p50"),
    Metric("ttft", "ttft_s", True, "p95"),
    Metric("tpot", "tpot_s", True, "p50"),
    Metric("tpot", "tpot_s", True, "p95"),
    Metric("total", "total_s", True, "p50"),
    Metric("stream_tokens", "stream_tokens_per_s", False, "p50"),
    Metric("stream_chars", "stream_chars_per_s", False, "p50"),
    Metric("tokens", "tokens_per_s", False),
    Metric("requests", "requests_per_s", False),
)


@dataclass(frozen=True, slots=True)
class Pair:
    """One model of the later run and the one it is compared with."""

    before: ModelFigures
    after: ModelFigures

    def gain(self, metric: Metric) -> float | None:
        """How many times better it has become: 2 is twice as fast, 0.5 half as fast."""
        before, after = metric.of(self.before), metric.of(self.after)
        if not before or not after:
            return None
        return before / after if metric.lower_is_better else after / before


def pairs(before: Record, after: Record) -> Sequence[Pair]:
    """The models that can be compared."""
    known = {each.model: each for each in before.models}
    alone = before.models[0] if len(before.models) == 1 else None
    found = ((known.get(each.model, alone), each) for each in after.models)
    return [Pair(base, each) for base, each in found if base is not None]


def differences(before: Record, after: Record) -> Sequence[str]:
    """The settings that were not the same, as `name: before, after`; the address and the dialect may well differ."""
    old, new = before.settings, after.settings
    rows = [
        (name, getattr(old, name), getattr(new, name))
        for name in ("concurrency", "calls", "max_tokens", "temperature", "unique")
    ]
    rows.append(("prompts", old.prompts.name, new.prompts.name))
    changed = [f"{name}: {was}, {now}" for name, was, now in rows if was != now]
    if old.prompts.sha256 != new.prompts.sha256 and old.prompts.name == new.prompts.name:
        changed.append(f"prompts: {old.prompts.name}, edited")
    return changed


def comparison_values(before: Record, after: Record) -> dict[str, object]:
    """The comparison for `--json`: gains over 1 are improvements."""
    return {
        "before": {"label": before.label, "date": before.date.isoformat()},
        "different_settings": list(differences(before, after)),
        "models": [
            {
                "model": pair.after.model,
                "before_model": pair.before.model,
                "gain": {metric.label: pair.gain(metric) for metric in METRICS},
            }
            for pair in pairs(before, after)
        ],
    }
