"""A YAML file as people write them: merge keys, anchors, variables with a line break at the end, and slips that need a place."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from hayate.config.mistakes import ConfigError, Told
from hayate.config.yaml_file import Document, clean, read_yaml
from hayate.config.yaml_tree import line_of


def read(tmp_path: Path, text: str, **env: str) -> dict[str, Any]:
    found = document(tmp_path, text, **env)
    assert found.mistakes == []
    return found.values


def document(tmp_path: Path, text: str | bytes, **env: str) -> Document:
    (tmp_path / "c.yaml").write_bytes(text.encode() if isinstance(text, str) else text)
    return read_yaml(tmp_path / "c.yaml", env)


def refusal(tmp_path: Path, text: str, **env: str) -> str:
    """What is wrong, without the file's name."""
    try:
        found = document(tmp_path, text, **env)
        placed = [replace(each, line=each.line or line_of(found.root, each.where)) for each in found.mistakes]
        said = str(ConfigError.of(f"{tmp_path}/c.yaml", placed))
    except ConfigError as error:
        said = str(error)
    return said.replace(f"{tmp_path}/c.yaml: ", "")


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("a: &a {x: 1, y: 2}\nb: {<<: *a}\n", {"x": 1, "y": 2}),
        ("a: &a {x: 1, y: 2}\nb: {<<: *a, y: 3}\n", {"x": 1, "y": 3}),
        ("a: &a {x: 1, y: 2}\nb: {y: 3, <<: *a}\n", {"x": 1, "y": 3}),
        ("a: &a {x: 1}\nc: &c {x: 2, z: 3}\nb: {<<: [*a, *c]}\n", {"x": 1, "z": 3}),
        ("a: &a {x: 1}\nc: &c {<<: *a, y: 2}\nb: {<<: *c, z: 3}\n", {"x": 1, "y": 2, "z": 3}),
        ("a: &a {x: {p: 1, q: 2}}\nb: {<<: *a, x: {p: 3}}\n", {"x": {"p": 3}}),
        ("a: &a {t: &t {p: 1, q: 2}}\nb: {t: {<<: *t, q: 3}}\n", {"t": {"p": 1, "q": 3}}),
        ("b: {<<: {x: 1}, y: 2}\n", {"x": 1, "y": 2}),
        ("a: &a {x: 1, y: 2}\nc: {<<: *a, y: 4}\nb: {<<: *a, y: 3}\n", {"x": 1, "y": 3}),
        ("a: &a [1, 2]\nb: *a\n", [1, 2]),
        ("b: {'<<': 1}\n", {"<<": 1}),
    ],
)
def test_a_merge_brings_in_what_is_not_written_beside_it(tmp_path: Path, text: str, meant: Any) -> None:
    assert read(tmp_path, text)["b"] == meant


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a: &a {x: 1}\nb:\n  <<: *a\n  y: 1\n  y: 2\n", "line 5: b.y: 'y' is written twice, in line 4 too; keep one"),
        ("a: &a {x: 1}\nb:\n  <<: *a\n  x: 2\n  x: 3\n", "line 5: b.x: 'x' is written twice, in line 4 too"),
        ("a: &a {x: 1, x: 2}\nb: {<<: *a}\n", "line 1: a.x: 'x' is written twice, in line 1 too"),
        (
            "a: &a {x: 1}\nb:\n  <<: *a\n  <<: *a\n",
            "line 4: b: '<<' is written twice, in line 3 too; keep one; <<: [*one, *other]",
        ),
        ("b: {<<: {x: 1, x: 2}}\n", "line 1: b.x: 'x' is written twice"),
        ("b: {<<: [{x: 1}, {y: 1, y: 2}]}\n", "line 1: b.y: 'y' is written twice"),
        ("b:\n  <<: 7\n", "line 2: "),
        ("b:\n  <<: [7]\n", "line 2: "),
        ("b:\n  1: x\n  1: y\n", "line 3: b.1: '1' is written twice"),
    ],
)
def test_a_key_written_twice_is_refused_with_and_without_merges(tmp_path: Path, text: str, said: str) -> None:
    assert refusal(tmp_path, text).startswith(said)


def test_a_merged_value_has_the_line_it_was_written_on(tmp_path: Path) -> None:
    (tmp_path / "c.yaml").write_text("a: &a\n  x: 1\n  y: 2\nb:\n  <<: *a\n  y: 3\n", encoding="utf-8")
    root = read_yaml(tmp_path / "c.yaml", {}).root
    assert [line_of(root, ("b", name)) for name in ("x", "y", "none")] == [2, 6, 4]


