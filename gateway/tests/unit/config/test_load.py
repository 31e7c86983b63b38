"""The configuration is read once, validated whole, and every mistake is named with its place."""

from __future__ import annotations

import contextlib
from pathlib import Path

import pytest

from hayate.config.load import data_folder, load_config
from hayate.config.mistakes import ConfigError
from hayate.config.models import Config
from hayate.language import Text


def from_file(tmp_path: Path, text: str, **env: str) -> Config:
    path = tmp_path / "config.yaml"
    path.write_text(text, encoding="utf-8")
    return load_config(path, env)


def mistakes(tmp_path: Path, text: str, **env: str) -> list[str]:
    with pytest.raises(ConfigError) as refused:
        from_file(tmp_path, text, **env)
    return [line.removeprefix(f"{tmp_path}/config.yaml: ") for line in str(refused.value).splitlines()]


ONE = "deployments:\n  qwen: {backend: vllm, replicas: [http://127.0.0.1:8000]}\n"


def test_a_file_says_everything(tmp_path: Path) -> None:
    config = from_file(
        tmp_path,
        """
server: {port: 9001, heartbeat_s: 3}
data: /srv/hayate
deployments:
  fast-one: {backend: vllm, model: Qwen/Qwen2.5-7B-Instruct, replicas: [http://a:8000, http://b:8000/]}
  smart-one: {backend: llamacpp, replicas: [http://c:8081], max_in_flight: 2, timeouts: {silence_s: 5, total_s: 60}}
aliases:
  fast: fast-one
  smart: [smart-one, fast-one]
  default: fast
limits: {requests_per_minute: 60, burst: 5}
safety: {max_n: 1, allow_fields: [chat_template]}
health: {eject_after: 2}
""",
    )
    assert config.aliases == {"fast": ("fast-one",), "smart": ("smart-one", "fast-one"), "default": ("fast-one",)}
    assert config.deployments["fast-one"].replicas == ("http://a:8000", "http://b:8000")
    assert config.deployments["smart-one"].timeouts.silence_s == 5
    assert config.deployments["smart-one"].timeouts.connect_s == 5
    assert (config.server.port, config.server.heartbeat_s, config.data) == (9001, 3, Path("/srv/hayate"))
    assert (config.limits.burst, config.safety.allow_fields, config.health.eject_after) == (5, ("chat_template",), 2)


def test_the_environment_wins_over_the_file_where_both_speak(tmp_path: Path) -> None:
    config = from_file(tmp_path, "server: {port: 9001, host: 1.2.3.4}\n" + ONE, HAYATE_PORT="9002", HAYATE_DATA="/d")
    assert (config.server.port, config.server.host, config.data) == (9002, "1.2.3.4", Path("/d"))


def test_a_file_may_be_named_by_the_environment(tmp_path: Path) -> None:
    (tmp_path / "c.yaml").write_text(ONE, encoding="utf-8")
    assert "qwen" in load_config(env={"HAYATE_CONFIG": str(tmp_path / "c.yaml")}).deployments


@pytest.mark.parametrize(
    ("written", "env", "meant"),
    [
        ("", {}, "data"),
        ("data: keys\n", {}, "keys"),
        ("data: /srv/keys\n", {}, "/srv/keys"),
        ("data: keys\n", {"HAYATE_DATA": "/var/keys"}, "/var/keys"),
    ],
)
def test_a_files_data_folder_is_the_same_from_every_folder(
    tmp_path: Path, written: str, env: dict[str, str], meant: str
) -> None:
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc" / "c.yaml").write_text(written + ONE, encoding="utf-8")
    found = []
    for folder, name in (
        (tmp_path, "etc/c.yaml"),
        (tmp_path / "etc", "c.yaml"),
        (tmp_path, str(tmp_path / "etc/c.yaml")),
    ):
        with contextlib.chdir(folder):
            found.append(load_config(name, env).data.resolve())
    assert set(found) == {tmp_path / "etc" / meant}


