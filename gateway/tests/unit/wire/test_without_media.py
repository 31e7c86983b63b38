"""What is no words is found and taken out, in every dialect."""

from __future__ import annotations

from typing import Any

from hayate.wire.without_media import media_in, without_media
from tests.support.tables import table

TEXT = {"type": "text", "text": "これは？"}
PICTURE = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}
RESULT = {"type": "tool_result", "tool_use_id": "t", "content": [TEXT, {"type": "image", "source": {}}]}


@table(
    ("message", "words", "media"),
    [
        ({"role": "user", "content": "a"}, {"role": "user", "content": "a"}, 0),
        ({"role": "user", "content": [TEXT]}, {"role": "user", "content": [TEXT]}, 0),
        ({"role": "user", "content": [PICTURE, TEXT, PICTURE]}, {"role": "user", "content": [TEXT]}, 2),
        ({"role": "user", "content": [PICTURE]}, {"role": "user", "content": ""}, 1),
        ({"role": "user", "content": [RESULT]}, {"role": "user", "content": [{**RESULT, "content": [TEXT]}]}, 1),
        (
            {
                "type": "function_call_output",
                "call_id": "c",
                "output": [{"type": "input_file"}, {"type": "input_text"}],
            },
            {"type": "function_call_output", "call_id": "c", "output": [{"type": "input_text"}]},
            1,
        ),
        ({"role": "assistant", "content": None}, {"role": "assistant", "content": None}, 0),
        ("a", "a", 0),
        (None, None, 0),
    ],
)
def test_words_stay_and_the_rest_is_counted(message: Any, words: Any, media: int) -> None:
    before = repr(message)
    assert without_media(message) == (words, media)
    assert repr(message) == before, "the caller's own is left alone"


def test_what_has_no_pictures_is_not_copied() -> None:
    message = {"role": "user", "content": [TEXT]}
    assert without_media(message)[0] is message


def test_parts_that_are_no_objects_are_no_pictures() -> None:
    assert media_in(["a", 7, None, PICTURE]) == 1
    assert media_in("a") == media_in(None) == 0
