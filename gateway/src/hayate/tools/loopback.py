"""This machine's own names: what is sent there stays here."""

from __future__ import annotations

LOOPBACK = ("127.0.0.1", "localhost", "::1")
