"""This machine's own names: what is sent there stays here."""

from __future__ import annotations

LOOPBACK = ("127.0.0.1", "localhost", "::1")
WILDCARDS = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}  # noqa: S104  recognised, not bound
"""Every address of this machine, as a place to listen; and the one of them that it can call itself at."""
