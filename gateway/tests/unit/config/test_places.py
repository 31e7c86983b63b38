"""Every setting has a place, and what belongs there is known from the models."""

from __future__ import annotations

from hayate.config.models import Config
from hayate.config.places import fields_of, place_of
from tests.support.tables import table


@table(
    ("where", "kind", "nullable"),
    [
        (("server", "port"), int, False),
        (("limits", "burst"), int, True),
        (("limits", "models", "smart", "concurrency"), int, True),
        (("store", "file"), str, False),
        (("deployments", "any name", "timeouts", "total_s"), float, True),
        (("deployments", "q", "replicas", 3), str, False),
        (("aliases", "fast", 0), str, False),
        (("deployments", "q", "canary"), bool, True),
    ],
)
def test_a_place_is_found_below_every_name(where: tuple[int | str, ...], kind: type, nullable: bool) -> None:
    known, place = place_of(Config, where)
    assert (known, place.kind, place.nullable) == (where, kind, nullable)


@table(
    ("where", "known"),
    [
        (("server", "prot"), 1),
        (("deployments", "q", "options", "anything"), 3),
        (("data", "x"), 1),
        (("nothing",), 0),
        (("server", 0), 1),
    ],
)
def test_as_much_of_a_path_is_known_as_the_models_have(where: tuple[int | str, ...], known: int) -> None:
    assert place_of(Config, where)[0] == where[:known]


def test_what_is_a_section_has_its_fields() -> None:
    _, server = place_of(Config, ("server",))
    assert server.is_section
    assert {"host", "port"} <= set(fields_of(server.kind))
    _, backend = place_of(Config, ("deployments", "q", "backend"))
    assert not backend.is_section
    assert "vllm" in backend.choices
    assert fields_of(int) == {}


def test_a_word_may_stand_in_place_of_a_number() -> None:
    _, place = place_of(Config, ("deployments", "q", "max_in_flight"))
    assert (place.kind, place.words, place.nullable) == (int, ("auto",), False)
    assert place.is_number
    assert not place.choices
