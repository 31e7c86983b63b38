"""The rules of the linter that a mistake would cost dearly: that they are on, where they should be."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.japanese import spoken

ROOT = Path(__file__).parents[1]
SPEAKING = {
    "print": "print('x')\n",
    "stdout": "import sys\n\nsys.stdout.write('x')\n",
    "stderr": "import sys\n\nsys.stderr.buffer.flush()\n",
    "an alias": "import sys as system\n\nsystem.stderr.write('x')\n",
    "an import": "from sys import stderr\n\nstderr.write('x')\n",
    "the original": "import sys\n\nsys.__stdout__.write('x')\n",
}


def complaints(code: str, file: str) -> set[str]:
    """The rules that ruff finds broken by this code in this place."""
    done = subprocess.run(
        [Path(sys.executable).with_name("ruff"), "check", "--output-format=json", "--stdin-filename", file, "-"],
        input=code,
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    return {each["code"] for each in json.loads(done.stdout)}


@pytest.mark.parametrize("code", SPEAKING.values(), ids=SPEAKING)
@pytest.mark.parametrize("place", ["telemetry/calls.py", "cli.py", "new.py", "tools/embedded/child.py", "api/new.py"])
def test_nothing_that_serves_speaks_past_the_queue(place: str, code: str) -> None:
    assert complaints(code, f"src/hayate/{place}") & {"T201", "TID251"}


@pytest.mark.parametrize("place", ["telemetry/log_writer.py", "tools/planner/commands.py", "tools/measure/commands.py"])
def test_the_queue_itself_and_commands_that_print_a_result_may(place: str) -> None:
    assert "TID251" not in complaints(SPEAKING["stdout"], f"src/hayate/{place}")


SENTENCE_CHARS = 40
JAPANESE_SENTENCE_CHARS = 20


def test_no_sentence_stands_twice() -> None:
    """One that is needed twice is a function's, in the lowest room that needs it: else one of the two is changed alone some day."""
    places: defaultdict[str, list[str]] = defaultdict(list)
    for file in sorted((ROOT / "src").rglob("*.py")):
        if file.parent.name == "versions":  # a migration says what a release had, whatever becomes of the tables
            continue
        for line, text in spoken(file.read_text(encoding="utf-8")):
            if text.isascii() and " " not in text:
                continue
            if len(text) > (SENTENCE_CHARS if text.isascii() else JAPANESE_SENTENCE_CHARS):
                places[text].append(f"{file.relative_to(ROOT)}:{line}")
    assert {text: found for text, found in places.items() if len(found) > 1} == {}


def test_sentences_are_compared_as_they_are_said() -> None:
    code = '"""Doc."""\nf"a {1 + 1} b" f"{2!r}"\nx = "a" "b", f"{y:{width}} c"\n'
    assert [text for _, text in spoken(code)] == ["ab", "{} c"]


def defaults(code: str) -> Iterator[tuple[str, object]]:
    """Every name that this code gives a default by a constant: fields of classes and arguments."""
    for node in ast.walk(ast.parse(code)):
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            pairs: list[tuple[str, ast.expr | None]] = [(node.target.id, node.value)]
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            named = [each.arg for each in (*node.args.posonlyargs, *node.args.args)]
            pairs = list(zip(reversed(named), reversed(node.args.defaults), strict=False))
            pairs += zip((each.arg for each in node.args.kwonlyargs), node.args.kw_defaults, strict=True)
        else:
            continue
        for name, value in pairs:
            if isinstance(value, ast.Constant) and value.value is not None:
                yield name, value.value


def test_a_settings_default_stands_in_settings_alone() -> None:
    """Whatever else needs one takes it from there. The tools beside the gateway have settings of their own."""
    source = ROOT / "src/hayate"
    settings = {name for name, _ in defaults((source / "settings.py").read_text(encoding="utf-8"))}
    assert {"max_queued", "drain_s", "heartbeat_s", "eject_after", "connect_s", "max_n"} <= settings
    elsewhere = [
        f"{file.relative_to(source)}: {name} = {value!r}"
        for file in sorted(source.rglob("*.py"))
        if file.name != "settings.py" and "tools" not in file.parts
        for name, value in defaults(file.read_text(encoding="utf-8"))
        if name in settings
    ]
    assert elsewhere == []
