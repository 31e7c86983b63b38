"""Paths as people write them."""

from __future__ import annotations

import time

from hayate.wire.paths import CHAT, COMPLETIONS, PASSTHROUGH, canonical
from tests.support.tables import table

SPELLINGS = {
    "as it is": "{}",
    "a slash at its end": "{}/",
    "several": "{}///",
    "a slash more at its beginning": "/{}",
    "a base URL that has its /v1 already": "/v1{}",
    "twice": "/v1/v1{}",
    "all at once": "//v1//v1/{}//",
}


@table("spelling", SPELLINGS.values())
@table("path", sorted(path for path in COMPLETIONS | PASSTHROUGH if path.startswith("/v1/")))
def test_every_spelling_is_the_same_path(path: str, spelling: str) -> None:
    assert canonical(spelling.format(path).encode()) == path.encode()


@table(
    ("written", "meant"),
    {
        "/chat/completions": CHAT,
        "//chat//completions/": CHAT,
        "/models": "/v1/models",
        "/models/Qwen/Qwen2.5-7B": "/v1/models/Qwen/Qwen2.5-7B",
        "/v1/models/": "/v1/models",
        "/v1/models/Qwen%2FQwen": "/v1/models/Qwen/Qwen",
        "/tokenize/": "/tokenize",
        "//": "/",
        "": "/",
        "/": "/",
        "/v1": "/v1",
        "/v1/v1/": "/v1",
        "/static//app.js": "/static/app.js",
        "/v1/models/%E6%97%A5": "/v1/models/日",
        "/conversations/": "/v1/conversations",
        "/conversations/conv_1/items/msg_1": "/v1/conversations/conv_1/items/msg_1",
        "/v1/v1/conversations//conv_1": "/v1/conversations/conv_1",
        "/responses/resp_1/input_items": "/v1/responses/resp_1/input_items",
    }.items(),
)
def test_what_is_meant(written: str, meant: str) -> None:
    assert canonical(written.encode()) == meant.encode()


@table(
    "written", ["/v2/chat/completions", "/api/chat/completions", "/%2Fv1/models", "/v1/%76%31/models", "/v1/../v1/models",
                "/./v1/models", "/V1/models", "/%6Dodels", "/v1/models/a%2F"],
)  # fmt: skip
def test_what_is_another_path_stays_one(written: str) -> None:
    assert canonical(written.encode()) not in (b"/v1/models", CHAT.encode(), b"/v1/models/a")


def test_a_path_takes_time_in_proportion_to_its_length() -> None:
    def seconds(path: bytes) -> float:
        began = time.process_time()
        canonical(path)
        return time.process_time() - began

    for piece in (b"/v1", b"/", b"/models", b"/a%2F"):
        short, long = (min(seconds(piece * count) for _ in range(5)) for count in (8_000, 64_000))
        assert long < 40 * short + 0.005, piece
