"""An address that is accepted can be connected to or bound; any other is refused in words."""

from __future__ import annotations

import asyncio
import socket

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hayate.config.addresses import CALLS, base_url, is_loopback, listening_host
from hayate.config.mistakes import Told
from hayate.upstream.connection_pool import ConnectionPool
from tests.support.tables import table


@table(
    ("text", "meant"),
    [
        ("http://127.0.0.1:8000", "http://127.0.0.1:8000"),
        (" http://127.0.0.1:8000 \n", "http://127.0.0.1:8000"),
        ("\thttp://gpu-box\r\n", "http://gpu-box"),
        ("http://gpu_box.lan:1/", "http://gpu_box.lan:1"),
        ("http://a:65535//", "http://a:65535"),
        ("HTTPS://Example.COM/v1/", "HTTPS://Example.COM/v1"),
        ("http://[::1]:8000", "http://[::1]:8000"),
        ("http://[2001:db8::1]/v3", "http://[2001:db8::1]/v3"),
        ("http://日本語.example:8000", "http://日本語.example:8000"),
        ("http://engine./v1", "http://engine./v1"),
        ("http://h/openai/deployments/gpt-4o%20mini", "http://h/openai/deployments/gpt-4o%20mini"),
        ("http://h/models-of-mine", "http://h/models-of-mine"),
        ("http://a//v1", "http://a/v1"),
    ],
)
def test_a_base_url_passes_without_what_stands_around_it(text: str, meant: str) -> None:
    assert base_url(text) == meant


@table(
    ("text", "said"),
    [
        ("", "is not an http:// or https:// URL"),
        ("gpu:8000", "is not an http:// or https:// URL"),
        ("http:/gpu:8000", "is not an http:// or https:// URL"),
        ("ws://gpu", "is not an http:// or https:// URL"),
        ("http://", "is not an http:// or https:// URL"),
        ("http:///v1", "is not an http:// or https:// URL"),
        ("http://:8000", "names no host"),
        ("http://gpu:0", "has a port that is none: 1 to 65535"),
        ("http://gpu:-1", "has a port that is none: 1 to 65535"),
        ("http://gpu:99999", "has a port that is none: 1 to 65535"),
        ("http://gpu:65536/v1", "has a port that is none: 1 to 65535"),
        ("http://gpu:abc", "has a port that is none: 1 to 65535"),
        ("http://gpu:８０", "has a port that is none: 1 to 65535"),
        ("http://gpu:", "has a port that is none: 1 to 65535"),
        ("http://gpu box:8000", "has a blank or a control character inside"),
        ("http://gpu:8000 /v1", "has a blank or a control character inside"),
        ("http://gpu:8000/a b", "has a blank or a control character inside"),
        ("http://gpu\t:8000", "has a blank or a control character inside"),
        ("http://gpu\n:8000", "has a blank or a control character inside"),
        ("http://gpu　:8000", "has a blank or a control character inside"),
        ("http://::1:8000", "an IPv6 address stands in brackets"),
        ("http://[::1:8000", "has a bracket that does not belong to an IPv6 address"),
        ("http://::1]:8000", "has a bracket that does not belong to an IPv6 address"),
        ("http://[nonsense]:8000", ""),
        ("http://[1:2]:8000", ""),
        ("http://a..b", "is not a host's name or address"),
        ("http://-a", "is not a host's name or address"),
        ("http://a,b", "is not a host's name or address"),
        ("http://" + "a" * 64, "is not a host's name or address"),
        ("http://" + "a." * 200, "is not a host's name or address"),
        ("http://a\\b", "is not a host's name or address"),
        ("http://gpu/a\\b", "has a character in its path that belongs in no URL"),
        ('http://gpu/"', "has a character in its path that belongs in no URL"),
        ("http://gpu/猫", "has a character in its path that belongs in no URL"),
        ("http://gpu?x=1", "has a query or a fragment"),
        ("http://gpu/?", "has a query or a fragment"),
        ("http://gpu#", "has a query or a fragment"),
        ("http://user:s3cret@gpu", "holds a name or a password"),
        ("http://@gpu", "holds a name or a password"),
    ],
)  # fmt: skip
def test_anything_else_is_refused_in_words(text: str, said: str) -> None:
    with pytest.raises(ValueError, match=r".") as refused:
        base_url(text)
    assert said in str(refused.value)
    assert "s3cret" not in str(refused.value)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    "text", ["http://user:s3cret@", "http://user:s3cret@gpu box", "http://gpu:x?key=s3cret", "ftp://u:s3cret@h"]
)
def test_no_message_repeats_a_secret(text: str) -> None:
    with pytest.raises(ValueError, match=r".") as refused:
        base_url(text)
    assert "s3cret" not in str(refused.value)


