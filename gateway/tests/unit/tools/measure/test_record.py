"""The JSON that is kept: read again as it was written, documented field by field, refused when it is something else."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import orjson
import pytest

from hayate.tools.measure.figures import figures_of
from hayate.tools.measure.record import Record, read_record, to_values
from hayate.tools.measure.refusal import CannotMeasure
from tests.unit.tools.measure.measured import call, failed, record

DOCS = Path(__file__).parents[5] / "docs-llm_api"


def kept(tmp_path: Path, data: bytes) -> Path:
    path = tmp_path / "before.json"
    path.write_bytes(data)
    return path


@pytest.mark.parametrize("raw", [False, True])
def test_a_record_is_read_as_it_was_written(tmp_path: Path, raw: bool) -> None:
    calls = [call(1, prompt_tokens=7), failed("status_503", "queue full", 2)]
    before = record(figures_of("fast", calls, 1.0, 0.5, raw), figures_of("smart", [failed("cut")], 1.0))
    values = to_values(before)
    assert ("rows" in values["models"][0]) is raw
    assert read_record(kept(tmp_path, orjson.dumps(values))) == before


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_a_file_redirected_by_powershell_is_read(tmp_path: Path, encoding: str) -> None:
    values = orjson.dumps(to_values(record(figures_of("速い", [call()], 1.0)))).decode()
    assert read_record(kept(tmp_path, values.encode(encoding))).models[0].model == "速い"


def test_a_later_version_may_add_fields(tmp_path: Path) -> None:
    values = to_values(record(figures_of("fast", [call()], 1.0))) | {"weather": "fine", "comparison": {}}
    assert read_record(kept(tmp_path, orjson.dumps(values))).label == "gateway"


@pytest.mark.parametrize(
    "data", [b"", b"[]", b"{}", b'{"format":"hayate-bench/2"}', b"\xff\xfe\x00", b"\x80", b'{"models":' + b"[" * 99999]
)
def test_another_file_is_refused_in_one_line(tmp_path: Path, data: bytes) -> None:
    with pytest.raises(CannotMeasure) as refused:
        read_record(kept(tmp_path, data))
    assert "\n" not in refused.value.text("en")
    assert "ではありません" in refused.value.text("ja")


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CannotMeasure, match="can't be read"):
        read_record(tmp_path / "nowhere.json")


def names(schema: dict[str, Any]) -> set[str]:
    """Every field name of the schema."""
    parts = [schema, *schema.get("$defs", {}).values()]
    return {name for part in parts for name in part.get("properties", {})}


@pytest.mark.parametrize("document", ["measuring.md", "measuring.ja.md"])
def test_every_field_is_documented(document: str) -> None:
    told = set(re.findall(r"`([a-z0-9_]+)`", (DOCS / document).read_text(encoding="utf-8")))
    assert names(Record.model_json_schema()) <= told
