"""Estimates come near what calls use, from what those before them used."""

from __future__ import annotations

import pytest

from hayate.policy.estimates import MAX_ANSWERS, Estimates
from hayate.wire.paths import CHAT


def test_before_anything_is_known_it_is_between_english_and_japanese() -> None:
    assert Estimates().prompt_tokens("qwen", CHAT, 300) == 101
    assert Estimates().answer_tokens("game", "fast") == 256


def test_the_first_count_is_believed_and_later_ones_by_and_by() -> None:
    estimates = Estimates()
    estimates.learn_prompt("qwen", CHAT, 400, 100)
    assert estimates.prompt_tokens("qwen", CHAT, 4000) == 1001
    for _ in range(100):
        estimates.learn_prompt("qwen", CHAT, 200, 100)
    assert estimates.prompt_tokens("qwen", CHAT, 4000) == pytest.approx(2000, abs=2)
    assert estimates.prompt_tokens("llama", CHAT, 300) == 101


@pytest.mark.parametrize("order", ["up", "down", "mixed"])
def test_what_a_template_adds_is_told_from_what_text_makes(order: str) -> None:
    sizes = [190, 250, 400, 900, 2200, 300, 5000, 700, 1500, 210] * 3
    sizes = sorted(sizes, reverse=order == "down") if order != "mixed" else sizes
    estimates = Estimates()
    for size in sizes:
        estimates.learn_prompt("qwen", CHAT, size, 40 + (size - 150) // 4)
    for size in (200, 1000, 4000):
        assert estimates.prompt_tokens("qwen", CHAT, size) == pytest.approx(40 + (size - 150) / 4, rel=0.15, abs=8)


def test_a_prompt_unlike_any_before_is_no_wild_guess() -> None:
    estimates = Estimates()
    for size, tokens in [(200, 50), (201, 90), (199, 20), (202, 51)]:
        estimates.learn_prompt("qwen", CHAT, size, tokens)
    assert 12_000 < estimates.prompt_tokens("qwen", CHAT, 100_000) < 50_000
    assert estimates.prompt_tokens("qwen", CHAT, 10) >= 1


def test_a_picture_teaches_nothing_of_text() -> None:
    estimates = Estimates()
    estimates.learn_prompt("qwen", CHAT, 400, 100)
    estimates.learn_prompt("qwen", CHAT, 4_000_000, 1000)
    assert estimates.prompt_tokens("qwen", CHAT, 400) == 101


def test_answers_are_learned_by_key_and_model() -> None:
    estimates = Estimates()
    estimates.learn_answer("game", "fast", 20)
    estimates.learn_answer("game", "fast", 30)
    assert estimates.answer_tokens("game", "fast") == 21
    assert estimates.answer_tokens("game", "smart") == 256
    assert estimates.answer_tokens("batch", "fast") == 256


def test_counts_of_nothing_teach_nothing() -> None:
    estimates = Estimates()
    estimates.learn_prompt("qwen", CHAT, 100, 0)
    estimates.learn_prompt("qwen", CHAT, 0, 100)
    assert estimates.prompt_tokens("qwen", CHAT, 300) == 101


def test_the_longest_unused_is_forgotten() -> None:
    estimates = Estimates()
    for number in range(MAX_ANSWERS + 1):
        estimates.learn_answer(str(number), "fast", 10)
    assert estimates.answer_tokens("0", "fast") == 256
    assert estimates.answer_tokens("1", "fast") == 10
