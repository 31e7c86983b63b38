"""Prompts: the built-in ones, and a user's own from a file."""

from __future__ import annotations

from pathlib import Path

import pytest

from hayate.tools.measure import builtin
from hayate.tools.measure.options import BenchOptions
from hayate.tools.measure.prompts import built_in, marked, read_prompts, single_prompt
from hayate.tools.measure.refusal import CannotMeasure


def kept(tmp_path: Path, name: str, text: str | bytes) -> Path:
    path = tmp_path / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def refusal(path: Path) -> CannotMeasure:
    with pytest.raises(CannotMeasure) as refused:
        read_prompts(path)
    assert refused.value.text("ja") != refused.value.text("en")
    return refused.value


def test_no_built_in_prompt_is_asked_twice_by_default_not_even_to_warm_up() -> None:
    assert len({*builtin.PROMPTS, builtin.WARM_UP}) == BenchOptions().calls + 1


def test_built_in_prompts_can_be_asked_through_either_api() -> None:
    assert [single_prompt(each) for each in built_in().prompts] == [(text, None) for text in builtin.PROMPTS]


def test_a_text_file_has_a_prompt_a_line(tmp_path: Path) -> None:
    prompts = read_prompts(kept(tmp_path, "p.txt", "\ufeffこんにちは\r\n\n  # 見出しを一つ\n"))
    assert prompts.name == "p.txt"
    assert [each[0]["content"] for each in prompts.prompts] == ["こんにちは", "# 見出しを一つ"]


def test_a_line_of_jsonl_is_messages_a_prompt_or_a_string(tmp_path: Path) -> None:
    system = '{"messages":[{"role":"system","content":"短く"},{"role":"user","content":"やあ"}],"id":7}'
    prompts = read_prompts(kept(tmp_path, "p.jsonl", f'{system}\n{{"prompt":"こんにちは"}}\n"ねえ"\n')).prompts
    assert prompts[0] == ({"role": "system", "content": "短く"}, {"role": "user", "content": "やあ"})
    assert [each[0]["content"] for each in prompts[1:]] == ["こんにちは", "ねえ"]
    assert single_prompt(prompts[0]) == ("やあ", "短く")


@pytest.mark.parametrize(
    "line",
    [
        "{",
        "7",
        '""',
        "{}",
        '{"messages":[]}',
        '{"messages":[{"role":"user"}]}',
        '{"messages":["x"]}',
        '{"messages":[{"role":"user","content":""}]}',
    ],
)
def test_a_line_that_is_no_conversation_is_named(tmp_path: Path, line: str) -> None:
    assert "p.jsonl:2" in refusal(kept(tmp_path, "p.jsonl", f'"やあ"\n{line}\n')).text("ja")


def test_a_file_in_another_encoding_is_refused_with_its_line(tmp_path: Path) -> None:
    assert "line 2" in refusal(kept(tmp_path, "p.txt", b"ok\n" + "こんにちは".encode("cp932"))).text("en")


def test_an_empty_or_missing_file_is_refused(tmp_path: Path) -> None:
    assert "no prompts" in str(refusal(kept(tmp_path, "p.txt", "\n \n")))
    assert "can't be read" in str(refusal(tmp_path / "nowhere.txt"))


def test_several_turns_can_not_be_asked_of_generate_stream() -> None:
    turns = tuple({"role": role, "content": "x"} for role in ("user", "assistant", "user"))
    pictures = ({"role": "user", "content": [{"type": "text", "text": "x"}]},)
    for conversation in (turns, pictures, ({"role": "system", "content": "x"},)):
        with pytest.raises(CannotMeasure, match="generate_stream"):
            single_prompt(conversation)


def test_a_mark_goes_to_the_very_front_and_changes_nothing_else() -> None:
    original = ({"role": "system", "content": "短く"}, {"role": "user", "content": "やあ"})
    assert marked(original, "[1]") == ({"role": "system", "content": "[1] 短く"}, original[1])
    assert original[0]["content"] == "短く"
    parts = ({"role": "user", "content": [{"type": "text", "text": "x"}]},)
    assert marked(parts, "[1]")[0]["content"] == [{"type": "text", "text": "[1]"}, {"type": "text", "text": "x"}]


def test_the_same_prompts_have_the_same_sum_whatever_file_they_are_in(tmp_path: Path) -> None:
    one = read_prompts(kept(tmp_path, "a.txt", "やあ\n"))
    other = read_prompts(kept(tmp_path, "b.jsonl", '{"prompt":"やあ"}\n'))
    assert one.sha256 == other.sha256 != built_in().sha256
