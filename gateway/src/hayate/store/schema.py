"""The tables. Portable SQL: nothing here is SQLite's alone, ids are made by the program (`ids`), times are milliseconds
since 1970. A change of a table is a migration beside it (`migrations/versions`); a test compares both.
"""

from __future__ import annotations

from typing import Final

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    SmallInteger,
    String,
    Table,
    Text,
    UniqueConstraint,
)

from hayate.store import search_tables

VERSIONS: Final = ("0001", "0002", "0003")
"""All migrations, in order."""
HEAD: Final = VERSIONS[-1]
"""The migration that makes these tables as they are."""

metadata: Final = MetaData()

keys: Final = Table(
    "keys",
    metadata,
    Column("id", String(12), primary_key=True),
    Column("digest", LargeBinary(32), nullable=False),
    Column("name", String(64), nullable=False),
    Column("project", String(64), nullable=False),
    Column("version", Integer, nullable=False),
    Column("created_ms", BigInteger, nullable=False),
    Column("expires_ms", BigInteger),
    Column("revoked_ms", BigInteger),
    Column("old_digest", LargeBinary(32)),
    Column("old_until_ms", BigInteger),
    Column("terms", Text, nullable=False),
)
"""`terms`: JSON of what the key may and how much (`store.keys.Terms`); they are read whole and never searched. `old_digest`: of
the key before the last rotation, good until `old_until_ms`.
"""

key_events: Final = Table(
    "key_events",
    metadata,
    Column("seq", Integer, primary_key=True, autoincrement=True),
    Column("key_id", String(12), nullable=False),
    sqlite_autoincrement=True,
)
"""Which keys have changed, in order: what each process reads to see them anew. Written under the writer's lock, so that no
smaller number appears after a greater one.
"""

names: Final = Table(
    "names",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("name", String(200), nullable=False),
    UniqueConstraint("name"),
)
"""Words that many calls share, as small integers: keys, models, deployments, replicas, paths, error codes."""


def _name(column: str) -> Column[int]:
    return Column(column, Integer, ForeignKey("names.id"), nullable=False)


calls: Final = Table(
    "calls",
    metadata,
    Column("id", BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=False),
    Column("request_id", LargeBinary(128), nullable=False),
    _name("key"),
    _name("project"),
    _name("path"),
    _name("model"),
    _name("deployment"),
    _name("replica"),
    Column("attempts", SmallInteger, nullable=False),
    Column("status", SmallInteger, nullable=False),
    _name("error"),
    _name("finish"),
    Column("stream", Boolean, nullable=False),
    Column("queued_ms", Integer, nullable=False),
    Column("ttft_ms", Integer),
    Column("total_ms", Integer, nullable=False),
    Column("tokens_in", Integer, nullable=False),
    Column("tokens_cached", Integer, nullable=False),
    Column("tokens_out", Integer, nullable=False),
    Column("exact", Boolean, nullable=False),
    Index("calls_key_id", "key", "id"),
)
"""One row for each call that has ended; its id is the moment at which it did."""

contents: Final = Table(
    "contents",
    metadata,
    Column(
        "call_id",
        BigInteger().with_variant(Integer, "sqlite"),
        ForeignKey("calls.id", ondelete="CASCADE"),
        primary_key=True,
        autoincrement=False,
    ),
    Column("until_ms", BigInteger, nullable=False),
    Column("prompt", LargeBinary, nullable=False),
    Column("answer", LargeBinary, nullable=False),
    Column("prompt_cut", Boolean, nullable=False),
    Column("answer_cut", Boolean, nullable=False),
    Index("contents_until", "until_ms"),
)
"""What was said in calls of keys of which that is kept, as long as it is; goes with its call at the latest."""

conversations: Final = Table(
    "conversations",
    metadata,
    Column("number", BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=False),
    Column("id", String(64), nullable=False, unique=True),
    Column("project", String(64), nullable=False),
    Column("listed", Boolean, nullable=False),
    Column("created_ms", BigInteger, nullable=False),
    Column("used_ms", BigInteger, nullable=False),
    Column("metadata", Text, nullable=False),
    Column("notes", Text),
    Column("turns", Integer, nullable=False),
    Column("places", Integer, nullable=False),
    Column("bytes", BigInteger, nullable=False),
    Column("first_turn", Integer, nullable=False),
    Column("window", Integer),
    Column("tokens", Integer),
    Column("version", Integer, nullable=False),
    Index("conversations_project", "project", "listed", "used_ms"),
)
"""`listed`: false for one that only holds a chain of responses. `metadata`: JSON. `notes`: always go along. `turns`: the last
one's number, from 1. `places`: how many were given. `bytes`: of its items. `first_turn`: the first that goes along since turns
were left out for a context of `window` tokens. `tokens`: what prompt and answer of the last turn came to, as its engine counted.
`version` goes up with every change.
"""

