"""A model's own tokenizer files render its prompts and count its tokens; a template can do nothing else."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from hayate.backends.tokenizer import ModelTokenizer, TokenizerError, load_tokenizer
from hayate.errors import InvalidRequest
from tests.support.hub_stand_in import hub_stand_in
from tests.support.waiting import LAST_RESORT_S

TINY = Path(__file__).parents[4] / "llm/tiny/tiny-qwen2"
HELLO = [{"role": "user", "content": "日本語で答えて"}]
PROMPT = (
    "<|im_start|>system\nYou are Qwen, created by Alibaba Cloud. You are a helpful assistant.<|im_end|>\n"
    "<|im_start|>user\n日本語で答えて<|im_end|>\n<|im_start|>assistant\n"
)


def with_template(folder: Path, template: str | None, **settings: Any) -> ModelTokenizer:
    """The tiny model's tokens under another template."""
    (folder / "tokenizer.json").write_bytes((TINY / "tokenizer.json").read_bytes())
    (folder / "tokenizer_config.json").write_text(json.dumps(settings), encoding="utf-8")
    if template is not None:
        (folder / "chat_template.jinja").write_text(template, encoding="utf-8")
    return load_tokenizer(str(folder))


def test_the_tiny_model_s_prompt_and_its_tokens_are_the_engines_own() -> None:
    tiny = load_tokenizer(str(TINY))
    prompt = tiny.render([*HELLO])
    assert prompt == PROMPT
    assert tiny.count(prompt) == 65  # what vLLM and llama.cpp report
    assert tiny.count("") == 0
    assert tiny.begins_with == ""


def test_templates_have_what_hugging_face_gives_them(tmp_path: Path) -> None:
    template = """
    {%- if messages[0].role == 'nobody' %}{{ raise_exception('no such role') }}{% endif %}
    {%- for m in messages %}
        {%- if loop.first %}{{ bos_token }}{% endif %}
        {%- if m.role == 'skip' %}{% continue %}{% endif %}
        {% generation %}{{ m | tojson }}{% endgeneration %}
    {%- endfor %}
    {{- strftime_now('%Y') | length }}{{ mood }}{{ add_generation_prompt -}}
    """
    model = with_template(tmp_path, template, bos_token={"content": "<|im_start|>"}, eos_token="<|im_end|>")
    messages = [{"role": "skip"}, {"content": "東京 <b>", "role": "user"}]
    text = model.render(messages, mood="kind")
    assert text == '<|im_start|>{"content": "東京 <b>", "role": "user"}4kindTrue'
    with pytest.raises(InvalidRequest, match="no such role") as refusal:
        model.render([{"role": "nobody"}])
    assert refusal.value.param == "messages"


@pytest.mark.parametrize(
    "attack",
    [
        "{{ messages.__class__.__mro__ }}",
        "{{ ''.__class__.__base__.__subclasses__() }}",
        "{{ messages.append({}) }}",
        "{{ messages[0].clear() }}",
        "{{ cycler.__init__.__globals__ }}",
        "{{ raise_exception.__globals__ }}",
        "{% include '/etc/passwd' %}",
    ],
)
def test_a_template_stays_in_its_sandbox(tmp_path: Path, attack: str) -> None:
    model = with_template(tmp_path, attack)
    given = [{"role": "user", "content": "a"}]
    try:
        text = model.render(given)
    except InvalidRequest:
        text = ""
    assert "class" not in text
    assert "root:" not in text
    assert given == [{"role": "user", "content": "a"}]


@pytest.mark.parametrize(
    "found",
    [
        "{{ messages[0].content }}",
        [{"name": "tool_use", "template": "no"}, {"name": "default", "template": "{{ messages[0].content }}"}],
    ],
)
def test_a_template_in_the_configuration_is_found(tmp_path: Path, found: Any) -> None:
    assert with_template(tmp_path, None, chat_template=found).render([*HELLO]) == "日本語で答えて"


def test_the_older_json_file_is_found(tmp_path: Path) -> None:
    (tmp_path / "chat_template.json").write_text('{"chat_template": "old"}', encoding="utf-8")
    assert with_template(tmp_path, None).render([*HELLO]) == "old"


def test_a_model_without_a_template_says_so(tmp_path: Path) -> None:
    with pytest.raises(InvalidRequest, match="/v1/completions"):
        with_template(tmp_path, None).render([*HELLO])


