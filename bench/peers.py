"""The contenders: what each is, how it is started in front of the stub engine, and nothing about how it is measured.

The rule: each as its own users run it, one worker, with logs and checks as its documentation recommends for production
or lighter; Hayate alone carries its full load (authentication, accounting, metrics, call log).
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar

from bench.dialogue import MODEL
from bench.environments import Unavailable, installed_version, nginx_binary, pip_environment
from bench.processes import free_port

VENV_BIN = Path(sys.prefix) / "bin"


@dataclass(frozen=True, slots=True)
class Site:
    """Where a contender is to stand: its own folder, port, key, and the engine behind it."""

    home: Path
    port: int
    engine_port: int
    key: str

    @property
    def engine_url(self) -> str:
        """The stub engine."""
        return f"http://127.0.0.1:{self.engine_port}"


@dataclass(frozen=True, slots=True)
class Command:
    """What starts a contender."""

    argv: list[str]
    env: Mapping[str, str] = field(default_factory=dict)


class Contender:
    """One line of the table."""

    name: ClassVar[str]
    label: ClassVar[str]
    start_s: ClassVar[float] = 60.0
    """How long it may take to answer its first request."""
    heavy: ClassVar[bool] = False
    """So slow that 1,000 streams would only measure its queue: it holds 100, and sits the 2,000-stream run out."""

    keeps_books: ClassVar[bool] = False
    """Its standard output is its call log, and its /metrics counts tokens: both are held against what the client saw."""

    def prepare(self, home: Path) -> None:
        """Make its environment under `home`. Raises Unavailable."""

    def version(self) -> str:
        """What is measured."""
        return ""

    def command(self, site: Site) -> Command | None:
        """How it is started; None when nothing stands between client and engine."""
        raise NotImplementedError

    def key(self, site: Site) -> str:
        """What calls carry, once it answers."""
        return site.key


class Direct(Contender):
    """No gateway: what the client and the stub cost by themselves."""

    name, label = "direct", "direct line (no gateway)"

    def command(self, site: Site) -> Command | None:
        return None


class Nginx(Contender):
    """The floor: a proxy in C that knows nothing of tokens, keys or accounts, its access log off."""

    name, label = "nginx", "nginx {version}, proxy_buffering off"
    _binary: Path

    def prepare(self, home: Path) -> None:
        self._binary = nginx_binary(home)

    def version(self) -> str:
        done = subprocess.run([self._binary, "-v"], capture_output=True, text=True, check=False)
        return (done.stderr + done.stdout).strip().rpartition("/")[2]

    def command(self, site: Site) -> Command:
        site.home.mkdir(parents=True, exist_ok=True)
        config = site.home / "nginx.conf"
        config.write_text(self._config(site))
        return Command([str(self._binary), "-p", str(site.home), "-c", str(config), "-e", "stderr"])

    def _config(self, site: Site) -> str:
        temporary = "\n".join(
            f"  {kind}_temp_path {site.home}/{kind};" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
        )
        return f"""
{"user root;" if os.geteuid() == 0 else ""}
daemon off;
worker_processes 1;
pid {site.home}/nginx.pid;
error_log stderr warn;
events {{ worker_connections 32768; }}
http {{
  access_log off;
{temporary}
  keepalive_requests 1000000000;
  upstream engine {{ server 127.0.0.1:{site.engine_port}; keepalive 4096; keepalive_requests 1000000000; }}
  server {{
    listen 127.0.0.1:{site.port} backlog=4096;
    location / {{
      proxy_pass http://engine;
      proxy_http_version 1.1;
      proxy_set_header Connection "";
      proxy_buffering off;
      proxy_read_timeout 600s;
    }}
  }}
}}
"""


class SglangRouter(Contender):
    """SGLang's router in Rust."""

    name, label = "sglang-router", "sglang-router {version} (Rust), round_robin"
    pinned: ClassVar[str] = "0.3.2"
    _venv: Path

    def prepare(self, home: Path) -> None:
        self._venv = pip_environment(home, self.name, "", self.pinned)

    def version(self) -> str:
        return installed_version(self._venv, self.name) or "?"

    def command(self, site: Site) -> Command:
        python = str(self._venv / "bin/python")
        return Command([python, "-m", "sglang_router.launch_router", *_router_arguments(site), "--log-level", "warn"])


