"""Models that only the Hub knows: what is asked of it, what is not, and what its refusals become."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from hayate.tools.planner.arithmetic import Attention
from hayate.tools.planner.facts import FactsMissing
from hayate.tools.planner.hub_facts import facts_from_hub
from tests.support.hub_stand_in import COMMIT, HubStandIn, hub_stand_in
from tests.unit.tools.planner.test_config_json import QWEN

CONFIG = json.dumps(QWEN).encode()
REPOSITORIES = {
    "a/whole": {"config.json": CONFIG, "model.safetensors": bytes(700), "README.md": b"hello"},
    "a/sharded": {
        "config.json": CONFIG,
        "model.safetensors.index.json": json.dumps({"metadata": {"total_size": 24_495_564_800}}).encode(),
        "model-00001-of-00002.safetensors": bytes(10),
        "model-00002-of-00002.safetensors": bytes(10),
        "consolidated.safetensors": bytes(20),
    },
    "a/twice": {"config.json": CONFIG, "model.safetensors": bytes(700), "consolidated.safetensors": bytes(700)},
    "a/gguf": {"x-Q4_K_M.gguf": b"GGUF"},
    "a/bare": {"config.json": CONFIG},
    "a/empty": {"README.md": b""},
    "a/closed": {"config.json": CONFIG, "model.safetensors": bytes(700)},
}


def env(hub: HubStandIn, home: Path, **more: str) -> dict[str, str]:
    return {"HF_ENDPOINT": hub.url, "HF_HOME": str(home), **more}


def test_a_model_is_read_from_its_config_and_the_sizes_of_its_files(tmp_path: Path) -> None:
    with hub_stand_in(REPOSITORIES) as hub:
        model = facts_from_hub("a/whole", env(hub, tmp_path))
        assert not [request for request in hub.requests if "safetensors" in request]
    assert model.attention == (Attention(28, 4, 128, 128),)
    assert (model.id, model.weight_bytes) == ("a/whole", 700)
    assert COMMIT in model.source


def test_an_index_states_the_size_of_a_set(tmp_path: Path) -> None:
    with hub_stand_in(REPOSITORIES) as hub:
        assert facts_from_hub("a/sharded", env(hub, tmp_path)).weight_bytes == 24_495_564_800


def test_a_second_copy_of_the_weights_is_not_counted(tmp_path: Path) -> None:
    with hub_stand_in(REPOSITORIES) as hub:
        assert facts_from_hub("a/twice", env(hub, tmp_path)).weight_bytes == 700


def test_the_token_opens_a_closed_model_and_is_in_no_message(tmp_path: Path) -> None:
    with hub_stand_in(REPOSITORIES, token="hf_right") as hub:
        assert facts_from_hub("a/closed", env(hub, tmp_path, HF_TOKEN="hf_right")).weight_bytes == 700
        assert hub.authorizations == {"Bearer hf_right"}
        with pytest.raises(FactsMissing) as refused:
            facts_from_hub("a/closed", env(hub, tmp_path / "other", HF_TOKEN="hf_wrong"))
    assert "hf_wrong" not in refused.value.english + refused.value.japanese


def test_a_gated_model_asks_for_consent(tmp_path: Path) -> None:
    with (
        hub_stand_in(REPOSITORIES, gated=frozenset({"a/closed"})) as hub,
        pytest.raises(FactsMissing, match="HF_TOKEN"),
    ):
        facts_from_hub("a/closed", env(hub, tmp_path))


@pytest.mark.parametrize(
    ("repo", "said"),
    [
        ("a/unknown", "nor on the Hub"),
        ("a/gguf", "holds GGUF files"),
        ("a/empty", r"no config\.json"),
        ("a/bare", "no weight files"),
        ("a/..", "neither in the catalogue nor a path"),
    ],
)
def test_what_can_not_be_planned_says_why(tmp_path: Path, repo: str, said: str) -> None:
    with hub_stand_in(REPOSITORIES) as hub, pytest.raises(FactsMissing, match=said):
        facts_from_hub(repo, env(hub, tmp_path))


def test_a_hub_that_fails_is_told_from_a_model_that_is_not_there(tmp_path: Path) -> None:
    with hub_stand_in(REPOSITORIES, status=418) as hub, pytest.raises(FactsMissing, match="HTTP 418"):
        facts_from_hub("a/whole", env(hub, tmp_path))


def test_a_page_that_is_no_hub_is_said(tmp_path: Path) -> None:
    page = b"<html>please sign in</html>"
    with hub_stand_in(REPOSITORIES, page=page) as hub, pytest.raises(FactsMissing, match="can't be asked"):
        facts_from_hub("a/whole", env(hub, tmp_path))


def test_a_hub_that_can_not_be_reached_is_said(tmp_path: Path) -> None:
    with hub_stand_in(REPOSITORIES) as hub:
        closed = env(hub, tmp_path)
    with pytest.raises(FactsMissing, match="can't be asked"):
        facts_from_hub("a/whole", closed)


def test_offline_only_the_cache_is_looked_into(tmp_path: Path) -> None:
    snapshot = tmp_path / "hub/models--a--whole/snapshots" / COMMIT
    snapshot.mkdir(parents=True)
    refs = tmp_path / "hub/models--a--whole/refs"
    refs.mkdir()
    (refs / "main").write_text(COMMIT)
    (snapshot / "config.json").write_bytes(CONFIG)
    (snapshot / "pytorch_model.bin").write_bytes(bytes(321))
    with hub_stand_in(REPOSITORIES) as hub:
        offline = env(hub, tmp_path, HF_HUB_OFFLINE="1")
        assert facts_from_hub("a/whole", offline).weight_bytes == 321
        with pytest.raises(FactsMissing, match="not cached"):
            facts_from_hub("a/sharded", offline)
        assert hub.requests == []
