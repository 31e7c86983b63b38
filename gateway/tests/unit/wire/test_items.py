"""Items: what begins a turn, what stands before all, what they are called, what words are in them."""

from __future__ import annotations

import re

from hayate.wire.item_shapes import Item, reasoning_of
from hayate.wire.items import answers_tools, begins_turn, is_head, message, new_ids, text_of
from tests.support.tables import table

USER, ASSISTANT = message("user", "Hello"), message("assistant", "Hi")
CALL: Item = {"type": "function_call", "call_id": "a", "name": "weather", "arguments": '{"city":"東京"}'}
OUTPUT: Item = {"type": "function_call_output", "call_id": "a", "output": "晴れ"}


def test_a_turn_begins_where_the_caller_speaks_again() -> None:
    conversation = [USER, USER, ASSISTANT, USER, CALL, OUTPUT, ASSISTANT, message("system", "!"), USER, OUTPUT]

    begun = [begins_turn(item, before) for before, item in zip([None, *conversation[:-1]], conversation, strict=True)]

    assert begun == [True, False, False, True, False, False, False, True, False, False]
    assert begins_turn(ASSISTANT, None)


def test_a_system_prompt_may_stand_before_all() -> None:
    assert [is_head(message(role, "x")) for role in ("system", "developer", "user", "assistant")] == [
        True,
        True,
        False,
        False,
    ]
    assert not is_head(CALL)


def test_what_a_tool_returned_goes_on_with_its_turn() -> None:
    assert answers_tools(OUTPUT)
    assert answers_tools({"type": "custom_tool_call_output"})
    assert not answers_tools(CALL)
    assert not answers_tools(USER)


@table(
    ("item", "prefix"),
    [(USER, "msg"), (CALL, "fc"), (OUTPUT, "fco"), (reasoning_of("x"), "rs"), ({"type": "web_search_call"}, "item")],
)
def test_names_tell_the_kind_and_are_new(item: Item, prefix: str) -> None:
    ids = [*new_ids([item, item]), *new_ids([item])]
    assert all(re.fullmatch(rf"{prefix}_[0-9a-f]{{32}}", each) for each in ids)
    assert len(set(ids)) == 3


@table(
    ("item", "words"),
    [
        (USER, "Hello"),
        (CALL, 'weather\n{"city":"東京"}'),
        (OUTPUT, "晴れ"),
        (reasoning_of("Hmm."), "Hmm."),
        ({"type": "reasoning", "summary": [{"type": "summary_text", "text": "Hm"}], "encrypted_content": "AAAA"}, "Hm"),
        ({"type": "function_call_output", "output": [{"type": "input_text", "text": each} for each in "ab"]}, "a\nb"),
        (
            {
                "type": "message",
                "role": "user",
                "content": [
                    {"type": "input_image", "image_url": "data:image/png;base64,AAAA"},
                    {"type": "input_file", "filename": "report.pdf", "file_data": "AAAA"},
                    {"type": "output_audio", "data": "AAAA", "transcript": "こんにちは"},
                    {"type": "refusal", "refusal": "No."},
                    {"type": "other", "hayate": {}},
                ],
            },
            "report.pdf\nこんにちは\nNo.",
        ),
        ({"type": "web_search_call", "action": {"type": "search", "query": "天気"}}, "天気"),
        ({"type": "file_search_call", "queries": ["a", 5, "b"]}, "a\nb"),
        ({"type": "code_interpreter_call", "code": "1+1", "outputs": None}, "1+1"),
        ({"type": "mcp_call", "name": "f", "server_label": "s", "arguments": "{}", "output": "done"}, "f\ns\n{}\ndone"),
        ({"type": "shell_call_output", "output": [{"stdout": "ok", "stderr": ""}]}, "ok"),
        ({"type": "image_generation_call", "result": "AAAA", "revised_prompt": "a cat"}, "a cat"),
        ({"type": "local_shell_call", "action": {"command": ["ls", "-l"]}}, "ls\n-l"),
        ({"type": "mcp_list_tools", "content": [5, None]}, ""),
    ],
)  # fmt: skip
def test_all_words_are_found_in_their_order(item: Item, words: str) -> None:
    assert text_of(item) == words
