"""Where a request comes from, as browsers say it."""

from __future__ import annotations

from time import thread_time

from hayate.access.our_page import cookie_in, cookie_named, from_elsewhere, is_overheard, port_named
from tests.support.tables import table

HERE = b"gateway.example:8080"


@table(
    ("said", "elsewhere"),
    [
        ({}, False),
        ({b"sec-fetch-site": b"same-origin"}, False),
        ({b"sec-fetch-site": b"none"}, False),
        ({b"origin": b"http://gateway.example:8080"}, False),
        ({b"origin": b"https://gateway.example:8080", b"sec-fetch-site": b"same-origin"}, False),
        ({b"sec-fetch-site": b"same-site"}, True),
        ({b"sec-fetch-site": b"cross-site"}, True),
        ({b"origin": b"http://gateway.example:8081"}, True),
        ({b"origin": b"http://gateway.example"}, True),
        ({b"origin": b"http://gateway.example:8080.evil.example"}, True),
        ({b"origin": b"null"}, True),
        ({b"origin": b""}, True),
        ({b"origin": b"http://gateway.example:8080", b"sec-fetch-site": b"cross-site"}, True),
    ],
)
def test_a_page_of_another_origin_is_told_apart(said: dict[bytes, bytes], elsewhere: bool) -> None:
    assert from_elsewhere({b"host": HERE, **said}) is elsewhere


def test_without_a_host_no_origin_is_ours() -> None:
    assert from_elsewhere({b"origin": b"http://gateway.example"})


@table(
    ("origin", "overheard"),
    [
        (b"https://gateway.example", False),
        (b"http://localhost:8080", False),
        (b"http://LOCALHOST", False),
        (b"http://a.localhost:8080", False),
        (b"http://127.0.0.1:8080", False),
        (b"http://127.1.2.3", False),
        (b"http://[::1]:8080", False),
        (b"http://192.168.1.5:8080", True),
        (b"http://[fe80::1]:8080", True),
        (b"http://gateway.example", True),
        (b"http://localhost.evil.example", True),
        (b"http://127.0.0.1.evil.example", True),
        (b"http://notlocalhost", True),
        (b"", True),
        (b"\xff\xfe", True),
    ],
)
def test_plain_http_is_overheard_unless_it_stays_on_this_machine(origin: bytes, overheard: bool) -> None:
    assert is_overheard(origin) is overheard


@table(
    ("host", "port"),
    [
        (b"localhost:8080", "8080"),
        (b"[::1]:8080", "8080"),
        (b"gateway.example", ""),
        (b"[::1]", ""),
        (b":8080", ""),
        (b"a:8080x", ""),
        (b"a:123456", ""),
        (b"a:\xb2", ""),
        (b"", ""),
    ],
)
def test_the_port_is_the_one_of_the_address(host: bytes, port: str) -> None:
    assert port_named({b"host": host}) == port


def test_a_cookie_has_the_port_in_its_name() -> None:
    assert cookie_named("a", {b"host": b"localhost:81"}, 8080) == "a_81"
    assert cookie_named("a", {b"host": b"gateway.example"}, 8080) == "a_8080"


@table(
    ("cookies", "value"),
    [
        (b"", None),
        (b"ours=1.2.3", "1.2.3"),
        (b"a=b; ours=1.2.3; c=d", "1.2.3"),
        (b"a=b;ours = 1.2.3 ;", "1.2.3"),
        (b"ours=old; ours=new", "new"),
        (b"ours=a=b", "a=b"),
        (b"ours=", None),
        (b'ours=""', None),
        (b'ours="1.2.3"', "1.2.3"),
        (b'ours="', '"'),
        (b"ours", None),
        (b"yours=1; xours=2; oursx=3", None),
        (b'a="x\\"; ours=1', "1"),
        (b"ours=\xe9", "\xe9"),
    ],
)
def test_a_cookie_is_found_by_its_name(cookies: bytes, value: str | None) -> None:
    assert cookie_in(cookies, "ours") == value


@table("hostile", [b'a="' + b"\\" * 60_000 + b'"', b'a="' + b'\\"' * 30_000, b"a=" * 30_000, b"ours=;" * 10_000])
def test_whatever_a_stranger_sends_for_cookies_is_read_at_once(hostile: bytes) -> None:
    began = thread_time()
    assert cookie_in(hostile, "ours") is None
    assert (
        thread_time() - began < 0.5
    )  # some milliseconds; the standard library's reader takes seconds for the first two
