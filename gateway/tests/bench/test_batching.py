"""The batch: what runs together, what waits, who is thrown out of the cache, and how long a step takes."""

from __future__ import annotations

import pytest
from bench.batching import BLOCK_TOKENS, Batch, Sequence, Shape
from hypothesis import given
from hypothesis import strategies as st

SMALL = Shape(max_num_seqs=2, kv_tokens=160, max_num_batched_tokens=32)


def step(batch: Batch) -> list[Sequence]:
    """One whole step: who was given a token."""
    assert batch.begin() is not None
    return batch.end()


def run(batch: Batch, most: int = 100_000) -> list[Sequence]:
    """Until nothing is to be done: who finished, in order."""
    finished: list[Sequence] = []
    for _ in range(most):
        if batch.begin() is None:
            return finished
        finished += [each for each in batch.end() if each.finished]
    raise AssertionError("it does not end")


def test_a_prompt_is_computed_in_pieces_of_the_budget_and_then_a_token_comes_each_step() -> None:
    batch, one = Batch(SMALL), Sequence(prompt=70, answer=3)
    batch.add(one)

    assert [len(step(batch)) for _ in range(5)] == [0, 0, 1, 1, 1]
    assert one.finished
    assert batch.begin() is None
    assert (batch.prompt_tokens, batch.generated_tokens, batch.kv_use) == (70, 3, 0)


def test_who_decodes_is_served_before_a_prompt_which_gets_what_is_left_of_the_budget() -> None:
    batch, one, other = Batch(SMALL), Sequence(10, 9), Sequence(40, 2)
    batch.add(one)
    step(batch)
    batch.add(other)

    assert step(batch) == [one]
    assert other.computed == SMALL.max_num_batched_tokens - 1
    assert step(batch) == [one, other]


def test_no_more_run_than_there_are_places_and_the_first_to_come_is_the_next() -> None:
    batch, all_of_them = Batch(SMALL), [Sequence(5, 2 + number) for number in range(4)]
    for each in all_of_them:
        batch.add(each)
    step(batch)

    assert (batch.running, list(batch.waiting)) == (all_of_them[:2], all_of_them[2:])
    assert run(batch) == all_of_them


def test_who_finds_no_block_takes_those_of_the_latest_who_computes_all_anew() -> None:
    batch, first, second = Batch(SMALL), Sequence(30, 100), Sequence(30, 60)
    batch.add(first)
    batch.add(second)
    while not batch.preemptions:
        step(batch)

    assert batch.running == [first]
    assert list(batch.waiting) == [second]
    assert second.computed == 0
    produced = second.produced
    assert produced > 1
    assert run(batch) == [first, second]
    assert (first.produced, second.produced, batch.kv_use) == (100, 60, 0)
    assert batch.generated_tokens == 160


def test_a_step_takes_as_long_as_its_tokens_and_sequences_say() -> None:
    shape = Shape(step_s=1.0, token_s=0.01, sequence_s=0.1)
    batch = Batch(shape)
    batch.add(Sequence(100, 5))
    batch.add(Sequence(50, 5))

    assert batch.begin() == pytest.approx(1 + 1.5 + 0.2)
    batch.end()
    assert batch.begin() == pytest.approx(1 + 0.02 + 0.2)


@pytest.mark.parametrize("running", [True, False])
def test_who_leaves_in_the_middle_of_a_step_is_forgotten(running: bool) -> None:
    batch, both = Batch(SMALL), [Sequence(20, 50), Sequence(20, 50)]
    for each in both:
        batch.add(each)
    if running:
        step(batch)
        batch.begin()
    batch.abort(both[0])
    batch.abort(both[0])

    assert run(batch) == [both[1]]
    assert batch.kv_use == 0


@given(
    st.lists(st.tuples(st.integers(1, 120), st.integers(1, 120), st.integers(0, 20), st.booleans()), max_size=20),
    st.integers(1, 8),
    st.integers(15, 60),
)
def test_whatever_comes_and_goes_everybody_gets_the_whole_answer_and_all_blocks_come_back(
    wishes: list[tuple[int, int, int, bool]], places: int, blocks: int
) -> None:
    batch = Batch(Shape(max_num_seqs=places, kv_tokens=blocks * BLOCK_TOKENS, max_num_batched_tokens=64))
    kept = []
    for prompt, answer, steps, leaves in wishes:
        one = Sequence(prompt, min(answer, batch.shape.max_model_len - prompt))
        batch.add(one)
        for _ in range(steps):
            if batch.begin() is not None:
                batch.end()
            assert len(batch.running) <= places
            assert 0 <= batch.kv_use <= 1
        if leaves:
            batch.abort(one)
        else:
            kept.append(one)
    run(batch)

    assert all(each.produced == each.answer for each in kept)
    assert (batch.kv_use, batch.running, len(batch.waiting)) == (0, [], 0)
