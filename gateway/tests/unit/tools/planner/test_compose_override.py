"""The compose override and the lines of `.env`; `tests/deploy/test_planned.py` has compose itself read them."""

from __future__ import annotations

import yaml

from hayate.tools.planner.compose_override import compose_override, compose_services, env_lines, env_of_one
from hayate.tools.planner.gateway_yaml import MARK
from tests.unit.tools.planner.sharing import room, shared


def test_each_vllm_is_a_service_that_waits_for_the_one_before() -> None:
    services = compose_services(shared("qwen2.5-7b,qwen2.5-14b,bakeneko-32b"))
    assert [*services] == ["vllm", "vllm-qwen2.5-14b", "vllm-bakeneko-32b", "gateway"]
    assert "extends" not in services["vllm"]
    assert services["vllm-bakeneko-32b"]["extends"] == {"file": "compose.yml", "service": "vllm"}
    assert services["vllm-bakeneko-32b"]["depends_on"] == {"vllm-qwen2.5-14b": {"condition": "service_healthy"}}
    assert services.pop("gateway") == {"depends_on": {"vllm-bakeneko-32b": {"condition": "service_healthy"}}}
    assert {each["environment"]["VLLM_ENABLE_SLEEP_MODE"] for each in services.values()} == {"1"}
    assert {each["environment"]["VLLM_START_ASLEEP"] for each in services.values()} == {"1"}


def test_sleep_mode_is_on_only_where_turns_are_taken() -> None:
    for each in compose_services(shared(where=room("48GiB"))).values():
        assert "VLLM_ENABLE_SLEEP_MODE" not in each["environment"]
    assert "gateway" not in compose_services(shared(where=room("48GiB")))


def test_one_ollama_fetches_all_and_lets_the_gateway_decide() -> None:
    environment = compose_services(shared(where=room(engine="ollama")))["ollama"]["environment"]
    assert len(environment["MODEL"].split()) == 2
    assert environment["OLLAMA_MAX_LOADED_MODELS"] == "2"
    assert "OLLAMA_KEEP_ALIVE" not in environment, (
        "the gateway says it; a call that is too late keeps its model for minutes at most"
    )


def test_engines_on_the_host_have_no_override() -> None:
    plan = shared(where=room(engine="llamacpp"))
    assert compose_override(plan) is None
    assert env_lines(plan, {"COMPOSE_FILE": "compose.yml:mine.yml"}) == {"HAYATE_CONFIG": "./hayate.planned.yaml"}
    assert env_lines(plan, env_lines(shared(), {}))["COMPOSE_FILE"] == "compose.yml"


def test_the_file_says_who_wrote_it_and_env_says_where_it_is() -> None:
    text = compose_override(shared())
    assert text is not None
    assert text.startswith(MARK)
    assert [*yaml.safe_load(text)] == ["services"]
    assert env_lines(shared(), {}) == {
        "LLM_BACKEND": "vllm",
        "HAYATE_CONFIG": "./hayate.planned.yaml",
        "COMPOSE_FILE": "compose.yml:compose.planned.yml",
        "COMPOSE_PROFILES": "vllm",
    }


def test_a_plan_of_one_model_takes_them_back_and_leaves_a_file_of_ones_own() -> None:
    assert env_of_one(env_lines(shared(), {})) == {"HAYATE_CONFIG": "", "COMPOSE_FILE": "compose.yml"}
    assert env_of_one({"HAYATE_CONFIG": "./mine.yaml", "COMPOSE_FILE": "mine.yml"}) == {}