@table("call", CALLS)
@table("base", ["http://gpu:8000", "http://gpu:8000/v1", "http://gpu/v3", "https://gpu/api/v1"])
@table("end", ["", "/", "//"])
def test_the_address_of_one_call_is_the_base_url_that_it_begins_with(base: str, call: str, end: str) -> None:
    assert base_url(base + call + end) == base


@table("text", ["gpu:8000", "gpu", "//gpu:8000", "gpu:8000/v1/chat/completions", "127.0.0.1:8000/"])
def test_who_leaves_the_scheme_out_is_told_the_whole_url(text: str) -> None:
    with pytest.raises(Told) as refused:
        base_url(text)
    meant = str(refused.value).rpartition("write ")[2]
    assert base_url(meant) == meant
    assert text.strip("/").partition("/")[0] in meant
    assert meant in refused.value.text.ja


PIECES = st.sampled_from(
    ["http://", "https://", "gpu", "::1", "[", "]", "[::1]", "[v1.x]", ":", ":0", ":80", ":99999", ":-1", "/", "/v1", "//",
     "?", "#", "@", " ", "\t", "\n", "\\", "%", ".", "..", "-", "猫", "\udc80", "a" * 70, "*", "'"]
)  # fmt: skip


@settings(deadline=None)
@given(st.lists(PIECES, min_size=1, max_size=7).map("".join) | st.text(max_size=30).map("http://h".__add__))
def test_what_is_accepted_can_be_the_address_of_a_pool_and_be_looked_up(text: str) -> None:
    try:
        url = base_url(text)
    except ValueError:
        return

    async def use() -> None:
        pool = ConnectionPool(url, connect_s=0.1)
        assert 0 < pool._connector._port < 65536
        pool._connector._host.encode("idna")
        pool.close()

    asyncio.run(use())


@table(
    ("text", "meant"),
    [
        ("0.0.0.0", "0.0.0.0"),
        (" localhost\n", "localhost"),
        ("::", "::"),
        ("[::1]", "::1"),
        ("gateway.lan", "gateway.lan"),
    ],
)
def test_a_host_to_listen_on(text: str, meant: str) -> None:
    assert listening_host(text) == meant


@table("text", ["", " ", "*", "a b", "a..b", "127.0.0.1:8080", "http://0.0.0.0", "[::1", "::g", "a" * 70, "x\0"])
def test_what_is_no_host_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is not a"):
        listening_host(text)


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "::1"])
def test_a_host_that_is_accepted_can_be_looked_up(host: str) -> None:
    assert socket.getaddrinfo(listening_host(host), 0)


@table("host", ["127.0.0.1", "127.8.9.1", "::1", "localhost", "LOCALHOST"])
def test_this_machines_own_addresses(host: str) -> None:
    assert is_loopback(host)


@table("host", ["0.0.0.0", "::", "10.0.0.1", "example.com", "localhost.example.com", "", "127.0.0.1.example"])
def test_addresses_at_which_others_may_be(host: str) -> None:
    assert not is_loopback(host)
