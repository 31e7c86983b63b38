"""What `hayate config show` tells: each value with who says so, and no secret."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from rich.cells import cell_len

from hayate.config.mistakes import ConfigError
from hayate.tools.environment import Environment, read_environment
from hayate.tools.gateway.options import ShowOptions
from hayate.tools.gateway.show import run_show

SECRETS = ("hush-engine", "hush-main-0123456789", "hush-hub", "hush-option", "hush-kept")
FILE = """\
server: {host: 0.0.0.0, port: 7000, drain_s: 5}
x-base: &base {backend: vllm, api_key: '${ENGINE_KEY}'}
deployments:
  qwen-7b:
    <<: *base
    replicas: ["http://${GPU}:8000"]
    timeouts: {total_s: 5}
aliases: {fast: qwen-7b}
"""
DOTENV = "HAYATE_CONFIG=c.yaml\nGPU=gpu-box\nENGINE_KEY=hush-engine\nHAYATE_API_KEY=hush-main-0123456789\nHF_TOKEN=hush-hub\n"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "c.yaml").write_text(FILE, encoding="utf-8")
    (tmp_path / ".env").write_text(DOTENV, encoding="utf-8")
    return tmp_path


def shown(capsys: pytest.CaptureFixture[str], env: Environment, **options: Any) -> dict[str, dict[str, Any]]:
    assert run_show(ShowOptions(as_json=True, **options), env) == 0
    said = capsys.readouterr().out
    assert not [each for each in SECRETS if each in said]
    return {each["name"]: each for each in json.loads(said)["settings"]}


def test_each_value_is_told_with_who_says_so(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    env = read_environment({"HAYATE_PORT": "7001", "GPU": "other-box"}, folder)
    found = shown(capsys, env, host="127.0.0.1")
    told = {
        name: (each["value"], each["source"], each["variable"], each["line"], each["secret"])
        for name, each in found.items()
    }
    expected = {
        "server.host": ("127.0.0.1", "command line", "HAYATE_HOST", None, False),
        "server.port": (7001, "environment", "HAYATE_PORT", None, False),
        "server.drain_s": (5.0, "file", None, 1, False),
        "server.max_connections": (8192, "default", None, None, False),
        "HAYATE_CONFIG": ("c.yaml", ".env", "HAYATE_CONFIG", 1, False),
        "HAYATE_API_KEY": (None, ".env", "HAYATE_API_KEY", 4, True),
        "HF_TOKEN": (None, ".env", "HF_TOKEN", 5, True),
        "deployments.qwen-7b.replicas": (["http://other-box:8000"], "file", "GPU", 6, False),
        "deployments.qwen-7b.api_key": (None, "file", "ENGINE_KEY", 2, True),
        "deployments.qwen-7b.backend": ("vllm", "file", None, 2, False),
        "deployments.qwen-7b.timeouts.total_s": (5.0, "file", None, 7, False),
        "deployments.qwen-7b.timeouts.connect_s": (5.0, "default", None, None, False),
        "aliases.fast": (["qwen-7b"], "file", None, 8, False),
    }
    assert {name: told[name] for name in expected} == expected


def test_without_a_file_the_variables_are_who_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    env = read_environment({"LLM_BACKEND": "ollama", "BACKEND_API_KEY": "hush-engine", "MODEL": "qwen2.5:7b"}, tmp_path)
    found = shown(capsys, env)
    for name, source in (("model", "environment"), ("api_key", "environment"), ("replicas", "default")):
        assert found[f"deployments.qwen2.5:7b.{name}"]["source"] == source
    assert found["deployments.qwen2.5:7b.api_key"]["secret"] is True


def test_a_kept_key_is_told_by_its_file_and_never_shown(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "data").mkdir()
    (folder / "data" / "admin_key").write_text("hush-kept", encoding="ascii")
    found = shown(capsys, read_environment({}, folder))
    assert (found["HAYATE_ADMIN_KEY"]["source"], found["HAYATE_ADMIN_KEY"]["secret"]) == ("key file", True)


EN = ("command line", "environment variable HAYATE_LANG", ".env line 1 (HAYATE_CONFIG)", "c.yaml line 1", "(hidden)")
JA = ("コマンドライン", "環境変数HAYATE_LANG", ".envの1行目（HAYATE_CONFIG）", "c.yamlの1行目", "既定値", "（非表示）")


@pytest.mark.parametrize(("lang", "words"), [("en", EN), ("ja", JA)], ids=["en", "ja"])
def test_it_is_a_table_that_fits_a_terminal(
    folder: Path, capsys: pytest.CaptureFixture[str], lang: str, words: tuple[str, ...]
) -> None:
    assert run_show(ShowOptions(port=1), read_environment({"HAYATE_LANG": lang}, folder)) == 0
    said = capsys.readouterr().out
    assert not [each for each in SECRETS if each in said]
    assert all(each in said for each in words)
    assert max(cell_len(line) for line in said.splitlines()) <= 100
    assert "deployments.qwen-7b\n" in said


def test_a_file_for_up_alone_is_shown_without_an_engine(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "c.yaml").write_text("aliases: {fast: embedded}\n", encoding="utf-8")
    found = shown(capsys, read_environment({}, folder))
    assert found["aliases.fast"]["value"] == ["embedded"]
    assert not [name for name in found if name.startswith("deployments.")]


def test_what_would_not_start_is_refused_as_at_a_start(folder: Path) -> None:
    (folder / "c.yaml").write_text("server: {port: high}\n", encoding="utf-8")
    with pytest.raises(ConfigError, match="line 1"):
        run_show(ShowOptions(), read_environment({}, folder))


def test_what_stands_below_names_is_told_too_and_money_to_the_digit(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    more = "currency: JPY\nprices: {qwen-7b: {input: 0.10}}\nlimits: {models: {smart: {concurrency: 2}}}\n"
    (folder / "c.yaml").write_text(FILE + more + "record: {content: {main: {days: 1}}}\n", encoding="utf-8")
    found = shown(capsys, read_environment({}, folder))
    assert (found["prices.qwen-7b.input"]["value"], found["prices.qwen-7b.input"]["line"]) == ("0.1", 10)
    assert (found["prices.qwen-7b.output"]["value"], found["prices.qwen-7b.output"]["source"]) == ("0", "default")
    assert (found["currency"]["value"], found["currency"]["line"]) == ("JPY", 9)
    assert (found["limits.models.smart.concurrency"]["value"], found["store.file"]["value"]) == (2, "hayate.db")
    assert (found["record.content.main.days"]["value"], found["keys.stale_s"]["source"]) == (1.0, "default")


def test_of_an_engine_that_is_run_here_no_secret_is_told_and_sizes_are_told_as_such(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = "{command: [x, '{port}', --key, '${ENGINE_KEY}'], env: {A: 'x${ENGINE_KEY}', B_TOKEN: hush-option, C: '1'}}"
    text = f"gpus: {{gpu0: {{memory: 24GiB}}}}\ndeployments:\n  a: {{backend: vllm, gpu: gpu0, memory: 9GiB, run: {run}}}\n"
    (folder / "c.yaml").write_text(text + "preload: [a]\n", encoding="utf-8")
    found = shown(capsys, read_environment({}, folder))
    assert found["deployments.a.run.command"]["value"] == ["x", "{port}", "--key", "${ENGINE_KEY}"]
    assert [found[f"deployments.a.run.env.{name}"]["value"] for name in ("A", "B_TOKEN", "C")] == [None, None, "1"]
    assert (found["gpus.gpu0.memory"]["value"], found["gpus.gpu0.quantum_s"]["source"]) == (24 * 2**30, "default")
    assert found["preload"]["value"] == ["a"]
    assert run_show(ShowOptions(), read_environment({}, folder)) == 0
    said = capsys.readouterr().out
    assert not [each for each in SECRETS if each in said]
    assert "gpus.gpu0\n  memory                  24 GiB" in said
