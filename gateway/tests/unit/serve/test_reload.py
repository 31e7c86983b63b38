"""From the configuration to what runs."""

from __future__ import annotations

from pathlib import Path

import pytest

from hayate.config.load import load_config
from hayate.serve.reload import call_settings, tick_s
from hayate.settings import RateLimits

FILE = """
deployments:
  slow: {{backend: vllm, replicas: ["http://127.0.0.1:8000"]}}
  quick: {{backend: vllm, replicas: ["http://127.0.0.1:8001"], timeouts: {{{timeouts}}}}}
server: {{{server}}}
"""


@pytest.mark.parametrize(
    ("timeouts", "server", "looked_at_every_s"),
    [
        ("", "", 1.0),
        ("silence_s: 8", "", 1.0),
        ("silence_s: 4", "", 0.5),
        ("first_byte_s: 2", "", 0.25),
        ("total_s: 0.8", "", 0.1),
        ("", "heartbeat_s: 2", 0.25),
        ("", "client_stall_s: 1", 0.125),
        ("silence_s: 0.001", "", 0.02),
        ("connect_s: 0.1", "drain_s: 0.1", 1.0),
    ],
)
def test_streams_are_looked_at_as_often_as_the_shortest_limit_of_a_stream_asks(
    tmp_path: Path, timeouts: str, server: str, looked_at_every_s: float
) -> None:
    path = tmp_path / "config.yaml"
    path.write_text(FILE.format(timeouts=timeouts, server=server), encoding="utf-8")
    assert tick_s(load_config(path, {})) == pytest.approx(looked_at_every_s)


@pytest.mark.parametrize(
    ("host", "openapi", "served"),
    [
        ("127.0.0.1", "null", True),
        ("::1", "null", True),
        ("localhost", "null", True),
        ("0.0.0.0", "null", False),
        ("192.168.1.5", "null", False),
        ("gpu-box", "null", False),
        ("0.0.0.0", "true", True),
        ("127.0.0.1", "false", False),
    ],
)
def test_the_document_is_served_where_only_this_machine_is_listened_to_unless_somebody_says(
    tmp_path: Path, host: str, openapi: str, served: bool
) -> None:
    path = tmp_path / "config.yaml"
    path.write_text(FILE.format(timeouts="", server=f"host: '{host}', openapi: {openapi}"), encoding="utf-8")
    assert call_settings(load_config(path, {})).openapi is served


def test_what_is_listened_on_decides_and_not_what_a_later_file_says(tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    path.write_text(FILE.format(timeouts="", server="host: 127.0.0.1"), encoding="utf-8")
    assert not call_settings(load_config(path, {}), "0.0.0.0").openapi


def test_calls_get_limits_that_compare_with_a_keys_own(tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    path.write_text(FILE.format(timeouts="", server=""), encoding="utf-8")
    assert call_settings(load_config(path, {})).limits == RateLimits()
    text = "limits: {concurrency: 3, burst: 5, models: {slow: {strict: true}}}\n"
    path.write_text(FILE.format(timeouts="", server="") + text, encoding="utf-8")
    settings = call_settings(load_config(path, {}))
    assert settings.limits == RateLimits(concurrency=3)
    assert settings.model_limits == {"slow": RateLimits(strict=True)}
