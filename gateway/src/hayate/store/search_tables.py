"""What makes the items searchable, in SQLite's own words: the index, and the triggers that note what is said and what goes, so
that no way of adding or deleting can forget it.

Search is for what was said in conversations that their callers see: not for what stands before all turns, nor for those that only
hold a chain of responses. The index has grams (`grams`) and no text; its rows are the items, by number. FTS5 merges nothing by
itself, for whoever commits would have to wait: `search_upkeep` does. Another database needs another index, and the same triggers.
"""

from __future__ import annotations

from typing import Any, Final

from sqlalchemy import Connection, MetaData, event

INDEX: Final = "items_fts"
SHADOWS: Final = ("items_fts_config", "items_fts_data", "items_fts_idx")
"""The tables in which FTS5 keeps the index."""
# The tokenizer knows separators among ASCII alone, and takes everything else as it is: that is what grams want.
MAKE: Final = """
CREATE VIRTUAL TABLE items_fts USING fts5(grams, content='', columnsize=0, tokenize="ascii tokenchars '+#'")
"""
SETTINGS: Final = (
    "INSERT INTO items_fts (items_fts, rank) VALUES ('automerge', 0)",
    "INSERT INTO items_fts (items_fts, rank) VALUES ('usermerge', 8)",
    "INSERT INTO items_fts (items_fts, rank) VALUES ('crisismerge', 64)",
)
# Whose name stands behind a mark, as of one that is still being made, is the name's (`hidden`).
SAID: Final = """
CREATE TRIGGER items_said AFTER INSERT ON items WHEN NEW.turn > 0 BEGIN
    INSERT INTO unsearched (item, project)
    SELECT NEW.number, ltrim(project, char(1, 2)) FROM conversations WHERE number = NEW.conversation AND listed;
END
"""
GONE: Final = """
CREATE TRIGGER items_gone AFTER DELETE ON items BEGIN
    INSERT INTO forgotten (item, project, body, step)
    SELECT item, project, OLD.body, 0 FROM searched WHERE item = OLD.number;
    DELETE FROM searched WHERE item = OLD.number;
    DELETE FROM unsearched WHERE item = OLD.number;
END
"""
STATEMENTS: Final = (MAKE, *SETTINGS, SAID, GONE)


def attach(metadata: MetaData) -> None:
    """They are made with the tables."""

    @event.listens_for(metadata, "after_create")
    def make(_: MetaData, connection: Connection, **__: Any) -> None:
        if connection.dialect.name == "sqlite":
            for statement in STATEMENTS:
                connection.exec_driver_sql(statement)
