"""Conversations, what was said in them, pictures, and responses."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Makes the tables of the second release."""
    number = sa.BigInteger().with_variant(sa.Integer, "sqlite")
    op.create_table(
        "conversations",
        sa.Column("number", number, primary_key=True, autoincrement=False),
        sa.Column("id", sa.String(64), nullable=False, unique=True),
        sa.Column("project", sa.String(64), nullable=False),
        sa.Column("listed", sa.Boolean, nullable=False),
        sa.Column("created_ms", sa.BigInteger, nullable=False),
        sa.Column("used_ms", sa.BigInteger, nullable=False),
        sa.Column("metadata", sa.Text, nullable=False),
        sa.Column("notes", sa.Text),
        sa.Column("turns", sa.Integer, nullable=False),
        sa.Column("places", sa.Integer, nullable=False),
        sa.Column("bytes", sa.BigInteger, nullable=False),
        sa.Column("first_turn", sa.Integer, nullable=False),
        sa.Column("window", sa.Integer),
        sa.Column("tokens", sa.Integer),
        sa.Column("version", sa.Integer, nullable=False),
    )
    op.create_index("conversations_project", "conversations", ["project", "listed", "used_ms"])
    op.create_table(
        "items",
        sa.Column("number", number, primary_key=True, autoincrement=True),
        sa.Column("id", sa.String(80), nullable=False),
        sa.Column("conversation", number, sa.ForeignKey("conversations.number", ondelete="CASCADE"), nullable=False),
        sa.Column("turn", sa.Integer, nullable=False),
        sa.Column("place", sa.Integer, nullable=False),
        sa.Column("answer", sa.Boolean, nullable=False),
        sa.Column("bytes", sa.Integer, nullable=False),
        sa.Column("body", sa.Text, nullable=False),
        sa.UniqueConstraint("conversation", "id"),
        sqlite_autoincrement=True,
    )
    op.create_index("items_place", "items", ["conversation", "turn", "place"], unique=True)
    op.create_table(
        "images",
        sa.Column("project", sa.String(64), primary_key=True),
        sa.Column("digest", sa.LargeBinary(32), primary_key=True),
        sa.Column("media_type", sa.String(100), nullable=False),
        sa.Column("body", sa.LargeBinary, nullable=False),
    )
    op.create_table(
        "item_images",
        sa.Column("item", number, sa.ForeignKey("items.number", ondelete="CASCADE"), primary_key=True),
        sa.Column("digest", sa.LargeBinary(32), primary_key=True),
        sa.Column("project", sa.String(64), nullable=False),
    )
    op.create_index("item_images_digest", "item_images", ["project", "digest"])
    op.create_table(
        "projects",
        sa.Column("project", sa.String(64), primary_key=True),
        sa.Column("bytes", sa.BigInteger, nullable=False),
    )
    op.create_table(
        "responses",
        sa.Column("id", sa.String(80), primary_key=True),
        sa.Column("project", sa.String(64), nullable=False),
        sa.Column("conversation", number, sa.ForeignKey("conversations.number", ondelete="CASCADE"), nullable=False),
        sa.Column("previous", sa.String(80)),
        sa.Column("created_ms", sa.BigInteger, nullable=False),
        sa.Column("first_place", sa.Integer, nullable=False),
        sa.Column("answer_place", sa.Integer, nullable=False),
        sa.Column("end_place", sa.Integer, nullable=False),
        sa.Column("body", sa.Text, nullable=False),
    )
    op.create_index("responses_conversation", "responses", ["conversation", "end_place"])
    op.create_index("responses_created", "responses", ["created_ms"])
    op.create_table(
        "unsearched",
        sa.Column("item", number, primary_key=True, autoincrement=False),
        sa.Column("project", sa.String(64), nullable=False),
    )
    op.create_table(
        "searched",
        sa.Column("item", number, primary_key=True, autoincrement=False),
        sa.Column("project", sa.String(64), nullable=False),
    )
    op.create_table(
        "forgotten",
        sa.Column("id", sa.Integer, primary_key=True, autoincrement=True),
        sa.Column("item", sa.BigInteger, nullable=False),
        sa.Column("project", sa.String(64), nullable=False),
        sa.Column("body", sa.Text, nullable=False),
        sa.Column("step", sa.SmallInteger, nullable=False),
    )
    op.create_index("forgotten_step", "forgotten", ["step", "id"])
    if op.get_bind().dialect.name == "sqlite":
        for statement in SEARCH:
            op.execute(statement)


MAKE = """
CREATE VIRTUAL TABLE items_fts USING fts5(grams, content='', columnsize=0, tokenize="ascii tokenchars '+#'")
"""
SETTINGS = (
    "INSERT INTO items_fts (items_fts, rank) VALUES ('automerge', 0)",
    "INSERT INTO items_fts (items_fts, rank) VALUES ('usermerge', 8)",
    "INSERT INTO items_fts (items_fts, rank) VALUES ('crisismerge', 64)",
)
SAID = """
CREATE TRIGGER items_said AFTER INSERT ON items WHEN NEW.turn > 0 BEGIN
    INSERT INTO unsearched (item, project)
    SELECT NEW.number, ltrim(project, char(1, 2)) FROM conversations WHERE number = NEW.conversation AND listed;
END
"""
GONE = """
CREATE TRIGGER items_gone AFTER DELETE ON items BEGIN
    INSERT INTO forgotten (item, project, body, step)
    SELECT item, project, OLD.body, 0 FROM searched WHERE item = OLD.number;
    DELETE FROM searched WHERE item = OLD.number;
    DELETE FROM unsearched WHERE item = OLD.number;
END
"""
SEARCH = (MAKE, *SETTINGS, SAID, GONE)
