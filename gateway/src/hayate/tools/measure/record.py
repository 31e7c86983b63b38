"""A measurement as it is kept: the JSON of `--json`, which `--compare` and `--show` read again.

The names are stable. A later version may add some, and readers pass over what they don't know; a change of meaning
would change `format`. docs-llm_api/measuring.md lists them all. It holds no key, no prompt and no answer.
"""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from hayate.tools.measure.refusal import CannotMeasure, too_large, unreadable

FORMAT: Literal["hayate-bench/1"] = "hayate-bench/1"
MAX_FILE_BYTES = 256 * 1024 * 1024


class Part(BaseModel):
    """A piece of the record."""

    model_config = ConfigDict(frozen=True, extra="ignore", allow_inf_nan=False)


class Spread(Part):
    """How the values of the successful calls lie."""

    min: float
    p5: float
    p50: float
    p95: float
    max: float
    mean: float


class FailureCount(Part):
    """Calls that failed for the same reason."""

    reason: str
    detail: str
    count: int


class CallRow(Part):
    """One call, kept only with `--raw`; times are seconds from the start of its model's measurement."""

    number: int
    started_s: float
    ttft_s: float | None
    total_s: float
    output_tokens: int
    chars: int
    prompt_tokens: int | None
    finish_reason: str | None
    failure: str | None


class ModelFigures(Part):
    """One model's figures; None where no call of it gave such a value."""

    model: str
    served_model: str | None
    calls: int = Field(ge=0)
    succeeded: int = Field(ge=0)
    failed: int = Field(ge=0)
    failures: list[FailureCount]
    wall_s: float = Field(ge=0)
    warm_up_s: float | None
    ttft_s: Spread | None
    tpot_s: Spread | None
    total_s: Spread | None
    stream_tokens_per_s: Spread | None
    stream_chars_per_s: Spread | None
    tokens_per_s: float | None
    requests_per_s: float | None
    output_tokens: int
    prompt_tokens: int
    tokens_from: str
    rows: list[CallRow] | None = None


class PromptsUsed(Part):
    """Which prompts were asked: enough to tell whether two runs can be compared, and not the prompts."""

    name: str
    count: int
    sha256: str


class RunSettings(Part):
    """How it was measured: what must be the same for two runs to be compared."""

    url: str
    api: str
    concurrency: int
    calls: int
    max_tokens: int
    temperature: float | None
    prompts: PromptsUsed
    unique: bool
    warm_up: bool
    timeout_s: float


class Record(Part):
    """One run of `hayate bench`."""

    format: Literal["hayate-bench/1"] = FORMAT
    date: datetime
    label: str
    hayate: str
    complete: bool
    client_cpu_share: float
    settings: RunSettings
    models: list[ModelFigures] = Field(min_length=1)

    @property
    def local_date(self) -> str:
        """When it was made, by this machine's clock and time zone."""
        return self.date.astimezone().strftime("%Y-%m-%d %H:%M")

    @property
    def failed(self) -> int:
        """Calls that failed, of all models."""
        return sum(each.failed for each in self.models)


def to_values(record: Record) -> dict[str, Any]:
    """The record as plain values; without rows where there are none."""
    values = record.model_dump(mode="json")
    for each in values["models"]:
        if each["rows"] is None:
            del each["rows"]
    return values


def read_record(path: Path) -> Record:
    """A record from a file. Raises CannotMeasure, which names what is wrong with it."""
    try:
        if path.stat().st_size > MAX_FILE_BYTES:
            raise too_large(path, MAX_FILE_BYTES)
        # UTF-16 is what Windows PowerShell's `>` writes.
        data = path.read_bytes()
        text = data.decode("utf-16" if data[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig")
        return Record.model_validate_json(text)
    except OSError as error:
        raise unreadable(path, error) from None
    except UnicodeDecodeError:
        raise _unusable(path, "not UTF-8") from None
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        raise _unusable(path, f"{where}: {first['msg']}" if where else first["msg"]) from None


def _unusable(path: Path, why: str) -> CannotMeasure:
    return CannotMeasure(
        f"{path} is not a result of `hayate bench --json` ({why}).",
        f"{path} は `hayate bench --json` の結果ではありません（{why}）。",
    )
