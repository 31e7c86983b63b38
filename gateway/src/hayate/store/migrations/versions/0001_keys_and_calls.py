"""Keys, what has changed of them, and the record of calls."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Makes the tables of the first release."""
    op.create_table(
        "keys",
        sa.Column("id", sa.String(12), primary_key=True),
        sa.Column("digest", sa.LargeBinary(32), nullable=False),
        sa.Column("name", sa.String(64), nullable=False),
        sa.Column("project", sa.String(64), nullable=False),
        sa.Column("version", sa.Integer, nullable=False),
        sa.Column("created_ms", sa.BigInteger, nullable=False),
        sa.Column("expires_ms", sa.BigInteger),
        sa.Column("revoked_ms", sa.BigInteger),
        sa.Column("old_digest", sa.LargeBinary(32)),
        sa.Column("old_until_ms", sa.BigInteger),
        sa.Column("terms", sa.Text, nullable=False),
    )
    op.create_table(
        "key_events",
        sa.Column("seq", sa.Integer, primary_key=True, autoincrement=True),
        sa.Column("key_id", sa.String(12), nullable=False),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "names",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("name", sa.String(200), nullable=False, unique=True),
    )
    op.create_table(
        "calls",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer, "sqlite"), primary_key=True, autoincrement=False),
        sa.Column("request_id", sa.LargeBinary(128), nullable=False),
        *(
            sa.Column(name, sa.Integer, sa.ForeignKey("names.id"), nullable=False)
            for name in ("key", "project", "path", "model", "deployment", "replica")
        ),
        sa.Column("attempts", sa.SmallInteger, nullable=False),
        sa.Column("status", sa.SmallInteger, nullable=False),
        *(sa.Column(name, sa.Integer, sa.ForeignKey("names.id"), nullable=False) for name in ("error", "finish")),
        sa.Column("stream", sa.Boolean, nullable=False),
        sa.Column("queued_ms", sa.Integer, nullable=False),
        sa.Column("ttft_ms", sa.Integer),
        sa.Column("total_ms", sa.Integer, nullable=False),
        sa.Column("tokens_in", sa.Integer, nullable=False),
        sa.Column("tokens_cached", sa.Integer, nullable=False),
        sa.Column("tokens_out", sa.Integer, nullable=False),
        sa.Column("exact", sa.Boolean, nullable=False),
    )
    op.create_index("calls_key_id", "calls", ["key", "id"])
    op.create_table(
        "contents",
        sa.Column(
            "call_id",
            sa.BigInteger().with_variant(sa.Integer, "sqlite"),
            sa.ForeignKey("calls.id", ondelete="CASCADE"),
            primary_key=True,
            autoincrement=False,
        ),
        sa.Column("until_ms", sa.BigInteger, nullable=False),
        sa.Column("prompt", sa.LargeBinary, nullable=False),
        sa.Column("answer", sa.LargeBinary, nullable=False),
        sa.Column("prompt_cut", sa.Boolean, nullable=False),
        sa.Column("answer_cut", sa.Boolean, nullable=False),
    )
    op.create_index("contents_until", "contents", ["until_ms"])
