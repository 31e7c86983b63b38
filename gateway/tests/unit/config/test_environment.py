"""What the environment says, with and without a file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from hayate.config.environment import (
    DEFAULT_URLS,
    EMBEDDED,
    VARIABLES,
    looked_through,
    overlay,
    with_defaults,
    with_embedded,
)
from hayate.config.load import load_config
from hayate.config.mistakes import ConfigError
from tests.support.tables import table


@table("backend", DEFAULT_URLS)
def test_a_backend_alone_is_enough(backend: str) -> None:
    config = load_config(env={"LLM_BACKEND": backend})
    (deployment,) = config.deployments.values()
    assert (deployment.backend, deployment.replicas) == (backend, (DEFAULT_URLS[backend],))
    assert config.aliases == {}  # so the first names are there: default, fast, smart


@pytest.mark.parametrize(("named", "meant"), [("trt", "trtllm"), ("llama.cpp", "llamacpp"), ("llama_cpp", "llamacpp")])
def test_other_names_of_a_backend_are_understood(named: str, meant: str) -> None:
    (deployment,) = load_config(env={"LLM_BACKEND": named}).deployments.values()
    assert deployment.backend == meant


def test_the_environment_makes_one_deployment() -> None:
    config = load_config(
        env={
            "LLM_BACKEND": "llamacpp",
            "BACKEND_URL": "http://one:8081/, http://two:8081/v1",
            "BACKEND_API_KEY": "secret-of-the-engine",
            "MODEL": "qwen",
            "HAYATE_HOST": "0.0.0.0",
            "HAYATE_PORT": "9000",
            "HAYATE_DATA": "/var/lib/hayate",
        }
    )
    deployment = config.deployments["qwen"]
    assert deployment.replicas == ("http://one:8081", "http://two:8081")
    assert deployment.model == "qwen"
    assert deployment.api_key is not None
    assert deployment.api_key.get_secret_value() == "secret-of-the-engine"
    assert (config.server.host, config.server.port, config.data) == ("0.0.0.0", 9000, Path("/var/lib/hayate"))


def test_nothing_at_all_is_vllm_on_loopback() -> None:
    config = load_config(env={})
    assert config.server.host == "127.0.0.1"
    assert config.deployments["vllm"].replicas == ("http://127.0.0.1:8000",)


@pytest.mark.parametrize("around", ["{}\n", "\r\n{}\r\n", " {} ", "\t{}"])
def test_what_stands_around_a_variable_is_taken_off(around: str) -> None:
    given = {
        "LLM_BACKEND": "llamacpp",
        "BACKEND_URL": "http://one:8081",
        "BACKEND_API_KEY": "secret",
        "MODEL": "qwen",
        "HAYATE_HOST": "::1",
        "HAYATE_PORT": "9000",
        "HAYATE_DATA": "/var/lib/hayate",
    }
    assert load_config(env={name: around.format(value) for name, value in given.items()}) == load_config(env=given)


def test_a_comma_too_many_names_no_replica() -> None:
    (deployment,) = load_config(env={"BACKEND_URL": "http://a, http://b, ,"}).deployments.values()
    assert deployment.replicas == ("http://a", "http://b")


def test_empty_variables_are_as_if_unset() -> None:
    names = ("LLM_BACKEND", "BACKEND_URL", "MODEL", "BACKEND_API_KEY", "HAYATE_PORT", "HAYATE_CONFIG", "HAYATE_DATA")
    assert load_config(env=dict.fromkeys(names, "")) == load_config(env={})


@table(
    ("env", "said"),
    [
        ({"LLM_BACKEND": "gpt"}, "LLM_BACKEND: must be one of vllm"),
        ({"BACKEND_URL": "localhost:8000"}, "is not an http:// or https:// URL"),
        ({"BACKEND_URL": "http://"}, "is not an http:// or https:// URL"),
        ({"BACKEND_URL": "ftp://host/"}, "is not an http:// or https:// URL"),
        ({"BACKEND_URL": "http://user:secret@host"}, "holds a name or a password"),
        ({"BACKEND_URL": "http://host?key=1"}, "has a query or a fragment"),
        ({"BACKEND_URL": "http://host:99999"}, "has a port that is none"),
        ({"BACKEND_URL": "http://a, http://b:0"}, "BACKEND_URL: 'http://b:0' has a port that is none"),
        ({"BACKEND_URL": "http://ho\nst"}, "environment: BACKEND_URL: has a line break"),
        ({"BACKEND_API_KEY": "sec\nret"}, "environment: BACKEND_API_KEY: has a line break"),
        ({"HAYATE_HOST": "a b"}, "HAYATE_HOST (server.host): "),
        ({"HAYATE_HOST": "*"}, "HAYATE_HOST (server.host): "),
        ({"HAYATE_PORT": "many"}, "HAYATE_PORT (server.port): must be a whole number from 0 to 65535"),
        ({"HAYATE_PORT": "70000"}, "HAYATE_PORT (server.port): must be a whole number from 0 to 65535"),
        ({"HAYATE_WORKERS": "4"}, "HAYATE_WORKERS (server.workers): "),
        ({"LLM_BACKEND": "ollama", "OLLAMA_CONTEXT_LENGTH": "x"}, "OLLAMA_CONTEXT_LENGTH: must be a whole number"),
        ({"HAYATE_CORS_ORIGINS": "game"}, "HAYATE_CORS_ORIGINS (server.cors_origins.0): 'game' is not"),
    ],
)
def test_a_mistake_in_the_environment_is_named(env: dict[str, str], said: str) -> None:
    with pytest.raises(ConfigError, match="environment: ") as refused:
        load_config(env=env)
    assert said in str(refused.value)
    assert "secret" not in str(refused.value)


def test_the_environment_names_the_tokenizer_of_triton_alone() -> None:
    env = {"LLM_BACKEND": "triton", "HAYATE_TOKENIZER": "/models/qwen"}
    assert load_config(env=env).deployments["triton"].options == {"tokenizer": "/models/qwen"}
    assert load_config(env={**env, "LLM_BACKEND": "vllm"}).deployments["vllm"].options == {}


def test_fields_are_let_through_by_the_environment_too(tmp_path: Path) -> None:
    path = tmp_path / "hayate.yaml"
    path.write_text(
        "deployments: {a: {backend: vllm, replicas: [http://a]}}\nsafety: {max_n: 2, allow_fields: [lora_path]}\n",
        encoding="utf-8",
    )
    env = {"HAYATE_ALLOW_FIELDS": "chat_template_kwargs, mm_processor_kwargs,"}
    for safety in (load_config(env=env).safety, load_config(path, env).safety):
        assert safety.allow_fields == ("chat_template_kwargs", "mm_processor_kwargs")
    assert load_config(path, env).safety.max_n == 2
    assert load_config(path, {}).safety.allow_fields == ("lora_path",)


@table("named", ["vLLM", "VLLM", "Ollama", "LLaMA.cpp", "TRT"])
def test_a_backend_is_known_however_its_letters_are_written(named: str) -> None:
    (deployment,) = load_config(env={"LLM_BACKEND": named}).deployments.values()
    assert deployment.backend in DEFAULT_URLS


def test_a_files_own_tokenizer_wins_over_the_environment(tmp_path: Path) -> None:
    path = tmp_path / "hayate.yaml"
    path.write_text(
        """
