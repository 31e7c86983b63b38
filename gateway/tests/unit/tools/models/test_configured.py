"""What a configuration says of models."""

from __future__ import annotations

from pathlib import Path

from hayate.tools.models.configured import deployments, ollamas

FILE = """
deployments:
  small: {backend: ollama, model: "qwen2.5:0.5b", replicas: ["http://a:11434", "http://b:11434"], api_key: secret}
  large: {backend: ollama, model: "qwen2.5:7b", replicas: "http://c:11434"}
  other: {backend: vllm, model: o/r, replicas: "http://d:8000"}
"""


def test_deployments_with_their_models_and_addresses(tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    path.write_text(FILE, encoding="utf-8")
    found = deployments(path, {})
    assert (found["small"].model, found["small"].key, found["other"].backend) == ("qwen2.5:0.5b", "secret", "vllm")
    assert ollamas(found, "qwen2.5:7b") == {"http://c:11434": None}
    assert list(ollamas(found, "another:1b")) == ["http://a:11434", "http://b:11434", "http://c:11434"]


def test_the_environment_alone_says_it_too() -> None:
    env = {"LLM_BACKEND": "ollama", "BACKEND_URL": "http://box:11434", "MODEL": "qwen2.5:7b"}
    assert ollamas(deployments(None, env), "x") == {"http://box:11434": None}
    assert ollamas(deployments(None, {}), "x") == {}
