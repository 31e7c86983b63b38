"""A real nginx in front of a gateway, as people put one there: the gateway in a folder of a host that has other things too."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from tests.support.ports import free_port
from tests.support.proxies import listening, program

CONFIG = """
daemon off;
master_process off;
pid {home}/nginx.pid;
error_log {home}/error.log;
events {{}}
http {{
  access_log off;
  client_body_temp_path {home}/body;
  proxy_temp_path {home}/proxy;
  fastcgi_temp_path {home}/fastcgi;
  uwsgi_temp_path {home}/uwsgi;
  scgi_temp_path {home}/scgi;
  server {{
    listen 127.0.0.1:{port};
    location {folder} {{
      proxy_pass {gateway}/;
      proxy_http_version 1.1;
      {more}
    }}
  }}
}}
"""


@asynccontextmanager
async def running_nginx(gateway: str, home: Path, *, folder: str = "/llm/", more: str = "") -> AsyncIterator[str]:
    """Serves `gateway` at the URL that is given back; `more` are directives of the location."""
    nginx, port = program("nginx"), free_port()
    text = CONFIG.format(home=home, port=port, folder=folder, gateway=gateway, more=more)
    (home / "nginx.conf").write_text(text, encoding="utf-8")
    command = [nginx, "-p", str(home), "-e", str(home / "error.log"), "-c", str(home / "nginx.conf")]
    async with listening(command, port, home, os.environ):
        yield f"http://127.0.0.1:{port}{folder}"