def test_parts_for_merging_may_stand_at_the_top_under_x(tmp_path: Path) -> None:
    assert read(tmp_path, "x-base: &b {x: 1}\ny: {<<: *b}\n") == {"y": {"x": 1}}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a: 1\nb: 2026-99-99\n", "line 2: b: '2026-99-99' is no valid timestamp; put it in quotes if it is text"),
        ("a: !!int x\n", "line 1: a: 'x' is no valid int"),
        ("a: !!int ''\n", "line 1: a: '' is no valid int"),
        ("a: !!bool perhaps\n", "line 1: a: 'perhaps' is no valid bool"),
        ("a: !!timestamp x\n", "line 1: a: 'x' is no valid timestamp; put it in quotes if it is text"),
        ("a: !!float x\n", "line 1: a: 'x' is no valid float"),
        ("a: &a {b: *a}\n", "is nested too deeply, or a part of it contains itself"),
        ("a:\n" + "".join(" " * n + "- \n" for n in range(1, 100)), "line 65: is nested too deeply"),
        ("a: &a [*a]\n", "is nested too deeply, or a part of it contains itself"),
        ("a: " + "[" * 5000 + "\n", "line 1: is nested too deeply, or a part of it contains itself"),
    ],
)
def test_what_yaml_can_not_read_is_told_in_one_line(tmp_path: Path, text: str, said: str) -> None:
    assert refusal(tmp_path, text).startswith(said)


@pytest.mark.parametrize("number", ["1" + "0" * 16, "1" + "0" * 400, "-1" + "0" * 16, "1.0e+300", ".inf", "-.inf"])
def test_a_number_that_nobody_can_mean_is_refused_by_its_place(tmp_path: Path, number: str) -> None:
    assert refusal(tmp_path, f"a:\n  b: {number}\n").startswith("line 2: a.b: is too large a number: at most 1e+15")


# Variables and control characters.


@pytest.mark.parametrize(
    "around", ["{}\n", "{}\r\n", "\n{}", " {} ", "\t{}\t", "{}\n\n", "\ufeff{}".replace("\ufeff", "")]
)
@pytest.mark.parametrize(
    "text", ["a: '${SECRET}'\n", "a: ${SECRET}\n", "a: 'Bearer ${SECRET}'\n", "a: |\n  ${SECRET}\n"]
)
def test_what_stands_around_a_secret_is_taken_off(tmp_path: Path, text: str, around: str) -> None:
    assert read(tmp_path, text, SECRET=around.format("s3cret"))["a"].removeprefix("Bearer ") == "s3cret"


@pytest.mark.parametrize(
    "inside", ["s3\ncret", "s3\r\ncret", "s3\tcret", "s3\0cret", "s3\x1bcret", "s3\x7fcret", "s3\udc80cret"]
)
def test_a_control_character_inside_is_refused_by_the_names_of_setting_and_variable(
    tmp_path: Path, inside: str
) -> None:
    said = refusal(tmp_path, "b: 1\na: {key: '${SECRET}'}\n", SECRET=inside)
    assert said.startswith("line 2: a.key: SECRET: has a line break or another control character")
    assert "cret" not in said.replace("SECRET", "")
    with pytest.raises(Told, match=r"^has a line break"):
        clean({"SECRET": inside}, "SECRET")


@pytest.mark.parametrize(
    "text", ['a: {key: "s3\\ncret"}\n', "a:\n  key: |\n    s3\n    cret\n", 'a: {key: "s3\\x07cret"}\n']
)
def test_a_control_character_in_the_file_is_refused_by_its_place(tmp_path: Path, text: str) -> None:
    said = refusal(tmp_path, text)
    assert "a.key: has a line break or another control character" in said
    assert "cret" not in said


def test_a_control_character_in_a_name_is_refused(tmp_path: Path) -> None:
    assert "has a line break" in refusal(tmp_path, 'a: {"x\\ny": 1}\n')


def test_what_the_environment_says_is_no_template_of_a_command(tmp_path: Path) -> None:
    run = "{command: ['{port}', '${KEY}', '${NONE:-{port}'], env: {KEY: 'x${KEY}'}, ready: '${KEY}'}"
    text = f"deployments: {{a: {{model: '${{KEY}}', run: {run}}}}}\nrun: {{command: '${{KEY}}'}}\n"
    found = read(tmp_path, text, KEY="s{3}cret")
    deployment = found["deployments"]["a"]
    assert deployment["run"]["command"] == ["{port}", "s{{3}}cret", "{port"], "a fallback is as it is written"
    assert deployment["run"]["env"] == {"KEY": "xs{{3}}cret"}
    assert (deployment["model"], deployment["run"]["ready"], found["run"]["command"]) == ("s{3}cret",) * 3
