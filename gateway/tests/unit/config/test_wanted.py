"""What belongs at a place is said in the operator's words, for every place that there is."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from hayate.config.mistakes import Where
from hayate.config.models import Config
from hayate.config.places import fields_of, place_of
from hayate.config.wanted import is_empty, is_needed, must_be, nearest, wanted
from tests.support.tables import table


def places(where: Where = ()) -> Iterator[Where]:
    """Every place of a configuration, with a name where any is good."""
    _, place = place_of(Config, where)
    for name in fields_of(place.kind):
        inner = (*where, name)
        for each in (inner, (*inner, "q"), (*inner, 0)):
            known, found = place_of(Config, each)
            if known == each:
                yield each
                if found.is_section:
                    yield from places(each)


EVERYWHERE = list(places())


def test_the_places_are_all_there() -> None:
    assert {("server", "port"), ("deployments", "q"), ("deployments", "q", "replicas", 0), ("aliases", "q")} <= {
        *EVERYWHERE
    }


@table("where", EVERYWHERE)
def test_there_are_words_for_every_place_in_both_languages(where: Where) -> None:
    _, place = place_of(Config, where)
    for text in (wanted(where, place), must_be(where, place, "'x'"), is_needed(where, place), is_empty(where, place)):
        assert re.search(r"[ぁ-んァ-ヶ一-龠]", text.ja)
        assert not re.search(r"\b(?:tuple|dictionary|mapping|dict|str|int|bool|None|instance|class)\b", text.en)


@table(
    ("where", "shown", "advised"),
    [
        (("server", "heartbeat_s"), "'10s'", "write 10"),
        (("server", "heartbeat_s"), "'2 min'", "write 120"),
        (("server", "heartbeat_s"), "'500ms'", "write 0.5"),
        (("server", "max_body_bytes"), "'10MiB'", "write 10485760"),
        (("server", "max_body_bytes"), "'1GB'", "write 1000000000"),
        (("server", "port"), "'８０'", "write 80"),
        (("server", "half_close"), "'Cancel'", "write cancel"),
        (("deployments", "q", "max_in_flight"), "'Auto'", "write auto"),
        (("deployments", "q", "max_in_flight"), "0", "must be a whole number, at least 1 or auto, not 0"),
        (("server", "body_min_bytes_per_s"), "0", "must be a whole number, at least 1, not 0"),
        (("server", "port"), "'many'", "not 'many'"),
        (("server", "heartbeat_s"), "'10 parsecs'", "not '10 parsecs'"),
        (("gpus", "gpu0", "memory"), "24", "write 24GiB"),
        (("gpus", "gpu0", "memory"), "'24gi'", "write 24GiB"),
        (("gpus", "gpu0", "memory"), "'512 megs'", "write 512MiB"),
        (("deployments", "q", "memory"), "'19,5 GiB'", "write 19.5GiB"),
        (("deployments", "q", "memory"), "'-1GiB'", "not '-1GiB'"),
        (("deployments", "q", "run", "command"), "'x --port {port}'", 'write [x, --port, "{port}"]'),
        (
            ("deployments", "q", "run", "command"),
            "x 'a b' 1 yes ./y /z -v",
            'write [x, "a b", "1", "yes", ./y, /z, -v]',
        ),
        (("deployments", "q", "run", "command"), "x 'a b", "not x 'a b"),
        (("deployments", "q", "run", "command"), "'x \"a b\"'", 'write [x, "a b"]'),
        (("deployments", "q", "run"), "'x {port}'", 'write {command: [x, "{port}"]}'),
    ],
)
def test_what_was_meant_is_told_where_it_can_be(where: Where, shown: str, advised: str) -> None:
    text = must_be(where, place_of(Config, where)[1], shown)
    assert text.en.endswith(advised)
    assert (advised.removeprefix("write ") + "と書いてください" in text.ja) == advised.startswith("write ")


@pytest.mark.parametrize(
    ("word", "meant"),
    [("prot", "port"), ("max-conections", "max_connections"), ("MaxConnections", "max_connections"), ("colour", None)],
)
def test_the_nearest_name_is_the_one_that_was_meant(word: str, meant: str | None) -> None:
    assert nearest(word, ["port", "host", "max_connections"]) == meant
