"""Plans for several models of the catalogue: what is said of them, and each one's flags."""

from __future__ import annotations

import pytest

from hayate.tools.planner.arithmetic import GIB
from hayate.tools.planner.facts import FactsMissing
from hayate.tools.planner.host import Host
from hayate.tools.planner.shared import SharedPlan
from tests.unit.tools.planner.sharing import PAIR, room, shared, stuck


def codes(plan: SharedPlan, level: str) -> set[str]:
    return {remark.code for remark in plan.remarks if remark.level == level}


def test_the_pair_of_the_readme_takes_turns_on_24_gib() -> None:
    plan = shared()
    assert (plan.works, plan.sleeps, plan.engine.name) == (True, True, "vllm")
    assert codes(plan, "warning") == {"fewer-sequences"}
    fast, smart = plan.arrangement.placed if plan.arrangement else ()
    assert plan.flags(fast).env["VLLM_GPU_MEMORY_UTILIZATION"] == "0.9"
    assert plan.flags(smart).env["VLLM_MAX_NUM_SEQS"] == "5"
    for each in (fast, smart):  # on top of what all keep while they sleep
        assert plan.memory_bytes(each) <= plan.gpu_bytes < plan.room.usable_bytes - 2 * GIB
    assert plan.memory_bytes(fast) + plan.memory_bytes(smart) > plan.gpu_bytes


def test_where_both_fit_nothing_sleeps_and_nothing_is_said_of_it() -> None:
    plan = shared(where=room("48GiB"))
    assert (plan.works, plan.sleeps, plan.remarks) == (True, False, ())
    shares = [float(plan.flags(each).env["VLLM_GPU_MEMORY_UTILIZATION"]) for each in plan.arrangement.placed]  # type: ignore[union-attr]
    assert 0.89 < sum(shares) <= 0.9


def test_a_model_that_is_too_large_is_named_with_what_is_missing() -> None:
    plan = shared(where=room("16GiB"))
    assert not plan.works
    assert [*plan.short] == ["bakeneko-32b"]
    assert plan.short["bakeneko-32b"] > 6 * GIB
    assert plan.remarks == ()


def test_what_would_make_room_is_offered() -> None:
    plan = shared(where=room("rtx4090", engine="llamacpp"))
    assert not plan.works
    said = [remark.text.en for remark in plan.remarks]
    assert said == ["With --context 4096, all fit.", "With --kv-cache-dtype q8_0, all fit."]
    assert shared(where=room("rtx4090", engine="llamacpp", context_tokens=4096)).works


def test_the_hosts_memory_decides_how_deep_they_sleep() -> None:
    plain, both = shared(where=room(host=Host(32 * GIB))), shared(where=room(host=Host(16 * GIB)))
    assert plain.works
    assert both.works
    (said,) = (remark.text.en for remark in plain.remarks if remark.code == "level-2")
    assert said.startswith("qwen2.5-7b sleeps at level 2")
    assert "vLLM 0.32" not in said
    assert sum("vLLM 0.32" in remark.text.en for remark in both.remarks if remark.code == "level-2") == 1
    assert stuck().works is False
    assert codes(stuck(), "error") == {"can-not-sleep"}
    assert "host-memory-unknown" in codes(shared(where=room(host=Host(None))), "warning")


def test_on_wsl_it_is_said_how_linux_gets_more_memory() -> None:
    assert "wsl-memory" in codes(shared(where=room(host=Host(32 * GIB, wsl=True))), "note")
    assert "wsl-memory" not in codes(shared(where=room(host=Host(96 * GIB, wsl=True))), "note")


def test_without_an_engine_gguf_goes_to_llamacpp_and_all_else_to_vllm() -> None:
    gguf = "bartowski/Qwen2.5-7B-Instruct-GGUF"
    assert shared(f"{gguf},bakeneko-32b").engine.name == "llamacpp"
    assert shared(PAIR).engine.name == "vllm"


def test_ollama_has_one_number_of_slots_and_says_so() -> None:
    plan = shared(where=room(engine="ollama"))
    assert codes(plan, "warning") == {"one-number-of-slots"}
    assert {plan.flags(each).env["OLLAMA_NUM_PARALLEL"] for each in plan.arrangement.placed} == {"1"}  # type: ignore[union-attr]


def test_a_variant_that_the_gpu_can_not_run_is_left_out_and_named_when_it_is_the_only_one() -> None:
    plan = shared("qwen2.5-7b,qwen3-swallow-8b", room("v100-32g"))
    assert plan.arrangement is not None
    assert [each.candidate.model.label for each in plan.arrangement.placed] == ["bf16", "bf16"]
    with pytest.raises(FactsMissing, match="bakeneko-32b: vLLM's AWQ kernels need compute capability"):
        shared(where=room("v100-32g"))


def test_every_remark_is_in_both_languages() -> None:
    hosts = (Host(None), Host(16 * GIB, wsl=True), Host(32 * GIB), Host(96 * GIB))
    plans = [shared(where=room(gpu, host)) for gpu in ("16GiB", "24GiB", "rtx4090") for host in hosts]
    plans += [shared(where=room(gpu, engine="ollama")) for gpu in ("24GiB", "rtx4090")]
    for remark in (each for plan in (*plans, stuck()) for each in plan.remarks):
        assert remark.text.en.isascii()
        assert any("\u3040" <= letter <= "\u9fff" for letter in remark.text.ja)
