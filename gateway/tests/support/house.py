"""What the linters don't know of this house: `python -m tests.support.house` says what is out of order, and `scripts/check` asks.

- Every module of `src/hayate` that does something has its tests at the same path under `tests/unit` (`test_<module>.py`, and as
  many `test_<module>_<aspect>.py` as it needs), or, where only sockets and processes can show what it does, where
  `TESTED_ELSEWHERE` says.
- Every test file under `tests/unit` has a module of that path.
- No file is over `MAX_LINES` long.
- A document names no file that is not there (what is in `docs-llm_api/log` was true when it was written).
- A docstring says more than its function's name does: five words, unless the function is one statement.
"""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator
from pathlib import Path

GATEWAY = Path(__file__).parents[2]
SOURCE = GATEWAY / "src/hayate"
UNIT = GATEWAY / "tests/unit"
MAX_LINES = 300
MIN_WORDS = 5
TESTED_ELSEWHERE = {
    "downstream/close.py": "reliability/test_overload.py",
    "downstream/limits.py": "reliability/test_heads.py",
    "downstream/protocol.py": "reliability/test_half_close.py",
    "downstream/reading.py": "reliability/test_http11.py",
    "downstream/times.py": "reliability/test_slow_requests.py",
    "downstream/uvicorn_cycle.py": "reliability/test_http11.py",
    "engines/base.py": "unit/fleet/test_engines.py",
    "engines/refusals.py": "unit/fleet/test_engines.py",
    "fleet/canary.py": "reliability/test_stuck.py",
    "serve/data_folder.py": "start/test_refused_store.py",
    "serve/server.py": "reliability/test_drain.py",
    "store/migrations/versions/0001_keys_and_calls.py": "unit/store/test_migrate.py",
    "store/migrations/versions/0002_conversations.py": "unit/store/test_search_tables.py",
    "store/migrations/versions/0003_figures.py": "unit/store/test_migrate.py",
    "store/schema.py": "unit/store/test_migrate.py",
    "tools/gateway/key.py": "unit/test_cli_key.py",
    "tools/gateway/place.py": "unit/test_cli.py",
    "tools/gateway/verbs.py": "unit/test_cli.py",
    "tools/engines/verbs.py": "unit/tools/engines/test_commands.py",
    "tools/chat/verbs.py": "unit/tools/chat/test_commands.py",
    "tools/embedded/verbs.py": "unit/tools/embedded/test_up.py",
    "tools/keys/group.py": "unit/tools/keys/test_commands.py",
    "tools/keys/verbs.py": "unit/tools/keys/test_commands.py",
    "tools/measure/verbs.py": "unit/tools/measure/test_commands.py",
    "tools/models/verbs.py": "unit/tools/models/test_pull.py",
    "tools/records/verbs.py": "unit/tools/records/test_db.py",
    "tools/status/verbs.py": "unit/tools/status/test_commands.py",
    "tools/top/verbs.py": "unit/tools/top/test_commands.py",
}
"""Modules whose tests need sockets and processes, and where under `tests` those are."""


def complaints() -> Iterator[str]:
    """Everything that is out of order, a line each."""
    modules = {path.relative_to(SOURCE) for path in SOURCE.rglob("*.py") if path.name != "__init__.py"}
    yield from _mirror(modules)
    for module in sorted(modules):
        text = (SOURCE / module).read_text(encoding="utf-8")
        if (lines := text.count("\n")) > MAX_LINES:
            yield f"src/hayate/{module} has {lines} lines, over {MAX_LINES}"
        yield from (f"src/hayate/{module}:{line}: {what}" for line, what in silent_docstrings(text))
    yield from _lost_names()


def _lost_names() -> Iterator[str]:
    repository = GATEWAY.parent
    documents = [
        *repository.glob("*.md"),
        *repository.glob("docs-llm_api/*.md"),
        *repository.glob("docs-llm_api/decisions/*.md"),
    ]
    for document in sorted(documents):
        for name in re.findall(r"`((?:[\w-]+/)+\w+\.py)`", document.read_text(encoding="utf-8")):
            if not any((root / name).is_file() for root in (SOURCE, GATEWAY, repository)):
                yield f"{document.relative_to(repository)}: there is no {name}"


def _mirror(modules: set[Path]) -> Iterator[str]:
    tested: set[Path] = set()
    for test in sorted(UNIT.rglob("test_*.py")):
        words = test.stem.removeprefix("test_").split("_")
        folder = test.relative_to(UNIT).parent
        candidates = [folder / f"{'_'.join(words[:count])}.py" for count in range(len(words), 0, -1)]
        found = next((each for each in candidates if each in modules), None)
        if found is None:
            yield f"tests/unit/{test.relative_to(UNIT)} has no module src/hayate/{candidates[0]}"
        else:
            tested.add(found)
    for module in sorted(modules - tested):
        where = TESTED_ELSEWHERE.get(str(module))
        if where is None and does_something((SOURCE / module).read_text(encoding="utf-8")):
            yield f"src/hayate/{module} has no tests/unit/{module.with_name('test_' + module.name)}"
        elif where is not None and not (UNIT.parent / where).is_file():
            yield f"TESTED_ELSEWHERE: there is no tests/{where}"
    for name in sorted(TESTED_ELSEWHERE):
        if Path(name) in tested or Path(name) not in modules:
            yield f"{name} needs no place in TESTED_ELSEWHERE"


def does_something(text: str) -> bool:
    """Whether a module has functions with more in them than words: one of types and constants alone has nothing to test."""
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            body = node.body[1:] if ast.get_docstring(node) is not None else node.body
            if body:
                return True
    return False


def silent_docstrings(text: str) -> Iterator[tuple[int, str]]:
    """The lines of functions whose docstring is too short to say anything."""
    for node in ast.walk(ast.parse(text)):
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        said = ast.get_docstring(node)
        if said is not None and len(said.split()) < MIN_WORDS and len(node.body) > 2:
            yield node.lineno, f"{node.name}: {said!r} says nothing"


if __name__ == "__main__":
    found = list(complaints())
    print("\n".join(found) or "the house is in order")
    sys.exit(bool(found))
