"""What libraries say, among the log's other lines."""

from __future__ import annotations

import json
import logging
import subprocess
import sys

from hayate.telemetry.library_lines import LibraryLines

PROGRAM = """
import asyncio, logging, sys, warnings
from hayate.telemetry.library_lines import hear_libraries
from hayate.telemetry.log import set_log_form
from hayate.telemetry.log_writer import take_standard_streams
take_standard_streams()
set_log_form(sys.argv[1])
hear_libraries()
logging.getLogger("uvicorn.error").error("said by %s", "uvicorn")
logging.getLogger("quiet").info("not heard")
logging.getLogger("broken").error("%d", "no number")
warnings.warn("an old\\x1b way")
async def main():
    asyncio.get_running_loop().call_exception_handler({"message": "a task failed", "exception": ValueError("why")})
asyncio.run(main())
"""


def heard(form: str) -> str:
    done = subprocess.run([sys.executable, "-c", PROGRAM, form], capture_output=True, check=True, timeout=60)
    return done.stderr.decode()


def test_programs_get_a_line_of_json_for_each() -> None:
    lines = [json.loads(line) for line in heard("json").splitlines() if line.startswith("{")]
    assert [(each["level"], each["logger"]) for each in lines] == [
        ("error", "uvicorn.error"),
        ("warning", "py.warnings"),
        ("error", "asyncio"),
    ]
    assert lines[0]["message"] == "said by uvicorn"
    assert "ValueError: why" in lines[2]["traceback"]


def test_people_get_a_sentence_and_the_traceback_below_it() -> None:
    said = heard("text")
    assert "uvicorn.error: said by uvicorn\n" in said
    assert "an old\\x1b way" in said
    assert "asyncio: a task failed\n" in said
    assert "\n         ValueError: why\n" in said


def test_a_record_is_one_line_without_its_end() -> None:
    record = logging.LogRecord("a.library", logging.ERROR, __file__, 1, "first\nsecond", (), None)
    assert json.loads(LibraryLines().format(record))["message"] == "first\nsecond"
    assert "\n" not in LibraryLines().format(record)