def test_many_models_share_their_settings_by_a_merge(tmp_path: Path) -> None:
    config = from_file(
        tmp_path,
        """
x-usual: &usual {backend: vllm, timeouts: {first_byte_s: 120}, replicas: [http://a:8000]}
deployments:
  small: &small
    <<: *usual
    max_in_flight: 3
    gpu: gpu0
  big: {<<: [*small, *usual], model: big-model, replicas: [http://b:8000]}
""",
    )
    small, big = config.deployments["small"], config.deployments["big"]
    assert (small.timeouts.first_byte_s, big.timeouts.first_byte_s, big.max_in_flight) == (120, 120, 3)
    assert big.gpu == ("gpu0",)
    assert (small.replicas, big.replicas, big.model) == (("http://a:8000",), ("http://b:8000",), "big-model")


def test_variables_are_filled_in(tmp_path: Path) -> None:
    text = "deployments:\n  q: {backend: vllm, replicas: ['http://${HOST}:${PORT:-8000}'], api_key: '${KEY}'}\n"
    (deployment,) = from_file(tmp_path, text, HOST="gpu", KEY="k").deployments.values()
    assert deployment.replicas == ("http://gpu:8000",)
    assert deployment.api_key is not None
    assert deployment.api_key.get_secret_value() == "k"


def test_every_variable_that_is_missing_is_named_with_its_place(tmp_path: Path) -> None:
    text = "deployments:\n  q: {backend: vllm, replicas: ['http://${HOST}', 'http://${OTHER}'], model: '${MODEL:-}x'}\n"
    assert mistakes(tmp_path, text) == [
        "line 2: deployments.q.replicas.0: the environment has no HOST: set it, or write a fallback, ${HOST:-value}",
        "line 2: deployments.q.replicas.1: the environment has no OTHER: set it, or write a fallback, ${OTHER:-value}",
    ]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("sever: {port: 1}\n" + ONE, "line 1: sever: is not an option; did you mean server?"),
        ("server:\n  prot: 1\n" + ONE, "line 2: server.prot: is not an option"),
        ("server:\n  port: many\n" + ONE, "line 2: server.port: "),
        ("server:\n  heartbeat_s: 0\n" + ONE, "line 2: server.heartbeat_s: "),
        ("server: 7\n" + ONE, "line 1: server: "),
        ("server: {keep_alive_s: .inf}\n" + ONE, "line 1: server.keep_alive_s: "),
        ("server: {keep_alive_s: '${S:-inf}'}\n" + ONE, "line 1: server.keep_alive_s: "),
        ("server: {drain_s: .nan}\n" + ONE, "line 1: server.drain_s: "),
        ("server: {host: ''}\n" + ONE, "line 1: server.host: "),
        (
            "x-b: &b\n  backend: gpt\ndeployments:\n  q:\n    <<: *b\n    replicas: [http://a]\n",
            "line 2: deployments.q.backend: ",
        ),
        (ONE + "safety:\n  image_hosts: [https://h]\n", "line 4: safety.image_hosts.0: 'https://h' is not a host"),
        ("deployments:\n  q:\n    backend: gpt\n    replicas: [http://a]\n", "line 3: deployments.q.backend: "),
        ("deployments:\n  q:\n    backend: vllm\n    replicas: []\n", "line 4: deployments.q.replicas: "),
        (
            "deployments:\n  q:\n    backend: vllm\n    replicas:\n    - http://a\n    - b\n",
            "line 6: deployments.q.replicas.1: 'b' is not an http:// or https:// URL",
        ),
        ("deployments:\n  q:\n    backend: vllm\n", "line 2: deployments.q.replicas: "),
        ("deployments: {}\n", "line 1: deployments: "),
        ("server: {port: 1}\n", "deployments: "),
        (ONE + "aliases:\n  fast: qwen2\n", "line 4: aliases.fast: no deployment named qwen2; there are qwen"),
        (ONE + "aliases:\n  fast: []\n", "line 4: aliases.fast: names no deployment"),
        (ONE + "aliases:\n  fast: 7\n", "line 4: aliases.fast: "),
        (ONE + "aliases: {a: b, b: a}\n", "line 3: aliases.a: goes in a circle: a -> b -> a"),
        (ONE + "aliases: {qwen: {a: b}}\n", "line 3: aliases.qwen: "),
        (ONE + "limits: {requests_per_minute: 0}\n", "line 3: limits.requests_per_minute: "),
    ],
)
def test_a_mistake_is_named_with_its_line(tmp_path: Path, text: str, said: str) -> None:
    assert any(line.startswith(said) for line in mistakes(tmp_path, text)), mistakes(tmp_path, text)


