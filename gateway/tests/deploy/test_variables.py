"""The variables are the same wherever they are listed: the code, both READMEs' tables, compose.yml and .env.example."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from hayate.access.key_files import ADMIN, MAIN
from hayate.config.environment import CONTAINER, VARIABLES
from hayate.language import VARIABLES as LANGUAGE

REPOSITORY = Path(__file__).parents[3]
SOURCE = REPOSITORY / "gateway/src"
UNTOLD = {
    "HAYATE_WORKERS": "there is one worker",
    "HAYATE_CONTAINER": "the image's own",
    "HAYATE_MODELS": "an option of `hayate models` and `hayate plan`",
    "HAYATE_MODELS_DIR": "an option of `hayate pull` and `hayate rm`",
    "OLLAMA_CONTEXT_LENGTH": "Ollama's own variable, told with its launch files",
    "OLLAMA_NUM_PARALLEL": "likewise",
}
"""What the README's table leaves out, and why."""
FIXED = {
    "HAYATE_HOST": "within the container every address; where it is published is compose's",
    "HAYATE_PORT": "likewise",
    "HAYATE_DATA": "the image's: a volume",
}
"""What compose does not pass on, and why."""


def read_by_code() -> set[str]:
    """What the gateway and its commands read."""
    return {*VARIABLES, MAIN.variable, ADMIN.variable, LANGUAGE[0], "HF_TOKEN", "HAYATE_MODELS", "HAYATE_MODELS_DIR"}


def table(readme: str) -> set[str]:
    text = (REPOSITORY / readme).read_text(encoding="utf-8")
    rows = re.search(r"^\| (?:variable|環境変数) \|.*?\n\n", text, re.MULTILINE | re.DOTALL)
    assert rows is not None
    return {name for row in rows[0].split("\n")[2:-2] for name in re.findall(r"`([A-Z][A-Z_]+)`", row.split("|")[1])}


def passed_by_compose() -> set[str]:
    services = yaml.safe_load((REPOSITORY / "compose.yml").read_text(encoding="utf-8"))["services"]
    return set(services["gateway"]["environment"])


@pytest.mark.parametrize("readme", ["README.md", "README.ja.md"])
def test_the_readmes_table_is_what_the_code_reads(readme: str) -> None:
    assert table(readme) == read_by_code() - set(UNTOLD)


def test_every_variable_that_the_code_names_is_on_the_list() -> None:
    named = {
        name
        for path in SOURCE.rglob("*.py")
        for name in re.findall(r"\bHAYATE_[A-Z_]+[A-Z]\b", path.read_text(encoding="utf-8"))
    }
    assert named - {"HAYATE_CHART"} == {name for name in read_by_code() if name.startswith("HAYATE_")}


def test_compose_passes_on_every_variable_of_the_table() -> None:
    assert table("README.md") - set(FIXED) <= passed_by_compose()
    assert set(FIXED) <= table("README.md")


def test_env_example_offers_every_variable_of_the_table() -> None:
    text = (REPOSITORY / ".env.example").read_text(encoding="utf-8")
    offered = set(re.findall(r"^#?([A-Z][A-Z0-9_]*)=", text, re.MULTILINE))
    assert table("README.md") - {"HAYATE_DATA"} <= offered


def test_the_file_of_the_host_is_the_file_of_the_container() -> None:
    gateway = yaml.safe_load((REPOSITORY / "compose.yml").read_text(encoding="utf-8"))["services"]["gateway"]
    inside = gateway["environment"]["HAYATE_CONFIG"]
    assert f"${{HAYATE_CONFIG:-/dev/null}}:{inside}:ro" in gateway["volumes"]


def test_the_image_says_that_it_is_one() -> None:
    text = (REPOSITORY / "gateway/Dockerfile").read_text(encoding="utf-8")
    said = dict(re.findall(r"\b(HAYATE_[A-Z]+)=(\S+)", text))
    assert said.keys() <= read_by_code()
    assert said[CONTAINER]
