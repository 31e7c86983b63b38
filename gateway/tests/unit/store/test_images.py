"""Pictures: once for a project, as long as one of its items has it."""

from __future__ import annotations

import hashlib
import sqlite3

from hayate.store.images import GONE, finder, hold, let_go
from hayate.store.turns import Turn, keep
from hayate.wire.images_in_items import Image
from tests.unit.store.conftest import NOW, count, pictured

BODY = b"\x89PNG" * 100
PICTURE: Image = (hashlib.blake2b(BODY, digest_size=32).digest(), "image/png", BODY)


def items(connection: sqlite3.Connection, project: str, many: int) -> list[int]:
    """The numbers of as many items of a project's, without a picture."""
    new = [{**pictured("look", b""), "content": []} for _ in range(many)]
    return [each.number for each in keep(connection, Turn(project=project, conversation=None, items=new), NOW).items]


def test_one_goes_with_the_last_item_of_its_project(connection: sqlite3.Connection) -> None:
    first, second = items(connection, "shop", 2)
    (other,) = items(connection, "bot", 1)
    for project, item in (("shop", first), ("shop", second), ("bot", other)):
        hold(connection, project, item, [PICTURE, PICTURE])
    assert count(connection, "images") == 2
    let_go(connection, "shop", first)
    assert finder(connection, "shop")(PICTURE[0]) == PICTURE[1:]
    let_go(connection, "shop", second)
    assert finder(connection, "shop")(PICTURE[0]) == GONE
    assert finder(connection, "bot")(PICTURE[0]) == PICTURE[1:]
    let_go(connection, "bot", other)
    assert (count(connection, "images"), count(connection, "item_images")) == (0, 0)


def test_another_projects_is_not_found_and_not_let_go(connection: sqlite3.Connection) -> None:
    (item,) = items(connection, "shop", 1)
    hold(connection, "shop", item, [PICTURE])
    assert finder(connection, "bot")(PICTURE[0]) == GONE
    let_go(connection, "bot", item)
    assert finder(connection, "shop")(PICTURE[0]) == PICTURE[1:]


def test_an_item_without_any_lets_nothing_go(connection: sqlite3.Connection) -> None:
    first, second = items(connection, "shop", 2)
    hold(connection, "shop", first, [PICTURE])
    let_go(connection, "shop", second)
    assert count(connection, "images") == 1
