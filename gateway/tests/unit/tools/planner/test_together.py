"""Who is loaded with whom, and what each may take."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from hayate.tools.planner.arithmetic import GIB, MIB
from hayate.tools.planner.engines import EngineName
from hayate.tools.planner.host import Host
from hayate.tools.planner.together import (
    SLACK_BYTES,
    Arrangement,
    Room,
    arrange,
    partitions,
    short_bytes,
)
from tests.support.tables import table
from tests.unit.tools.planner.sharing import one, room


def names(made: Arrangement | None) -> list[list[str]]:
    return [[each.candidate.name for each in group] for group in made.groups] if made else []


def test_what_fits_together_stays_together() -> None:
    where = room("48GiB")
    made = arrange([[one("a", 14, where)], [one("b", 18, where)]], where)
    assert names(made) == [["a", "b"]]
    assert made is not None
    assert made.levels == {}
    assert sum(each.share_bytes for each in made.placed) <= int(48 * GIB * 0.9)


def test_what_does_not_takes_turns_and_each_has_all_but_what_the_other_keeps_asleep() -> None:
    where = room("24GiB", utilization=1.0)
    made = arrange([[one("a", 14, where)], [one("b", 18, where)]], where)
    assert names(made) == [["a"], ["b"]]
    assert made is not None
    first, second = made.placed
    assert first.loaded_bytes + second.candidate.asleep_bytes == where.usable_bytes
    assert made.levels == {"a": 1, "b": 1}


def test_two_small_ones_stay_together_and_the_large_one_takes_turns_with_both() -> None:
    where = room("24GiB")
    made = arrange([[one("a", 4, where)], [one("large", 17, where)], [one("c", 8, where)]], where)
    assert names(made) == [["a", "c"], ["large"]]


def test_together_is_worth_more_than_an_earlier_variant() -> None:
    where = room("24GiB")
    whole, small = one("a", 14, where), one("a", 5, where)
    assert names(made := arrange([[whole, small], [one("b", 9, where)]], where)) == [["a", "b"]]
    assert made is not None
    assert made.placed[0].candidate == small
    assert (alone := arrange([[whole, small], [one("b", 17, where)]], where)) is not None
    assert alone.placed[0].candidate == whole


def test_an_engine_that_could_not_sleep_is_the_last_choice() -> None:
    where = room("24GiB", Host(30 * GIB))
    stuck, plain = one("a", 17, where, quantisation="bitsandbytes"), one("a", 17, where)
    made = arrange([[stuck, plain], [one("b", 18, where, quantisation="bitsandbytes")]], where)
    assert made is not None
    assert made.placed[0].candidate == plain
    assert made.levels == {"a": 2, "b": 1}


def test_a_desktops_share_is_nobodys() -> None:
    plain, desktop = room("24GiB"), room("24GiB", left_out=3 * GIB)
    alone = [arrange([[one("a", 14, where)], [one("b", 16, where)]], where) for where in (plain, desktop)]
    assert alone[0] is not None
    assert alone[1] is not None
    assert alone[1].placed[0].share_bytes < alone[0].placed[0].share_bytes
    assert alone[1].placed[0].loaded_bytes <= 21 * GIB


def test_what_is_missing_is_told_of_the_smallest_variant() -> None:
    where = room("16GiB")
    large, larger, other = one("a", 15, where), one("a", 20, where), one("b", 5, where)
    assert arrange([[larger, large], [other]], where) is None
    lacking = short_bytes([larger, large], [[other]], where)
    assert lacking == large.least_bytes - (where.usable_bytes - large.outside_bytes - other.asleep_bytes)
    assert short_bytes([other], [[larger, large]], where) == 0


def test_slots_are_whole_and_only_as_many_as_are_wished() -> None:
    where = room("24GiB", concurrency=3)
    made = arrange([[one("a", 4, where, "llamacpp")], [one("b", 17, where, "llamacpp")]], where)
    assert made is not None
    assert [each.typical_sequences for each in made.placed] == [3, 3]
    first = made.placed[0]
    assert first.share_bytes == first.candidate.inside_bytes + 3 * first.candidate.whole_bytes
    assert first.candidate.asleep_bytes == 0


def test_ollama_has_one_number_of_slots_for_all() -> None:
    where = room("24GiB")
    made = arrange([[one("a", 4, where, "ollama")], [one("b", 18, where, "ollama")]], where)
    assert made is not None
    assert {each.sequences for each in made.placed} == {made.placed[1].sequences}
    assert made.placed[0].share_bytes < 8 * GIB


def test_every_grouping_is_tried() -> None:
    where = room()
    for count, ways in enumerate((1, 1, 2, 5, 15)):
        found = [*partitions([one(str(index), 1, where) for index in range(count)])]
        assert len(found) == len(set(found)) == ways


@table("engine", ["vllm", "ollama", "llamacpp"])
@given(
    sizes=st.lists(st.floats(0.5, 30), min_size=1, max_size=4),
    gpu=st.integers(8, 96),
    left_out=st.integers(0, 3000),
    concurrency=st.integers(1, 32),
)
def test_nothing_ever_takes_more_than_there_is(
    engine: EngineName, sizes: list[float], gpu: int, left_out: int, concurrency: int
) -> None:
    where = room(f"{gpu}GiB", left_out=left_out * MIB, concurrency=concurrency)
    candidates = [[one(str(index), size, where, engine)] for index, size in enumerate(sizes)]
    made = arrange(candidates, where)
    if made is None:
        assert any(
            short_bytes(each, [other for other in candidates if other is not each], where) for each in candidates
        )
        return
    assert len(made.placed) == len(sizes)
    for group in made.groups:
        others = [each.candidate.asleep_bytes for each in made.placed if each not in group] if made.turns else []
        taken = sum(each.loaded_bytes for each in group) + sum(others)
        assert taken <= where.wish.gpu.memory_bytes - where.left_out_bytes - SLACK_BYTES
        assert all(each.sequences >= 1 for each in group)
        assert all(each.share_bytes >= each.candidate.least_bytes for each in group)


@given(st.integers(10, 80), st.floats(0, 20))
def test_a_larger_gpu_never_needs_more_turns(gpu: int, more: float) -> None:
    small, large = room(f"{gpu}GiB"), room(f"{gpu + more}GiB")
    before, after = (_groups(where) for where in (small, large))
    assert before is None or (after is not None and after <= before)


def _groups(where: Room) -> int | None:
    made = arrange([[one("a", 4, where)], [one("b", 9, where)], [one("c", 16, where)]], where)
    return len(made.groups) if made else None