class VllmRouter(Contender):
    """vLLM's router in Rust."""

    name, label = "vllm-router", "vllm-router {version} (Rust), round_robin"
    pinned: ClassVar[str] = "0.1.17"
    _venv: Path

    def prepare(self, home: Path) -> None:
        self._venv = pip_environment(home, self.name, "", self.pinned)

    def version(self) -> str:
        return installed_version(self._venv, self.name) or "?"

    def command(self, site: Site) -> Command:
        return Command([str(self._venv / "bin/vllm-router"), *_router_arguments(site), "--log-level", "warning"])


def _router_arguments(site: Site) -> list[str]:
    listening = [
        "--host",
        "127.0.0.1",
        "--port",
        str(site.port),
        "--prometheus-host",
        "127.0.0.1",
        "--prometheus-port",
        str(free_port()),
    ]
    return [*listening, "--worker-urls", site.engine_url, "--policy", "round_robin"]


class LiteLLM(Contender):
    """LiteLLM's proxy without a database: its lightest way to run. It does not start without a master key."""

    name, label = "litellm", "litellm {version} (Python)"
    pinned: ClassVar[str] = "1.109.1"
    start_s, heavy = 120.0, True
    _venv: Path

    def prepare(self, home: Path) -> None:
        self._venv = pip_environment(home, self.name, "[proxy]", self.pinned)

    def version(self) -> str:
        return installed_version(self._venv, self.name) or "?"

    def command(self, site: Site) -> Command:
        site.home.mkdir(parents=True, exist_ok=True)
        config = site.home / "config.yaml"
        config.write_text(f"""
model_list:
  - model_name: {MODEL}
    litellm_params: {{ model: openai/{MODEL}, api_base: {site.engine_url}/v1, api_key: {site.key} }}
litellm_settings: {{ telemetry: false, num_retries: 0 }}
""")
        argv = [
            str(self._venv / "bin/litellm"),
            "--config",
            str(config),
            "--host",
            "127.0.0.1",
            "--port",
            str(site.port),
            "--num_workers",
            "1",
        ]
        quiet = {"LITELLM_LOCAL_MODEL_COST_MAP": "True", "LITELLM_LOG": "ERROR", "LITELLM_MODE": "PRODUCTION"}
        return Command(argv, {**quiet, "LITELLM_MASTER_KEY": site.key})


class Hayate(Contender):
    """This gateway, as `hayate serve` starts it: key check, limits, accounting, metrics and call log on.

    A rate limit is set too high to be reached, so that every call is counted against it; and nobody waits, for the stub has no
    limit to be found.
    """

    name, label = "hayate", "**Hayate {version}**"
    keeps_books = True
    places: ClassVar[int] = 4096

    def prepare(self, home: Path) -> None:
        if not (VENV_BIN / "hayate").exists():
            raise Unavailable(f"no hayate command in {VENV_BIN}: run `make setup`")

    def version(self) -> str:
        return installed_version(Path(sys.prefix), self.name) or "?"

    def command(self, site: Site) -> Command:
        site.home.mkdir(parents=True, exist_ok=True)
        config = site.home / "config.yaml"
        config.write_text(f"""
server: {{ max_connections: {2 * self.places} }}
deployments:
  {MODEL}:
    backend: openai
    model: {MODEL}
    replicas: [{site.engine_url}]
    max_in_flight: {self.places}
aliases: {{ default: {MODEL} }}
limits: {{ requests_per_minute: 1000000000 }}
""")
        env = {
            "HAYATE_CONFIG": str(config),
            "HAYATE_PORT": str(site.port),
            "HAYATE_HOST": "127.0.0.1",
            "HAYATE_API_KEY": site.key,
            "HAYATE_DATA": str(site.home / "data"),
            "PYTHONDONTWRITEBYTECODE": "",  # a start finds what the one before it has compiled, whatever the shell says
        }
        return Command([str(VENV_BIN / "hayate"), "serve"], env)


def all_contenders() -> list[Contender]:
    """Every contender, in the order of the table."""
    return [Direct(), Nginx(), SglangRouter(), VllmRouter(), LiteLLM(), Hayate()]
