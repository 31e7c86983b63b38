"""The proxies that people put in front of a gateway, each run for real from its file in examples/reverse-proxy.

Of the file only what every user puts in is another: the host's name, the certificate, and where the gateway listens.
"""

from __future__ import annotations

import asyncio
import os
import shutil
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from tests.support.gateway import RunningGateway
from tests.support.ports import free_port
from tests.support.waiting import eventually

FILES = Path(__file__).parents[3] / "examples/reverse-proxy"
PROXIES = ("nginx", "caddy")
_NGINX = """daemon off;
master_process off;
pid {home}/nginx.pid;
error_log {home}/log;
events {{}}
http {{
  access_log off;
  client_body_temp_path {home}/body;
  proxy_temp_path {home}/proxy;
  fastcgi_temp_path {home}/fastcgi;
  uwsgi_temp_path {home}/uwsgi;
  scgi_temp_path {home}/scgi;
{file}
}}
"""


def program(name: str) -> str:
    """Where the proxy is installed; without it the test is skipped."""
    found = shutil.which(name) or shutil.which(name, path="/usr/sbin")
    if found is None:
        pytest.skip(f"no {name}: apt-get install {'nginx-light' if name == 'nginx' else name}")
    return found


def example(file: str, changes: Mapping[str, str]) -> str:
    """The text of a file, with what a user puts in; each of it stands there once."""
    text = (FILES / file).read_text(encoding="utf-8")
    for before, after in changes.items():
        assert text.count(before) == 1, f"{file} has not one {before!r}"
        text = text.replace(before, after)
    return text


def nginx_file(home: Path, gateway: RunningGateway, port: int) -> tuple[str, str]:
    """The whole configuration with the example in it; without a certificate, because the tests speak no TLS."""
    text = example("nginx.conf", {"127.0.0.1:8080": f"127.0.0.1:{gateway.port}", "443 ssl": f"127.0.0.1:{port}"})
    kept = "\n".join(line for line in text.split("\n") if not line.strip().startswith("ssl_"))
    return "nginx.conf", _NGINX.format(home=home, file=kept)


def caddy_file(home: Path, gateway: RunningGateway, port: int) -> tuple[str, str]:
    """The example for a host that is plain HTTP; Caddy's own port for changes is off."""
    changes = {
        "127.0.0.1:8080": f"127.0.0.1:{gateway.port}",
        "llm.example.com {": f"http://:{port} {{\n\tbind 127.0.0.1",
    }
    options = f"{{\n\tadmin off\n\tauto_https off\n\tlog {{\n\t\toutput file {home}/log\n\t}}\n}}\n"
    return "Caddyfile", options + example("Caddyfile", changes)


@asynccontextmanager
async def running_proxy(name: str, gateway: RunningGateway, home: Path) -> AsyncIterator[str]:
    """Serves the gateway in the folder /llm/ of the host whose URL is given back."""
    port = free_port()
    file, text = (nginx_file if name == "nginx" else caddy_file)(home, gateway, port)
    (home / file).write_text(text, encoding="utf-8")
    if name == "nginx":
        command = [program(name), "-p", str(home), "-e", str(home / "log"), "-c", str(home / file)]
    else:
        command = [program(name), "run", "--adapter", "caddyfile", "--config", str(home / file)]
    env = {"PATH": os.environ["PATH"], "HOME": str(home), "XDG_DATA_HOME": str(home), "XDG_CONFIG_HOME": str(home)}
    async with listening(command, port, home, env):
        yield f"http://127.0.0.1:{port}"


@asynccontextmanager
async def listening(command: Sequence[str], port: int, home: Path, env: Mapping[str, str]) -> AsyncIterator[None]:
    """The proxy's process, once it takes connections at the port; what it says is kept in `said`."""
    with (home / "said").open("wb") as said:
        process = await asyncio.create_subprocess_exec(*command, env=dict(env), stdout=said, stderr=said)
    try:
        await eventually(lambda: _listens(port, process, home))
        yield
    finally:
        if process.returncode is None:
            process.terminate()
        await process.wait()


async def _listens(port: int, process: asyncio.subprocess.Process, home: Path) -> bool:
    assert process.returncode is None, (home / "said").read_text(encoding="utf-8")
    try:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
    except OSError:
        return False
    writer.close()
    return True
