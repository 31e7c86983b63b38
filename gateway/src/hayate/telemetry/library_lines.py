"""What libraries say (uvicorn, asyncio, warnings of Python's own), in the form of the log's other lines."""

from __future__ import annotations

import logging

from hayate.telemetry.log import rendered_event


class LibraryLines(logging.Formatter):
    """Makes each record an event, `library`; its traceback is a fact of it."""

    def format(self, record: logging.LogRecord) -> str:
        """Without the end of the line, which the handler adds."""
        facts = {"level": record.levelname.lower(), "logger": record.name, "message": record.getMessage()}
        if record.exc_info:
            facts["traceback"] = self.formatException(record.exc_info)
        return rendered_event("library", facts).removesuffix("\n")


def hear_libraries(level: int = logging.WARNING) -> None:
    """From here on everything that speaks through `logging` or `warnings` is heard on standard error."""
    handler = logging.StreamHandler()
    handler.setFormatter(LibraryLines())
    logging.basicConfig(level=level, handlers=[handler])
    logging.captureWarnings(True)
