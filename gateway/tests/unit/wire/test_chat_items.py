"""Chat messages become items and messages again."""

from __future__ import annotations

from hayate.wire.chat_items import items_of_answer, items_of_messages, messages_of


def test_texts_come_back() -> None:
    messages = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Hello"}]

    items = items_of_messages(messages)

    assert messages_of(items) == messages
    assert items_of_answer({"role": "assistant", "content": "Hi"}, cut=True)[0]["status"] == "incomplete"
