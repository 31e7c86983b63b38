"""Conversations as a person reads them: titles cut where they may end, documents in which nothing breaks out."""

from __future__ import annotations

import re
import time
import unicodedata
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from hayate.wire.item_shapes import Item, message, reasoning_of
from hayate.wire.items_markdown import MAX_TITLE_CHARS, markdown_of, title_of
from tests.support.tables import table


def title(text: str) -> str:
    return title_of([message("system", "Be brief."), message("assistant", "Hi"), message("user", text)])


@table(
    ("said", "wanted"),
    [
        ("Hello", "Hello"),
        ("  two\n\nlines\t here ", "two lines here"),
        ("Tell me about the gateway. And be brief.", "Tell me about the gateway."),
        ("Hi. Tell me about the gateway", "Hi. Tell me about the gateway"),
        ("What is 3.14 times two, and how do you know?", "What is 3.14 times two, and how do you know?"),
        ("東京の天気を教えてください。明日の予定もお願いします。", "東京の天気を教えてください。"),
        (
            "The quick brown fox jumps over the lazy dog and then it runs away into the forest",
            "The quick brown fox jumps over the lazy dog and then it…",
        ),
        (
            "昨日の会議で話題になった新しいゲートウェイの設計について、特にキャッシュとリトライの扱いをどうするべきかをもう一度整理してほしいのですが",
            "昨日の会議で話題になった新しいゲートウェイの設計について、特にキャッシュとリトライの扱いをどうするべきかをもう一度整理…",
        ),
        ("x" * 61, "x" * 59 + "…"),
        ("x" * 60, "x" * 60),
        ("a" * 58 + "👩‍👩‍👧" + "b" * 9, "a" * 58 + "…"),
        ("a" * 58 + "e\u0301" + "b" * 9, "a" * 58 + "…"),
        ("\u0301" * 100, "\u0301" * 59 + "…"),
    ],
)
def test_a_title_is_what_a_user_said_first(said: str, wanted: str) -> None:
    assert title(said) == wanted


def test_without_words_there_is_no_title() -> None:
    picture = {"type": "message", "role": "user", "content": [{"type": "input_image", "image_url": "data:,"}]}

    assert title_of([]) == ""
    assert title_of([message("user", " \n")]) == ""
    assert title_of([picture, message("user", "What is it?")]) == "What is it?"


@given(st.text(st.characters(codec="utf-8"), max_size=200))
def test_a_title_is_one_short_line(said: str) -> None:
    made = title(said)

    assert len(made) <= MAX_TITLE_CHARS
    assert made == " ".join(made.split())
    assert bool(made) == bool(said.split())
    if made.endswith("…") and len(made) > 1 and not said.endswith(made):
        rest = " ".join(said.split())[len(made) - 1 :]
        assert made[:-1] == " ".join(said.split())[: len(made) - 1]
        assert not unicodedata.combining(rest[0]) or len(made) == MAX_TITLE_CHARS


def test_a_long_message_costs_no_more_than_its_beginning() -> None:
    item = message("user", " " * 3000 + "x" * 5_000_000)

    before = time.process_time()
    for _ in range(100):
        title_of([item])

    assert time.process_time() - before < 2


ITEMS: list[Item] = [
    message("system", "Be brief."),
    message("user", "天気は？"),
    reasoning_of("Hmm."),
    {"type": "function_call", "call_id": "a", "name": "weather", "arguments": '{"city":"東京"}'},
    {"type": "function_call_output", "call_id": "a", "output": "晴れ ```` ok"},
    {**message("assistant", "晴れで"), "status": "incomplete"},
]


def test_a_document_has_a_heading_for_each_who_speaks() -> None:
    assert markdown_of(ITEMS) == (
        "## System\n\nBe brief.\n\n## User\n\n天気は？\n\n## Reasoning\n\nHmm.\n\n"
        '## Tool call\n\n`weather`\n\n```json\n{\n  "city": "東京"\n}\n```\n\n'
        "## Tool result\n\n`````\n晴れ ```` ok\n`````\n\n## Assistant\n\n晴れで\n\n*(cut off)*\n"
    )


def test_headings_are_in_the_readers_language() -> None:
    document = markdown_of(ITEMS, "ja")

    assert re.findall(r"^## (.*)$", document, re.MULTILINE) == [
        *("システム", "ユーザー", "推論", "ツール呼び出し", "ツールの結果", "アシスタント")
    ]
    assert document.endswith("*（途中まで）*\n")


def test_whoever_goes_on_gets_no_new_heading() -> None:
    assert markdown_of([message("user", "a"), message("user", "b")]) == "## User\n\na\n\nb\n"
    assert markdown_of([]) == ""


@given(st.text(st.sampled_from("`x\n{["), max_size=40))
def test_nothing_inside_ends_a_fence(output: str) -> None:
    document = markdown_of([{"type": "function_call_output", "call_id": "a", "output": output}])

    fence = re.search(r"^(`{3,})(?:json)?\n", document, re.MULTILINE)
    assert fence is not None
    inside = document[fence.end() :].removesuffix(f"\n{fence[1]}\n")
    assert inside == output
    assert fence[1] not in inside


def test_json_that_would_be_mostly_blanks_stays_as_it_is() -> None:
    for output in ("[" * 200 + "1," * 1000 + "1" + "]" * 200, "[" + "1," * 5000 + "1]", "[" * 900 + "]" * 900):
        document = markdown_of([{"type": "function_call_output", "call_id": "a", "output": output}])
        assert output in document
        assert len(document) < len(output) + 100


@table(
    ("part", "said"),
    [
        ({"type": "input_image", "image_url": "data:image/png;base64,AAAA"}, "*[image]*"),
        ({"type": "input_image", "image_url": "https://images.example/a.png"}, "<https://images.example/a.png>"),
        ({"type": "input_image", "image_url": {"image_digest": "00"}}, "*[image]*"),
        ({"type": "input_file", "filename": "a.pdf", "file_data": "AAAA"}, "*[file: a.pdf]*"),
        ({"type": "output_audio", "data": "AAAA", "transcript": "やあ"}, "やあ"),
        ({"type": "input_audio", "input_audio": {}}, "*[audio]*"),
        ({"type": "refusal", "refusal": "No."}, "No."),
    ],
)
def test_a_file_is_named_and_not_written_out(part: dict[str, Any], said: str) -> None:
    for item in (
        {"type": "message", "role": "user", "content": [part]},
        {"type": "function_call_output", "call_id": "a", "output": [part]},
    ):
        assert markdown_of([item]).split("\n\n", 1)[1] == said + "\n"


def test_other_kinds_say_their_words() -> None:
    search = {"type": "web_search_call", "action": {"query": "天気"}}
    critic = {**message("unknown", "x"), "content": [{"type": "other"}]}

    assert markdown_of([search, critic]) == "## Tool call\n\n天気\n\n## unknown\n"
    assert markdown_of([{"type": "compaction", "encrypted_content": "AAAA"}]) == "## compaction\n"
