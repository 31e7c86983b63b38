"""How much may be kept: of one conversation, and of all that a project has."""

from __future__ import annotations

import sqlite3
from typing import Final

from hayate.errors import ConversationFull
from hayate.settings import History

ADD: Final = (
    "INSERT INTO projects (project, bytes) VALUES (?, ?) "
    "ON CONFLICT (project) DO UPDATE SET bytes = bytes + excluded.bytes RETURNING bytes"
)
TAKE: Final = "UPDATE projects SET bytes = max(0, bytes - ?) WHERE project = ?"


def grown(connection: sqlite3.Connection, project: str, added: int, of: int, limits: History) -> None:
    """Counts what a conversation, which has come to `of` bytes by that, has grown by, or what it has lost. Raises ConversationFull
    when it has grown, and beyond what it or its project may have.
    """
    if added > 0 and of > limits.max_conversation_bytes:
        raise ConversationFull(
            f"The conversation would come to {of:,} bytes; the most that is kept of one is {limits.max_conversation_bytes:,}. "
            "Begin a new one, delete items that are no longer needed, or let the operator allow more "
            "(history.max_conversation_bytes).",
            f"会話の大きさが{of:,}バイトになり、上限（{limits.max_conversation_bytes:,}バイト）を超えます。"
            "新しい会話を始めるか、不要な項目を削除してください（管理者が history.max_conversation_bytes で増やせます）。",
            param="conversation",
        )
    if added < 0:
        shrunk(connection, project, -added)
    elif added:
        (total,) = connection.execute(ADD, (project, added)).fetchone()
        if total > limits.max_project_bytes:
            raise ConversationFull(
                f"Your project's conversations would come to {total:,} bytes; the most that is kept is "
                f"{limits.max_project_bytes:,}. Delete some, or let the operator allow more (history.max_project_bytes).",
                f"プロジェクトの会話の合計が{total:,}バイトになり、上限（{limits.max_project_bytes:,}バイト）を超えます。"
                "不要な会話を削除してください（管理者が history.max_project_bytes で増やせます）。",
                param="conversation",
            )


def shrunk(connection: sqlite3.Connection, project: str, gone: int) -> None:
    """Counts that so many bytes of a project's are not kept any more."""
    connection.execute(TAKE, (gone, project))


def size_of(connection: sqlite3.Connection, project: str) -> int:
    """What a project's conversations come to, in bytes."""
    row = connection.execute("SELECT bytes FROM projects WHERE project = ?", (project,)).fetchone()
    return 0 if row is None else int(row[0])
