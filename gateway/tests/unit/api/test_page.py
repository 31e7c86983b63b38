"""The page: its files, under a policy that lets nothing in from outside, and no other file."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import hayate
from tests.support.http import fetch
from tests.support.scene import Stage

pytestmark = pytest.mark.anyio


STATIC = Path(hayate.__file__).parent / "static"


async def test_the_page_lets_nothing_in_from_outside(stage: Stage) -> None:
    page = await fetch(stage.url, "/")
    assert page.status == 200
    policy = page.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert "http" not in policy
    assert "frame-ancestors 'none'" in policy
    assert page.headers["x-content-type-options"] == "nosniff"
    assert page.headers["referrer-policy"] == "no-referrer"
    assert not re.search(r"""(src|href|action)=["'](https?:)?//""", page.text)
    assert not re.search(r"<script(?![^>]*\bsrc=)|\son\w+=|style=", page.text)


async def test_every_file_of_the_page_is_served_under_the_same_policy(stage: Stage) -> None:
    for path in STATIC.rglob("*.*"):
        reply = await fetch(stage.url, f"/static/{path.relative_to(STATIC)}")
        assert reply.status == 200, path
        assert reply.body == path.read_bytes()
        assert "default-src 'none'" in reply.headers["content-security-policy"]


@pytest.mark.parametrize(
    "path",
    [
        "../app.py",
        "..%2fapp.py",
        "%2e%2e/app.py",
        "....//app.py",
        "/etc/passwd",
        "%2fetc%2fpasswd",
        "x%00.js",
        ".",
        "",
        "absent.js",
    ],
)
async def test_nothing_outside_the_pages_folder_is_served(stage: Stage, path: str) -> None:
    reply = await fetch(stage.url, f"/static/{path}")
    assert reply.status in (400, 404)
    assert b"import" not in reply.body
    assert reply.json["error"]["code"] == "unknown_path"


async def test_a_file_that_has_not_changed_is_not_sent_again(stage: Stage) -> None:
    first = await fetch(stage.url, "/static/app.js")
    again = await fetch(stage.url, "/static/app.js", headers={"if-none-match": first.headers["etag"]})
    assert (again.status, again.body) == (304, b"")
