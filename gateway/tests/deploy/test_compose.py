"""compose.yml and its example: accepted by docker-compose for every profile, pinned, closed, and documented in .env.example."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

from hayate.config.environment import BACKEND_ALIASES, DEFAULT_URLS
from hayate.config.load import load_config
from hayate.config.models import ServerConfig
from hayate.serve.specs import option_mistakes
from hayate.tools.planner.arithmetic import GIB
from hayate.tools.planner.catalogue import load_catalogue
from hayate.tools.planner.compose_override import compose_services
from hayate.tools.planner.gateway_yaml import gateway_values
from hayate.tools.planner.gpus import parse_gpu
from hayate.tools.planner.host import Host
from hayate.tools.planner.plan import Wish
from hayate.tools.planner.shared import plan_shared
from hayate.tools.planner.together import Room
from hayate.tools.planner.variants import find_named
from tests.support.tables import table
from tests.support.waiting import LAST_RESORT_S

REPOSITORY = Path(__file__).parents[3]
ENGINES = {
    "vllm": "vllm",
    "trtllm": "trtllm",
    "triton": "triton",
    "ollama": "ollama",
    "llamacpp": "llamacpp",
    "cpu": "llamacpp-cpu",
    "sglang": "sglang",
}
FAST_SMART = ("-f", "compose.yml", "-f", "compose.fast-smart.yml")
PINNED = re.compile(r"[\w./-]+:[\w.-]*\d[\w.-]*(@sha256:[0-9a-f]{64})?")


@cache
def compose() -> tuple[str, ...]:
    """The command that reads compose files here: the newer plugin, else the older program."""
    plugin = ("docker", "compose")
    if (
        shutil.which("docker")
        and subprocess.run([*plugin, "version"], capture_output=True, check=False).returncode == 0
    ):
        return plugin
    if shutil.which("docker-compose"):
        return ("docker-compose",)
    pytest.skip("neither the docker compose plugin nor docker-compose is here (Debian: apt-get install docker-compose)")


def config(*arguments: str, **env: str) -> dict[str, Any]:
    """What compose makes of the files, with nothing in the environment but `env`. An .env of the developer's stays out."""
    settings = {"PATH": os.environ["PATH"], "HOME": os.environ.get("HOME", "/"), **env}
    with tempfile.NamedTemporaryFile() as nothing:
        command = [*compose(), "--env-file", nothing.name, *arguments, "config"]
        done = subprocess.run(
            command, cwd=REPOSITORY, env=settings, capture_output=True, text=True, timeout=LAST_RESORT_S, check=False
        )
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = yaml.safe_load(done.stdout)["services"]
    return found


def started(services: dict[str, Any], *profiles: str) -> set[str]:
    """The services that `up` starts with these profiles."""
    return {name for name, each in services.items() if not each.get("profiles") or set(each["profiles"]) & {*profiles}}


def written(path: str) -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load((REPOSITORY / path).read_text(encoding="utf-8"))
    return found


def test_without_any_setting_the_gateway_and_vllm_start() -> None:
    services = config()
    assert started(services) == {"gateway", "vllm"}
    gateway = services["gateway"]["environment"]
    assert (gateway["LLM_BACKEND"], gateway["BACKEND_URL"]) == ("vllm", "http://vllm:8000")


@table("profile", ENGINES)
def test_every_profile_is_accepted_and_starts_its_engine_alone(profile: str) -> None:
    backend = "llamacpp" if profile == "cpu" else profile
    services = config("--profile", profile, LLM_BACKEND=backend)
    assert started(services, profile) == {"gateway", ENGINES[profile]}


def test_an_engine_elsewhere_starts_the_gateway_alone() -> None:
    services = config(LLM_BACKEND="openai", BACKEND_URL="http://192.0.2.10:8000")
    assert started(services) == {"gateway"}
    assert services["gateway"]["environment"]["BACKEND_URL"] == "http://192.0.2.10:8000"


def test_the_gateway_and_ollama_agree_on_the_context() -> None:
    settings = {"LLM_BACKEND": "ollama", "MODEL": "qwen2.5:7b", "OLLAMA_CONTEXT_LENGTH": "16384"}
    services = config("--profile", "ollama", **settings)
    for name in ("gateway", "ollama"):
        assert services[name]["environment"]["OLLAMA_CONTEXT_LENGTH"] == "16384"
    (deployment,) = load_config(None, settings).deployments.values()
    assert deployment.context_tokens == 16384


def test_every_backend_the_gateway_knows_decides_whether_vllm_starts() -> None:
    entries = written("llm/vllm/selected.yml")["services"]
    assert {name.removeprefix("with-") for name in entries} == {*DEFAULT_URLS, *BACKEND_ALIASES}
    assert [name for name, entry in entries.items() if "profiles" not in entry] == ["with-vllm"]


