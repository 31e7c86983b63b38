"""The tree of errors: each class has a status, and what is nobody's fault but the caller's is a 4xx."""

from __future__ import annotations

import gc
import re
import sys
import weakref

from hayate.errors import GatewayError, InvalidRequest, RequestError, let_go
from hayate.upstream_errors import EngineError
from tests.support.tables import table


def tree(root: type[GatewayError] = GatewayError) -> list[type[GatewayError]]:
    return [root, *(each for child in root.__subclasses__() for each in tree(child))]


@table("kind", tree())
def test_every_error_has_a_status_a_type_and_a_word_for_it(kind: type[GatewayError]) -> None:
    assert 400 <= kind.status < 600
    assert re.fullmatch(r"[a-z_]+", kind.type)
    assert kind.code is None or re.fullmatch(r"[a-z_]+", kind.code)
    assert kind.__doc__


@table("kind", [each for each in tree() if each.__subclasses__() == []])
def test_the_drawing_shows_every_error_with_its_status(kind: type[GatewayError]) -> None:
    drawing = (sys.modules[kind.__module__].__doc__ or "").splitlines()
    line = next(line for line in drawing if re.search(rf"\b{kind.__name__}\b", line))
    assert re.search(rf"{kind.status}|4xx", line), line


def test_a_caller_can_mend_what_has_a_status_of_4xx() -> None:
    assert all(400 <= kind.status < 500 or kind.__name__ == "NotSupported" for kind in tree(RequestError))
    assert all(kind.status >= 500 for kind in tree() if not issubclass(kind, RequestError | EngineError))


def test_texts_come_in_two_languages() -> None:
    error = InvalidRequest("Wrong.", "違います。", param="n")
    assert (error.text(), error.text("ja")) == ("Wrong.", "違います。")
    assert InvalidRequest("Only this.").text("ja") == "Only this."
    assert str(error) == "Wrong."


class Held:
    """What a call has."""


def failing(seen: list[weakref.ref[Held]]) -> None:
    """Raises an error that its own frame holds, as one does that came by way of a future."""
    held = Held()
    seen.append(weakref.ref(held))
    error = InvalidRequest("Wrong.", "違います。")
    try:
        int("no number")
    except ValueError:
        raise error from None


def test_an_error_that_is_let_go_keeps_nothing_of_what_it_came_through() -> None:
    seen: list[weakref.ref[Held]] = []
    gc.disable()
    try:
        try:
            failing(seen)
        except GatewayError as error:
            let_go(error)
        assert seen[0]() is None
    finally:
        gc.enable()
