"""The contenders' own environments, made once under .bench/ of the checkout: venvs and an unpacked nginx.

Nothing of the machine is changed, and nothing is shared with the gateway's own environment.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from importlib.metadata import distributions
from pathlib import Path

INSTALL_TIMEOUT_S = 900


class Unavailable(Exception):
    """A contender can't take part; the text says why."""


def _run(argv: list[str], cwd: Path | None = None) -> str:
    """The output of a command that must succeed."""
    try:
        done = subprocess.run(argv, cwd=cwd, capture_output=True, text=True, timeout=INSTALL_TIMEOUT_S, check=False)
    except OSError as error:
        raise Unavailable(f"{argv[0]}: {error.strerror}") from None
    except subprocess.TimeoutExpired:
        raise Unavailable(f"{Path(argv[0]).name} took longer than {INSTALL_TIMEOUT_S} s") from None
    if done.returncode:
        lines = [line for line in (done.stdout + done.stderr).splitlines() if line.strip()]
        raise Unavailable((lines[-1] if lines else f"exit code {done.returncode}")[:200])
    return done.stdout + done.stderr


def site_packages(venv: Path) -> Path:
    """Where a virtual environment keeps its packages."""
    return next(iter((venv / "lib").glob("python3*/site-packages")), venv)


def installed_version(venv: Path, name: str) -> str | None:
    """The version of a distribution in a virtual environment; None when it is not there."""
    found = (each for each in distributions(path=[str(site_packages(venv))]) if each.name.lower() == name)
    return next((each.version for each in found), None)


def pip_environment(home: Path, name: str, extra: str, version: str) -> Path:
    """A virtual environment with one package at `version`; if its index can't resolve that, the newest before it."""
    venv = home / name
    marker = venv / f".installed-{version}"
    if marker.exists():
        return venv
    shutil.rmtree(venv, ignore_errors=True)
    print(f"  installing {name} {version} in {venv} (the first time only) ...", flush=True)
    _run([sys.executable, "-m", "venv", str(venv)])
    install = [str(venv / "bin/python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    try:
        _run([*install, f"{name}{extra}=={version}"])
    except Unavailable as reason:
        print(f"  {name} {version} can't be installed ({reason}); trying the newest before it ...", flush=True)
        _run([*install, f"{name}{extra}<{version}"])
    marker.touch()
    return venv


def nginx_binary(home: Path) -> Path:
    """The machine's nginx, else Debian's package unpacked: not installed, so that no service starts."""
    path = os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin", "/usr/local/sbin"])
    if found := shutil.which("nginx", path=path):
        return Path(found)
    unpacked = home / "nginx-debian"
    binary = unpacked / "root/usr/sbin/nginx"
    if not binary.exists():
        if not (shutil.which("apt-get") and shutil.which("dpkg")):
            raise Unavailable("nginx is not installed")
        _download_nginx(unpacked)
    _run([str(binary), "-v"])
    return binary


def _download_nginx(unpacked: Path) -> None:
    print("  unpacking Debian's nginx (the first time only) ...", flush=True)
    unpacked.mkdir(parents=True, exist_ok=True)
    try:
        _run(["apt-get", "download", "nginx"], cwd=unpacked)
    except Unavailable:
        if os.geteuid() != 0:
            raise Unavailable(
                "nginx is not installed, and apt-get can't download it without `apt-get update` (root)"
            ) from None
        _run(["apt-get", "update"])
        _run(["apt-get", "download", "nginx"], cwd=unpacked)
    package = max(unpacked.glob("nginx_*.deb"))
    _run(["dpkg", "-x", str(package), str(unpacked / "root")])