def test_a_template_that_stumbles_over_the_messages_is_the_caller_s_mistake(tmp_path: Path) -> None:
    model = with_template(tmp_path, "{{ messages[0].content + 5 }}")
    with pytest.raises(InvalidRequest, match="refuses these messages"):
        model.render([*HELLO])


def test_a_beginning_that_the_tokenizer_adds_itself_is_known(tmp_path: Path) -> None:
    tokenizer = json.loads((TINY / "tokenizer.json").read_text(encoding="utf-8"))
    number = next(each["id"] for each in tokenizer["added_tokens"] if each["content"] == "<|im_start|>")
    tokenizer["post_processor"] = {
        "type": "TemplateProcessing",
        "single": [{"SpecialToken": {"id": "<|im_start|>", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}}],
        "pair": [{"Sequence": {"id": "A", "type_id": 0}}, {"Sequence": {"id": "B", "type_id": 1}}],
        "special_tokens": {"<|im_start|>": {"id": "<|im_start|>", "ids": [number], "tokens": ["<|im_start|>"]}},
    }
    (tmp_path / "tokenizer.json").write_text(json.dumps(tokenizer), encoding="utf-8")
    (tmp_path / "tokenizer_config.json").write_text('{"bos_token": "<|im_start|>"}', encoding="utf-8")
    model = load_tokenizer(str(tmp_path))
    assert model.begins_with == "<|im_start|>"
    assert model.count("Hello") == load_tokenizer(str(TINY)).count("Hello"), "prompts are counted as they are"


@pytest.mark.parametrize(
    ("files", "text"),
    [
        ({}, "has no tokenizer.json"),
        ({"tokenizer.json": "{"}, "can't be read"),
        ({"tokenizer.json": None, "tokenizer_config.json": "[broken"}, "tokenizer_config.json can't be read"),
        ({"tokenizer.json": None, "chat_template.jinja": "{% if %}"}, "the chat template in"),
    ],
)
def test_files_that_can_not_be_used_are_told(tmp_path: Path, files: dict[str, str | None], text: str) -> None:
    for name, content in files.items():
        data = (TINY / name).read_bytes() if content is None else content.encode()
        (tmp_path / name).write_bytes(data)
    with pytest.raises(TokenizerError, match=text):
        load_tokenizer(str(tmp_path))


@pytest.mark.parametrize("source", ["/nowhere/at/all", "./nowhere", "a/b/c"])
def test_a_folder_that_is_not_there_is_not_looked_for_on_the_hub(source: str) -> None:
    with pytest.raises(TokenizerError, match=r"is no folder; name the one"):
        load_tokenizer(source)


REPOSITORIES = {
    "tiny/qwen2": {path.name: path.read_bytes() for path in TINY.iterdir() if path.suffix != ".safetensors"}
}
COUNT = """
import sys
from hayate.backends.tokenizer import TokenizerError, load_tokenizer
try:
    print(load_tokenizer(sys.argv[1]).count("日本語で答えて"))
except TokenizerError as error:
    print(error)
"""


def counted_from_the_hub(folder: Path, model: str) -> tuple[str, list[str]]:
    """What a process says that fetches from the Hub's stand-in with the real client, and what it asked for."""
    with hub_stand_in(REPOSITORIES) as hub:
        env = {"HF_ENDPOINT": hub.url, "HF_HOME": str(folder), "HF_HUB_DISABLE_XET": "1"}
        ended = subprocess.run(
            [sys.executable, "-c", COUNT, model],
            check=True,
            capture_output=True,
            text=True,
            timeout=LAST_RESORT_S,
            env=env,
        )
        return ended.stdout.strip(), hub.requests


def test_a_model_of_the_hub_is_fetched_without_its_weights(tmp_path: Path) -> None:
    said, requests = counted_from_the_hub(tmp_path, "tiny/qwen2")
    assert said == str(load_tokenizer(str(TINY)).count("日本語で答えて"))
    assert any("tokenizer.json" in request for request in requests)
    assert not any("config.json" in request and "tokenizer" not in request for request in requests)


def test_a_model_that_the_hub_does_not_have_is_told_in_one_line(tmp_path: Path) -> None:
    said, _ = counted_from_the_hub(tmp_path, "nobody/nothing")
    assert said.startswith("nobody/nothing is no folder, and the Hub does not give it: ")
    assert "\n" not in said