def test_fast_and_smart_take_turns_and_start_one_after_the_other_the_gateway_last() -> None:
    services = config(*FAST_SMART)
    assert started(services) == {"gateway", "vllm", "vllm-smart"}
    for name in ("vllm", "vllm-smart"):
        environment = services[name]["environment"]
        assert (environment["VLLM_ENABLE_SLEEP_MODE"], environment["VLLM_START_ASLEEP"]) == ("1", "1")
        assert "VLLM_START_ASLEEP" in str(services[name]["healthcheck"]["test"])
    assert services["vllm-smart"]["depends_on"]["vllm"]["condition"] == "service_healthy"
    assert services["gateway"]["depends_on"]["vllm-smart"]["condition"] == "service_healthy"


def test_fast_and_smart_are_as_the_planner_plans_them_for_a_card_of_24_gb() -> None:
    wish = Wish(parse_gpu("rtx4090"))
    named = [find_named(name, load_catalogue()) for name in ("qwen2.5-7b", "bakeneko-32b")]
    plan = plan_shared(named, Room(wish, host=Host(48 * GIB)))
    assert plan.works
    planned, told = gateway_values(plan), written("llm/vllm/fast-smart.yaml")
    assert told["gpus"] == planned["gpus"]
    services = written("compose.fast-smart.yml")["services"]
    names = (("qwen-7b", "qwen2.5-7b", "vllm"), ("bakeneko-32b", "bakeneko-32b", "vllm-smart"))
    for here, there, service in names:
        ours, theirs = told["deployments"][here], planned["deployments"][there]
        assert {**ours, "replicas": None} == {**theirs, "replicas": None}
        override = compose_services(plan)["vllm" if service == "vllm" else f"vllm-{there}"]
        assert services[service]["environment"] == override["environment"]


def test_a_vllm_that_starts_asleep_is_healthy_once_it_sleeps_and_reached_by_nobody_else() -> None:
    vllm = config(VLLM_ENABLE_SLEEP_MODE="1", VLLM_START_ASLEEP="1")["vllm"]
    assert (vllm["environment"]["VLLM_ENABLE_SLEEP_MODE"], vllm["environment"]["VLLM_START_ASLEEP"]) == ("1", "1")
    assert not vllm.get("ports"), "its sleep mode opens paths that take no key"
    asked = [line for line in vllm["healthcheck"]["test"][3].splitlines() if "/health" not in line]
    for env, healthy in (({}, True), ({"VLLM_START_ASLEEP": ""}, True), ({"VLLM_START_ASLEEP": "1"}, False)):
        done = subprocess.run([sys.executable, "-c", "\n".join(asked)], env=env, capture_output=True, check=False)
        assert (done.returncode == 0) is healthy


def test_fast_and_smart_are_what_the_gateway_is_told() -> None:
    services = config(*FAST_SMART)
    told = load_config(REPOSITORY / "llm/vllm/fast-smart.yaml", {}, check=option_mistakes)
    for deployment in told.deployments.values():
        host = deployment.replicas[0].removeprefix("http://").split(":")[0]
        engine = services[host]["environment"]
        assert deployment.model == engine["MODEL"]
        assert deployment.context_tokens == int(engine["VLLM_MAX_MODEL_LEN"])
    assert told.aliases["smart"] == ("bakeneko-32b", "qwen-7b")
    assert told.aliases["default"] == ("qwen-7b",)
    mounted = [each for each in services["gateway"]["volumes"] if "/etc/hayate/config.yaml" in str(each)]
    assert len(mounted) == 1
    assert services["gateway"]["environment"]["HAYATE_CONFIG"] == "/etc/hayate/config.yaml"


def test_the_gateway_is_told_its_file_and_its_language(tmp_path: Path) -> None:
    file = tmp_path / "own.yaml"
    file.touch()
    gateway = config(HAYATE_CONFIG=str(file), HAYATE_LANG="ja")["gateway"]
    assert (gateway["environment"]["HAYATE_CONFIG"], gateway["environment"]["HAYATE_LANG"]) == (
        "/etc/hayate/config.yaml",
        "ja",
    )
    assert f"{file}" in str(gateway["volumes"])


def test_every_image_is_pinned_and_none_is_latest() -> None:
    for name, service in written("compose.yml")["services"].items():
        assert PINNED.fullmatch(service["image"]), f"{name}: {service['image']}"
    dockerfile = (REPOSITORY / "gateway/Dockerfile").read_text(encoding="utf-8")
    bases = re.findall(r"^ARG BASE=(\S+)", dockerfile, re.MULTILINE)
    assert len(bases) == 1
    assert re.fullmatch(r"\S+:\d+\.\d+\.\d+-slim-\w+@sha256:[0-9a-f]{64}", bases[0])
    assert set(re.findall(r"^FROM (\S+)", dockerfile, re.MULTILINE)) == {"${BASE}"}


