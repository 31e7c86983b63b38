"""Names are text as they are written, and every place has its line."""

from __future__ import annotations

from hayate.config.yaml_tree import Loader, line_of, placed, written_at
from tests.support.tables import table


def tree(text: str) -> tuple[Loader, object]:
    loader = Loader(text)
    root = loader.get_single_node()
    assert root is not None
    values = loader.construct_document(root)
    loader.__dict__["root"] = root
    return loader, values


@table("name", ["70", "on", "no", "null", "~", "1.5", "2026-01-01", "0x1", "="])
def test_a_name_is_text_as_it_is_written(name: str) -> None:
    assert tree(f"{name}: 1\n")[1] == {name: 1}


def test_a_value_is_found_as_it_is_written_and_where() -> None:
    root = tree("a:\n  b: yes\n  c: [x, 0x10]\n")[0].__dict__["root"]
    assert written_at(root, ("a", "b")) == "yes"
    assert written_at(root, ("a", "c", 1)) == "0x10"
    assert written_at(root, ("a", "c")) is None
    assert written_at(root, ("a", "none")) is None
    assert [line_of(root, each) for each in (("a",), ("a", "c", 1), ("a", "none"), ())] == [1, 3, 1, None]


def test_every_key_that_is_written_twice_is_noted_with_its_path() -> None:
    loader, values = tree("a: 1\nb: {c: 1, c: 2}\na: 3\n")
    found = [placed(mistake, node, loader.__dict__["root"]) for node, mistake in loader.mistakes]
    assert [(each.where, each.line) for each in found] == [(("a",), 3), (("b", "c"), 2)]
    assert values == {"a": 3, "b": {"c": 2}}
