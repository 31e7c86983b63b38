"""What `hayate ps --json` says, field by field."""

from __future__ import annotations

from hayate.tools.loading.answer import read_engines, read_gpus
from hayate.tools.loading.values import values_of
from tests.unit.tools.loading.told import CUDA, FAILED, GPU, READY

URL = "http://127.0.0.1:8080"


def test_every_field_is_told_and_the_speed_beside_them() -> None:
    gpus = read_gpus({"gpus": [GPU]})
    values = values_of(read_engines({"engines": [READY, FAILED]}), {"fast": 250.04}, URL, gpus=gpus)
    assert values["gpus"] == [GPU]
    assert (values["url"], values["error"]) == (URL, None)
    fast, broken = values["engines"]
    assert fast == {**READY, "tokens_per_s": 250.0}
    assert broken == {**FAILED, "last_error": CUDA, "tokens_per_s": None}


def test_what_could_not_be_told_has_the_same_fields() -> None:
    nothing = values_of([], {}, None, "nobody there")
    assert nothing == {"url": None, "error": "nobody there", "engines": [], "gpus": []}