deployments:
  names-its-own: {backend: triton, replicas: [http://a], options: {tokenizer: mine, max_tokens: 5}}
  names-none: {backend: triton, replicas: [http://b], options: {max_tokens: 5}}
  takes-none: {backend: vllm, replicas: [http://c]}
""",
        encoding="utf-8",
    )
    found = load_config(path, {"HAYATE_TOKENIZER": "/models/qwen"}).deployments
    assert [found[name].options.get("tokenizer") for name in found] == ["mine", "/models/qwen", None]


def test_every_variable_that_can_not_be_used_is_named_at_once_and_none_is_shown() -> None:
    found, mistakes = looked_through(dict.fromkeys(VARIABLES, "sec\x07ret"))
    assert [each.variable for each in mistakes] == [*VARIABLES]
    assert not any("ret" in each.text.en for each in mistakes)
    assert not any(found.values()), "and counts as unset"


def test_variables_of_others_are_left_as_they_are() -> None:
    assert looked_through({"PATH": " /bin\n", "MODEL": " m\n"})[0]["PATH"] == " /bin\n"


def test_ollamas_own_context_length_is_the_one_its_calls_name() -> None:
    env = {"LLM_BACKEND": "ollama", "OLLAMA_CONTEXT_LENGTH": "8192"}
    assert load_config(env=env).deployments["ollama"].context_tokens == 8192
    assert load_config(env={**env, "LLM_BACKEND": "vllm"}).deployments["vllm"].context_tokens is None


@pytest.mark.parametrize(("said", "options"), [("4", {"num_parallel": "4"}), ("0", {}), ("", {})])
def test_how_many_calls_ollama_works_on_is_read_of_its_own_variable(said: str, options: dict[str, str]) -> None:
    env = {"LLM_BACKEND": "ollama", "OLLAMA_NUM_PARALLEL": said}
    assert load_config(env=env).deployments["ollama"].options == options
    assert load_config(env={**env, "LLM_BACKEND": "vllm"}).deployments["vllm"].options == {}


ENGINE = {"backend": "llamacpp", "replicas": ["http://127.0.0.1:9"]}


def test_the_embedded_engine_stands_before_a_files_which_makes_it_the_default_unless_that_says_otherwise() -> None:
    theirs: dict[str, Any] = {"deployments": {"qwen": {}, EMBEDDED: {"backend": "vllm"}}}
    assert list(with_embedded(theirs, ENGINE)["deployments"].items()) == [(EMBEDDED, ENGINE), ("qwen", {})]
    said = with_embedded({**theirs, "aliases": {"default": "qwen", "fast": EMBEDDED}}, ENGINE)
    assert said["aliases"] == {"default": "qwen", "fast": EMBEDDED}


def test_the_embedded_engine_stands_instead_of_what_the_environment_names() -> None:
    config = load_config(env={"BACKEND_URL": "http://elsewhere", "LLM_BACKEND": "vllm"}, embedded=ENGINE)
    assert list(config.deployments) == [EMBEDDED]
    assert config.aliases == {}


def test_other_defaults_stand_back_behind_what_is_said() -> None:
    defaults: dict[str, dict[str, Any]] = {"server": {"port": 1, "drain_s": 2.0}, "safety": {"max_n": 3}}
    assert with_defaults({"server": {"port": 9}, "safety": None, "data": "d"}, defaults) == {
        "server": {"port": 9, "drain_s": 2.0},
        "safety": {"max_n": 3},
        "data": "d",
    }


@pytest.mark.parametrize("odd", [7, "x", [1]])
def test_what_is_no_section_is_left_for_the_model_to_refuse(odd: Any) -> None:
    values = {"server": odd, "deployments": odd, "aliases": odd}
    assert with_defaults(values, {"server": {"port": 1}}) == values
    assert with_embedded(values, ENGINE) == values
    env = {"HAYATE_PORT": "9", "HAYATE_TOKENIZER": "t"}
    assert overlay(dict(values), env) == values


def test_a_deployment_of_no_shape_takes_no_tokenizer() -> None:
    values: dict[str, Any] = {"deployments": {"a": 7, "b": {"backend": "triton", "options": 7}, "c": None}}
    assert overlay(dict(values), {"HAYATE_TOKENIZER": "t"})["deployments"] == values["deployments"]