def test_one_mistake_is_told_once(tmp_path: Path) -> None:
    text = "deployments:\n  q: {backend: vllm, replicas: ['http://gpu:0']}\n"
    assert mistakes(tmp_path, text) == [
        "line 2: deployments.q.replicas.0: 'http://gpu:0' has a port that is none: 1 to 65535, or none at all"
    ]


def test_all_mistakes_are_named_at_once(tmp_path: Path) -> None:
    text = "server: {port: -1, x: 1}\ndeployments:\n  q: {backend: gpt, replicas: [a]}\n"
    places = ("server.port", "server.x", "deployments.q.backend", "deployments.q.replicas.0")
    assert all(any(place in line for line in mistakes(tmp_path, text)) for place in places)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a: [\n", "line 2: "),
        ("a: 1\na: 2\n", "deployments: is needed"),
        (ONE + "  qwen: {backend: vllm, replicas: [http://b]}\n", "line 3: deployments.qwen: 'qwen' is written twice"),
        ("- a\n- b\n", "is no configuration: entries are expected"),
        ("", "deployments: is needed"),
        ("just text\n", "is no configuration: entries are expected"),
        ("? [a, b]\n: 1\n", "line 1: "),
        ("? {a: b}\n: 1\n", "line 1: "),
        ("a: !!python/object/apply:os.system ['true']\n", "line 1: "),
        ("a: *nowhere\n", "line 1: "),
        ("a: \x00\n", ""),
        ("1: 2\n" + ONE, ""),
    ],
)
def test_what_is_no_configuration_is_told_in_words(tmp_path: Path, text: str, said: str) -> None:
    assert said in mistakes(tmp_path, text)[0]


def test_a_file_that_cannot_be_read_is_told_in_words(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="there is no such file"):
        load_config(tmp_path / "absent.yaml", {})
    with pytest.raises(ConfigError, match="is a folder"):
        load_config(tmp_path, {})
    (tmp_path / "latin.yaml").write_bytes(b"a: \xff\n")
    with pytest.raises(ConfigError, match="line 1: is not in UTF-8"):
        load_config(tmp_path / "latin.yaml", {})


def test_a_check_of_what_the_models_can_not_see_has_its_place_and_its_line_too(tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    path.write_text(ONE, encoding="utf-8")
    with pytest.raises(ConfigError) as refused:
        load_config(
            path,
            {},
            check=lambda config: [(("deployments", name), Text("no", "いいえ")) for name in config.deployments],
        )
    assert str(refused.value) == f"{path}: line 2: deployments.qwen: no"


@pytest.mark.parametrize("engines", ["", ONE, "aliases: {fast: embedded}\n"])
def test_the_data_folder_is_known_without_an_engine(tmp_path: Path, engines: str) -> None:
    path = tmp_path / "config.yaml"
    path.write_text("data: keys\n" + engines, encoding="utf-8")
    assert data_folder(path, {}) == tmp_path / "keys"
    assert data_folder(path, {"HAYATE_DATA": "/elsewhere"}) == Path("/elsewhere")


def test_the_data_folder_of_a_file_with_mistakes_is_not_guessed(tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    path.write_text("data: keys\nserver: {port: many}\n", encoding="utf-8")
    with pytest.raises(ConfigError, match=r"line 2: server\.port"):
        data_folder(path, {})
