"""Which engine a deployment gets, and what the log says of it."""

from __future__ import annotations

from hayate.config.load import load_config
from hayate.serve.engines import preloaded

FILE = """
deployments:
  a: {backend: vllm, replicas: http://a:1}
  b: {backend: vllm, replicas: http://b:1}
aliases: {fast: [b, a]}
preload: [fast]
"""


def test_of_an_alias_the_first_is_preloaded(tmp_path) -> None:  # type: ignore[no-untyped-def]
    path = tmp_path / "config.yaml"
    path.write_text(FILE, encoding="utf-8")
    assert preloaded(load_config(path, {})) == {"b"}
