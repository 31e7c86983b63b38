"""A listed host lets its own images through, and no way of writing a URL makes another host look like it."""

from __future__ import annotations

import ipaddress
from urllib.parse import urlsplit

from hypothesis import given, settings
from hypothesis import strategies as st

from hayate.wire.image_hosts import ImageHosts, host_mistake
from tests.support.tables import table

LISTED = ImageHosts(
    ["img.example.com", "*.cdn.example", "other.example:8443", "192.0.2.7", "[2001:db8::7]", "Big.Example"]
)


@table(
    "url",
    [
        "https://img.example.com/a.png",
        "http://img.example.com/a.png",
        "https://img.example.com",
        "https://img.example.com/",
        "https://img.example.com:443/a",
        "http://img.example.com:80/a",
        "HTTPS://IMG.Example.COM/A.png",
        "https://big.example/a",
        "https://img.example.com/a%20b/%E7%8C%AB.png?w=1&h=2&u=https://x/",
        "https://a.cdn.example/x",
        "https://a.b.cdn.example/x",
        "https://other.example:8443/x",
        "http://192.0.2.7/x",
        "http://[2001:db8::7]/x",
    ],
)
def test_an_image_of_a_listed_host_passes(url: str) -> None:
    assert LISTED.allow(url)


@table(
    "url",
    [
        "",
        "img.example.com/a.png",
        "//img.example.com/a.png",
        "ftp://img.example.com/a",
        "file://img.example.com/etc/passwd",
        "https:/img.example.com/a",
        "https:img.example.com/a",
        "https:///img.example.com/a",
        "https://img.example.com.evil.test/a",
        "https://evil.test/img.example.com",
        "https://evil.test?img.example.com",
        "https://evil.test#img.example.com",
        "https://evil.test\\img.example.com/",
        "https://img.example.com\\.evil.test/",
        "https://img.example.com\\@evil.test/",
        "https://img.example.com@evil.test/",
        "https://img.example.com:80@evil.test/",
        "https://user@img.example.com/",
        "https://user:pass@img.example.com/",
        "https://evil.test#@img.example.com/",
        "https://evil.test?@img.example.com/",
        "https://img.example.com?@evil.test/",
        "https://img.example.com#@evil.test/",
        "https://img.example.com/#x",
        "https://img.example.com:22/",
        "https://img.example.com:80/",
        "http://img.example.com:443/",
        "https://img.example.com:/",
        "https://img.example.com:0443x/",
        "https://img.example.com:99999/",
        "https://img.example.com./a",
        "https://img.example.com../a",
        "https://.img.example.com/a",
        "https://xn--img.example.com/a",
        "https://img.example.com%2eevil.test/",
        "https://img.example.com%00.evil.test/",
        "https://img.example.com%40evil.test/",
        "https://ｉmg.example.com/a",
        "https://img。example.com/a",
        "https://img.example.com／@evil.test/",
        " https://img.example.com/a",
        "https://img.example.com/a ",
        "https://img.example.com/a\n",
        "https://img.example.com\t/a",
        "ht\ntps://img.example.com/a",
        "https://img.example.com/猫.png",
        "https://cdn.example/x",
        "https://xcdn.example/x",
        "https://a.cdn.example.evil.test/x",
        "https://other.example/x",
        "https://other.example:443/x",
        "https://192.0.2.8/",
        "http://3221225991/",
        "http://0300.0.2.7/",
        "http://192.0.519/",
        "http://127.0.0.1/",
        "http://localhost/",
        "http://[::1]/",
        "http://[2001:db8:0::7]/",
        "http://[2001:db8::7%25eth0]/",
        "https://img.example.com/" + "a" * 9000,
        "https://" + "a." * 4000 + "cdn.example/",
    ],
)
def test_anything_else_does_not(url: str) -> None:
    assert not LISTED.allow(url)


def test_nothing_passes_unless_a_host_is_listed() -> None:
    assert not ImageHosts().allow("https://img.example.com/a.png")


PIECES = st.sampled_from(
    ["https://", "http://", "img.example.com", "a.cdn.example", "evil.test", "127.0.0.1", "@", ":", "/", "\\", "?", "#",
     "443", "80", "%2e", "%40", ".", "..", "\t", "\n", " ", "[", "]", "::1", "user", "。", "ﬃ", "ß", ";", ",", "//", "-", "&"]
)  # fmt: skip


@settings(deadline=None)
@given(st.lists(PIECES, max_size=10).map("".join) | st.text(max_size=40).map("https://img.example.com".__add__))
def test_what_passes_has_one_host_however_it_is_read(url: str) -> None:
    if not LISTED.allow(url):
        return
    host = urlsplit(url).hostname or ""
    assert host in {"img.example.com", "big.example"} or host.endswith(".cdn.example")
    # Browsers take a backslash for a slash and drop tabs; others cut at the last @: none of these may be there to disagree on.
    assert not set("\\\t\r\n @#") & set(url.partition("://")[2].partition("/")[0])
    assert url.isascii()


@settings(deadline=None)
@given(st.ip_addresses())
def test_no_address_passes_that_is_not_listed_itself(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> None:
    wide = ImageHosts(["img.example.com", "*.example.com", "*.cdn.example"])
    shown = f"[{address}]" if address.version == 6 else str(address)
    assert not wide.allow(f"http://{shown}/")
    assert not wide.allow(f"http://{int(address)}/")


@table("entry", ["img.example.com", "IMG.example.com:8443", "*.example.com", "192.0.2.7", "[::1]:8080", "localhost"])
def test_a_host_may_be_listed(entry: str) -> None:
    assert host_mistake(entry) is None


@table(
    "entry",
    ["", "*", "*.", "*.com", "*.0.0.1", "a.*.com", "**.example.com", "https://img.example.com",
     "img.example.com/", "a b", "img.example.com:0",
     "img.example.com:99999", "img.example.com:", "user@img.example.com", "日本.example", "::1", "img.example.com."],
)  # fmt: skip
def test_what_is_no_host_can_not_be_listed(entry: str) -> None:
    assert host_mistake(entry) is not None