items: Final = Table(
    "items",
    metadata,
    Column("number", BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=True),
    Column("id", String(80), nullable=False),
    Column("conversation", ForeignKey("conversations.number", ondelete="CASCADE"), nullable=False),
    Column("turn", Integer, nullable=False),
    Column("place", Integer, nullable=False),
    Column("answer", Boolean, nullable=False),
    Column("bytes", Integer, nullable=False),
    Column("body", Text, nullable=False),
    UniqueConstraint("conversation", "id"),
    Index("items_place", "conversation", "turn", "place", unique=True),
    sqlite_autoincrement=True,
)
"""What was said, in order of `turn` and `place`. `number`: never given twice, for search may still know what is deleted. `id`:
of one item in its conversation; a branch has its items by the same. Turn 0:
what stands before all turns, a system prompt. `answer`: whether an engine said it. `body`: JSON of the item but its id, pictures
by their digest.
"""

images: Final = Table(
    "images",
    metadata,
    Column("project", String(64), primary_key=True),
    Column("digest", LargeBinary(32), primary_key=True),
    Column("media_type", String(100), nullable=False),
    Column("body", LargeBinary, nullable=False),
)
"""Pictures and other files that items hold, each once for a project."""

item_images: Final = Table(
    "item_images",
    metadata,
    Column("item", ForeignKey("items.number", ondelete="CASCADE"), primary_key=True),
    Column("digest", LargeBinary(32), primary_key=True),
    Column("project", String(64), nullable=False),
    Index("item_images_digest", "project", "digest"),
)
"""Which items hold which: a picture goes with the last of its project's."""

projects: Final = Table(
    "projects",
    metadata,
    Column("project", String(64), primary_key=True),
    Column("bytes", BigInteger, nullable=False),
)
"""What the conversations of each come to, so that nobody has to add them up."""

responses: Final = Table(
    "responses",
    metadata,
    Column("id", String(80), primary_key=True),
    Column("project", String(64), nullable=False),
    Column("conversation", ForeignKey("conversations.number", ondelete="CASCADE"), nullable=False),
    Column("previous", String(80)),
    Column("created_ms", BigInteger, nullable=False),
    Column("first_place", Integer, nullable=False),
    Column("answer_place", Integer, nullable=False),
    Column("end_place", Integer, nullable=False),
    Column("body", Text, nullable=False),
    Index("responses_conversation", "conversation", "end_place"),
    Index("responses_created", "created_ms"),
)
"""A response is a stretch of a conversation: what was said to it from `first_place` on, its output from `answer_place` on, up to
`end_place`. `body`: JSON of the rest.
"""

unsearched: Final = Table(
    "unsearched",
    metadata,
    Column("item", BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=False),
    Column("project", String(64), nullable=False),
)
"""Items that were said just now: they are looked through one by one until `search_upkeep` has put their words into the index."""

searched: Final = Table(
    "searched",
    metadata,
    Column("item", BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=False),
    Column("project", String(64), nullable=False),
)
"""Items whose words are in the index, and for which project."""

forgotten: Final = Table(
    "forgotten",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("item", BigInteger, nullable=False),
    Column("project", String(64), nullable=False),
    Column("body", Text, nullable=False),
    Column("step", SmallInteger, nullable=False),
    Index("forgotten_step", "step", "id"),
)
"""Items that were deleted, at `step` 0: their words are still in the index. Once they are out of it, they are found no more, but
stand in the file. That there are such is one row: at step 1 until a round begins that overwrites them, at step 2 until it ends.
"""

figures: Final = Table(
    "figures",
    metadata,
    Column("port", Integer, primary_key=True, autoincrement=False),
    Column("at_ms", BigInteger, primary_key=True, autoincrement=False),
    Column("body", Text, nullable=False),
)
"""How each deployment of the gateway at a port did in the minute that ended `at_ms`; JSON, for it is read whole."""

search_tables.attach(metadata)
