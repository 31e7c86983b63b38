"""`hayate check-config`: names everything at once, says OK, and what it accepts, starts."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from hayate.config.load import load_config
from hayate.serve.app import create_app
from hayate.serve.specs import left_for_the_start, option_mistakes
from tests.support.broken_configs import BROKEN, ONE, Broken
from tests.support.gateway import running_gateway
from tests.support.typed import typed_in

HAYATE = Path(sys.executable).with_name("hayate")
KINDLY_TAKEN = {
    "one address as text": "deployments:\n  a: {backend: vllm, replicas: http://127.0.0.1:8000}\n",
    "several addresses as one text": "deployments:\n  a: {backend: vllm, replicas: 'http://127.0.0.1:8000, http://127.0.0.1:8001'}\n",
    "addresses with the API's path": "deployments:\n  a: {backend: vllm, replicas: [http://127.0.0.1:8000/v1/, http://127.0.0.1:8001/v1/chat/completions]}\n",
    "Ollama's own paths": "deployments:\n  a: {backend: ollama, replicas: [http://127.0.0.1:1/api/chat, http://127.0.0.1:2/api, http://127.0.0.1:3/api/tags/]}\n",
    "a backend in other letters": "deployments:\n  a: {backend: vLLM, replicas: [http://127.0.0.1:8000]}\n",
    "numbers in quotes": ONE + "server: {heartbeat_s: '15', workers: '1'}\n",
    "yes and no": "deployments:\n  a: {backend: vllm, replicas: [http://127.0.0.1:8000], canary: no}\n",
    "Windows line ends": ONE.replace("\n", "\r\n"),
    "a byte order mark": "\ufeff" + ONE,
    "sections with nothing in them": ONE + "server:\nlimits:\n  # burst: 5\naliases:\nsafety: null\nhealth: ~\n",
    "names that YAML takes for something else": ONE
    + "  70: {backend: vllm, replicas: [http://127.0.0.1:8001]}\naliases: {on: qwen, '7': '70'}\n",
    "wide signs in comments and text": "# 注意：全角\n" + ONE + "data: 'データ：　置き場'\n",
    "one field as text": ONE + "safety: {allow_fields: chat_template_kwargs}\n",
}  # fmt: skip


def check(*arguments: str | Path, **env: str) -> tuple[int, str, str]:
    """The status, standard output and standard error."""
    unset: dict[str, str | None] = dict.fromkeys(("HAYATE_LANG", "LC_ALL", "LC_MESSAGES", "LANG", "HAYATE_CONFIG"))
    done = typed_in("check-config", *map(str, arguments), env={**unset, **env})
    assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
    return done.exit_code, done.stdout, done.stderr


def written(folder: Path, text: str | bytes) -> Path:
    path = folder / "config.yaml"
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return path


@pytest.mark.parametrize("lang", ["en", "ja"])
@pytest.mark.parametrize("case", BROKEN, ids=[each.name for each in BROKEN])
def test_a_broken_configuration_is_told_whole_and_the_cured_one_is_ok(tmp_path: Path, case: Broken, lang: str) -> None:
    named = [] if case.file is None or "HAYATE_CONFIG" in case.env else [written(tmp_path, case.file)]
    status, out, error = check(*named, **case.env, HAYATE_LANG=lang)
    assert (status, out) == (2, "")
    assert len(error.splitlines()) == len(case.says)
    for _, english, japanese in case.says:
        assert (english if lang == "en" else japanese) in error
    assert "Traceback" not in error
    named = [] if case.cured is None else [written(tmp_path, case.cured)]
    status, out, _ = check(*named, **case.cured_env, HAYATE_LANG=lang)
    assert status == 0
    assert out.splitlines()[-1].startswith("OK: no mistake in " if lang == "en" else "OK: ")
    assert ("誤りはありません" in out) == (lang == "ja")


@pytest.mark.parametrize("text", KINDLY_TAKEN.values(), ids=KINDLY_TAKEN)
def test_what_can_only_be_meant_in_one_way_is_taken(tmp_path: Path, text: str) -> None:
    assert check(written(tmp_path, text))[0] == 0, check(written(tmp_path, text))[2]


def test_the_addresses_are_the_engines(tmp_path: Path) -> None:
    for name in ("addresses with the API's path", "Ollama's own paths", "several addresses as one text"):
        shown = check(written(tmp_path, KINDLY_TAKEN[name]))[1].splitlines()[0].rpartition(" at ")[2]
        assert all(each.removeprefix("http://").count("/") == 0 for each in shown.split(", "))


def test_the_file_is_named_in_any_of_three_ways(tmp_path: Path) -> None:
    path = written(tmp_path, ONE)
    found = {check(path), check("--config", path), check("-c", path), check(HAYATE_CONFIG=str(path))}
    assert len(found) == 1
    assert str(path) in found.pop()[1]
    assert check(path, HAYATE_CONFIG="/nowhere")[0] == 0, "an argument counts more"


def test_what_is_odd_is_told_and_is_no_mistake(tmp_path: Path) -> None:
    path = written(tmp_path, "deployments:\n  a: {backend: vllm, replicas: [http://a, http://a]}\n")
    status, out, error = check(path)
    assert status == 0
    assert out.splitlines()[-1] == f"OK: no mistake in {path}"
    assert error.startswith(f"warning: {path}: line 2: deployments.a.replicas.1: http://a is listed twice")
    assert check(path, LANG="ja_JP.UTF-8")[2].startswith("注意: ")


def test_the_names_that_are_there_without_being_configured_are_told(tmp_path: Path) -> None:
    told = check(written(tmp_path, "deployments:\n  a: {backend: vllm, replicas: [http://a]}\n"))[1].splitlines()
    assert [line for line in told if "->" in line] == ["default -> a", "fast -> a", "smart -> a"]


def test_a_folder_is_no_file(tmp_path: Path) -> None:
    assert check(tmp_path)[::2] == (2, f"{tmp_path}: is a folder; name the YAML file in it\n")
    assert "フォルダーです" in check(tmp_path, HAYATE_LANG="ja")[2]


def test_a_file_that_may_not_be_read_is_told_with_what_to_do(tmp_path: Path) -> None:
    path = written(tmp_path, ONE)
    path.chmod(0)
    tmp_path.chmod(0o755)
    someone = os.geteuid()
    if someone == 0:
        os.seteuid(65534)
    try:
        status, _, error = check(path)
    finally:
        os.seteuid(someone)
    assert status == 2
    assert error.endswith("may not be read by this user; allow it (chmod, chown), or run as the user who may\n") or (
        "there is no such file" in error
    ), "the folder above may be closed too"


def test_what_only_the_hub_can_tell_is_left_for_the_start_and_said(tmp_path: Path) -> None:
    path = written(
        tmp_path, "deployments:\n  c: {backend: triton, replicas: [http://c], options: {tokenizer: some/model}}\n"
    )
    status, _, error = check(path)
    assert status == 0
    assert error == (
        "note: deployments.c: the tokenizer some/model comes from the Hub, or its cache here; "
        "whether it can be had is seen at the start\n"
    )


def test_a_tokenizer_that_lies_here_is_read(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    text = f"deployments:\n  c: {{backend: triton, replicas: [http://c], options: {{tokenizer: {tmp_path}/empty}}}}\n"
    status, _, error = check(written(tmp_path, text))
    assert status == 2
    assert "line 2: deployments.c.options.tokenizer: " in error
    assert "has no tokenizer.json" in error or "not installed" in error


@pytest.mark.parametrize("case", [BROKEN[0], BROKEN[-1]], ids=lambda each: each.name)
def test_the_command_itself_tells_it_too(tmp_path: Path, case: Broken) -> None:
    path = written(tmp_path, case.file or b"")
    env = {**case.env, "PYTHONPATH": os.environ.get("PYTHONPATH", ""), "HAYATE_LANG": "ja"}
    named = [] if "HAYATE_CONFIG" in case.env else [path]
    done = subprocess.run(
        [HAYATE, "check-config", *named], env=env, capture_output=True, text=True, timeout=60, check=False
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert len(done.stderr.splitlines()) == len(case.says)


@pytest.mark.parametrize("case", BROKEN, ids=[each.name for each in BROKEN])
def test_what_it_accepts_is_what_a_gateway_is_made_of(tmp_path: Path, case: Broken) -> None:
    path = None if case.cured is None else written(tmp_path, case.cured)
    config = load_config(path, case.cured_env, check=option_mistakes)
    if not list(left_for_the_start(config)):
        create_app(config)


@pytest.mark.anyio
async def test_what_it_accepts_starts(tmp_path: Path) -> None:
    for text in (
        KINDLY_TAKEN["names that YAML takes for something else"],
        KINDLY_TAKEN["sections with nothing in them"],
    ):
        assert check(written(tmp_path, text))[0] == 0
        async with running_gateway(config=text) as gateway:
            assert gateway.url


SHARED = """gpus: {gpu0: {memory: 24GiB}}
deployments:
  fast: {backend: vllm, model: q, run: {command: [vllm, serve, q, --port, "{port}", --key, s3cret]}, gpu: gpu0, memory: 7GiB}
  smart: {backend: llamacpp, model: s.gguf, run: llamacpp, gpu: gpu0, memory: 19.5GiB}
"""


def test_it_says_what_is_run_and_who_shares_a_gpu(tmp_path: Path) -> None:
    status, out, error = check(written(tmp_path, SHARED), HAYATE_LANG="en", PATH=str(tmp_path))
    assert status == 0
    assert error == ("note: deployments.fast.run: vllm is not on this machine, where it would have to be to be run\n")
    assert out.splitlines()[:3] == [
        "fast: vllm q run here (vllm)",
        "smart: llamacpp s.gguf run here (llamacpp)",
        "gpu0: 24 GiB for fast 7 GiB, smart 19.5 GiB: they take turns",
    ]
    status, out, _ = check(written(tmp_path, SHARED.replace("19.5", "17")), HAYATE_LANG="ja")
    assert out.splitlines()[2] == "gpu0: 24 GiB（fast 7 GiB, smart 17 GiB）、同時に収まります"