def test_no_file_of_the_deployment_names_a_latest_tag() -> None:
    listed = subprocess.run(
        ["git", "ls-files"], cwd=REPOSITORY, capture_output=True, text=True, check=True
    ).stdout.split("\n")
    places = [
        name
        for name in listed
        if name.startswith(("llm/", "deploy/", "models/", "compose", ".env", "gateway/Dockerfile"))
    ]
    assert places
    for name in places:
        text = (REPOSITORY / name).read_bytes()
        assert b":latest" not in text, name


def test_only_the_gateway_has_a_port_on_the_host_and_only_on_loopback() -> None:
    for files in ((), FAST_SMART):
        services = config(*files)
        assert [name for name, service in services.items() if service.get("ports")] == ["gateway"]
        assert "127.0.0.1" in str(services["gateway"]["ports"])
        assert not [name for name, service in services.items() if service.get("network_mode") == "host"]
        assert not [name for name, service in services.items() if service.get("privileged")]


def test_the_gateway_can_write_its_data_folder_alone_and_outlives_its_drain() -> None:
    gateway = config()["gateway"]
    assert gateway["read_only"] is True
    assert gateway["cap_drop"] == ["ALL"]
    assert gateway["security_opt"] == ["no-new-privileges:true"]
    writable = [each for each in gateway["volumes"] if ":ro" not in str(each) and "'read_only': True" not in str(each)]
    assert len(writable) == 1
    assert "/data" in str(writable[0])
    assert seconds(gateway["stop_grace_period"]) > ServerConfig().drain_s


def test_every_engine_is_watched_bounded_and_comes_back() -> None:
    services = config(*(word for profile in ENGINES for word in ("--profile", profile)))
    assert set(services) == {"gateway", *ENGINES.values()}
    for name, service in services.items():
        assert service["restart"] == "unless-stopped", name
        assert service["logging"]["options"]["max-size"], name
        if name != "gateway":
            assert service["healthcheck"]["test"][0] == "CMD", name
            assert seconds(service["stop_grace_period"]) > 60, name
        if name not in ("gateway", "llamacpp-cpu"):
            (device,) = service["deploy"]["resources"]["reservations"]["devices"]
            assert device["capabilities"] == ["gpu"], name


def test_each_engine_listens_where_env_example_says_the_gateway_finds_it() -> None:
    text = (REPOSITORY / ".env.example").read_text(encoding="utf-8")
    blocks = re.findall(
        r"#LLM_BACKEND=(\S+)\n#BACKEND_URL=http://([\w-]+):(\d+)\n#COMPOSE_PROFILES=(\S+)\n#MODEL=\S+", text
    )
    assert {profile: service for _, service, _, profile in blocks} == ENGINES
    for backend, _, port, profile in blocks:
        assert backend == ("llamacpp" if profile == "cpu" else profile)
        assert DEFAULT_URLS[backend].endswith(f":{port}")


def test_env_example_names_exactly_the_variables_that_compose_reads() -> None:
    compose_file = (REPOSITORY / "compose.yml").read_text(encoding="utf-8")
    read = set(re.findall(r"(?<!\$)\$\{(\w+)", compose_file))
    for part in [written("compose.yml")["x-hub"], *written("compose.yml")["services"].values()]:
        environment = part.get("environment", part)
        read |= {name for name, value in environment.items() if value is None}
    offered = set(
        re.findall(r"^#?([A-Z][A-Z0-9_]*)=", (REPOSITORY / ".env.example").read_text(encoding="utf-8"), re.MULTILINE)
    )
    assert offered == read | {"COMPOSE_PROFILES"}


def test_every_service_setting_is_read_by_its_script() -> None:
    for name, service in written("compose.yml")["services"].items():
        if name == "gateway":
            continue
        engine = "llamacpp" if name == "llamacpp-cpu" else name
        scripts = "".join(path.read_text(encoding="utf-8") for path in (REPOSITORY / "llm" / engine).glob("*.sh"))
        own = {each for each in service["environment"] if not each.startswith("HF_")}
        assert {each for each in own if not re.search(rf"\b{each}\b", scripts)} == set(), name


def test_the_image_carries_the_projects_version() -> None:
    pyproject = (REPOSITORY / "gateway/pyproject.toml").read_text(encoding="utf-8")
    version = re.search(r'^version = "(.+)"', pyproject, re.MULTILINE)
    assert version
    dockerfile = (REPOSITORY / "gateway/Dockerfile").read_text(encoding="utf-8")
    assert f"ARG VERSION={version[1]}\n" in dockerfile
    assert written("compose.yml")["services"]["gateway"]["image"] == f"hayate-gateway:{version[1]}"


def seconds(duration: str) -> float:
    """compose prints durations as 75s, 1m15s or 1h0m0s."""
    units = {"h": 3600.0, "m": 60.0, "s": 1.0}
    return sum(float(number) * units[unit] for number, unit in re.findall(r"([\d.]+)([hms])", duration))
