"""All that is done with items that are kept: whoever made them, none of it fails."""

from __future__ import annotations

import json
from contextlib import suppress

from hayate.errors import InvalidRequest
from hayate.wire.chat_items import messages_of
from hayate.wire.images_in_items import put_back, taken_out
from hayate.wire.item_shapes import Item
from hayate.wire.items import answers_tools, begins_turn, is_head, new_ids, text_of
from hayate.wire.items_markdown import markdown_of, title_of
from hayate.wire.message_items import anthropic_of
from hayate.wire.response_items import input_of


def say(items: list[Item]) -> None:
    """Keeps them as the store does, and says them in each dialect."""
    items = json.loads(json.dumps(items))
    messages_of(items)
    anthropic_of(items)
    input_of(items)
    title_of(items)
    markdown_of(items)
    for item in items:
        text_of(item)
        with suppress(InvalidRequest):
            kept, images = taken_out(item)
            files = {digest: (media_type, body) for digest, media_type, body in images}
            assert put_back(kept, files.get) == item
        is_head(item), answers_tools(item), begins_turn(item, item), new_ids([item])
