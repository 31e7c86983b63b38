"""RELIABILITY: what is deleted is found by nobody from then on, and within a minute its words, what search makes of them, and its
pictures are in none of the bytes of the database and its log. What is not deleted stays.
"""

from __future__ import annotations

import base64
import random
import secrets
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from hayate.store.sqlite import beside
from tests.support.scene import Stage
from tests.support.talks import Talker, said, talker
from tests.support.waiting import eventually

pytestmark = pytest.mark.anyio

FIRST, LAST = 0x20000, 0x2A6D0
"""Characters that nothing else has: four bytes each, none of which a compressed word could share with another's."""


@dataclass
class Secret:
    """What is said once, and what of it may stand in a file."""

    latin: str = field(default_factory=lambda: f"secret{secrets.token_hex(8)}")
    kanji: str = field(default_factory=lambda: "".join(map(chr, random.sample(range(FIRST, LAST), 12))))
    picture: bytes = field(default_factory=lambda: b"\x89PNG\r\n\x1a\n" + secrets.token_bytes(20_000))

    @property
    def text(self) -> str:
        return f"{self.latin} そして{self.kanji}です。"

    @property
    def item(self) -> dict[str, Any]:
        url = f"data:image/png;base64,{base64.b64encode(self.picture).decode()}"
        parts = [{"type": "input_text", "text": self.text}, {"type": "input_image", "image_url": url}]
        return {"type": "message", "role": "user", "content": parts}

    def left_in(self, path: Path) -> list[str]:
        """What of it stands in the database or its log."""
        raw = b"".join(each.read_bytes() for each in (path, beside(path)[0]) if each.exists())
        words = [each for each in (self.latin, *self.kanji) if each.encode() in raw]
        starts = range(100, len(self.picture) - 32, 997)
        return words + ["picture"] * any(self.picture[at : at + 32] in raw for at in starts)


async def found_by(me: Talker, secret: Secret) -> list[str]:
    """The conversations in which search finds it, by all that it could be looked for."""
    found: set[str] = set()
    for words in (secret.latin, secret.kanji, secret.kanji[3:5], secret.kanji[-1]):
        found |= {each["id"] for each in (await me.got("GET", f"?search={quote(words)}"))["data"]}
    return sorted(found)


async def test_what_is_deleted_is_gone_at_once_and_then_from_every_byte(stage: Stage) -> None:
    path = stage.gateway.data / "hayate.db"
    me, other = await talker(stage), await talker(stage)
    whole, item, response, project, stays = (Secret() for _ in range(5))
    talk = (await me.got("POST", "", {"items": [whole.item], "metadata": {"title": whole.latin}}))["id"]
    kept = (await me.got("POST", "", {"items": [item.item, stays.item, said("よい")]}))["id"]
    its_items = (await me.got("GET", f"{kept}/items?order=asc"))["data"]
    turn = me.keep((response.text, f"answer {response.text}"), listed=False)
    all_of_it = (await other.got("POST", "", {"items": [project.item], "notes": project.text}))["id"]
    gone = (whole, item, response, project)
    response_id = me.read("SELECT id FROM responses WHERE conversation = ?", turn.conversation.number)

    async def are_indexed() -> bool:
        return not me.read("SELECT count(*) FROM unsearched")

    await eventually(are_indexed)
    assert await found_by(me, whole) == [talk]
    assert await found_by(other, project) == [all_of_it]
    for secret in gone:
        assert secret.left_in(path)

    await me.got("DELETE", talk)
    await me.got("DELETE", f"{kept}/items/{its_items[0]['id']}")
    await me.got("DELETE", f"/v1/responses/{response_id}")
    await other.got("DELETE", "?all=true")

    for who, asked in (
        (me, talk),
        (me, f"{kept}/items/{its_items[0]['id']}"),
        (me, f"/v1/responses/{response_id}"),
        (me, f"/v1/responses/{response_id}/input_items"),
        (other, all_of_it),
    ):
        assert (await who.ask("GET", asked)).status == 404
    for who, secret in ((me, whole), (me, item), (me, response), (other, project)):
        assert await found_by(who, secret) == []
        assert secret.text not in (await who.ask("GET", "/v1/conversations/export")).text

    async def nothing_is_left() -> bool:
        return not any(secret.left_in(path) for secret in gone)

    assert await eventually(nothing_is_left) < 60
    assert await found_by(me, stays) == [kept]
    assert len(stays.left_in(path)) == 1 + len(stays.kanji) + 1
    left = (await me.got("GET", f"{kept}/items?order=asc"))["data"]
    assert [each["id"] for each in left] == [each["id"] for each in its_items[1:]]
    assert left[0]["content"][1]["image_url"] == stays.item["content"][1]["image_url"]
