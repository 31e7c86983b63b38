"""Which addresses other machines can open: the system's own, without what is this machine's alone."""

from __future__ import annotations

import ipaddress
import socket

from hayate.serve.interfaces import IN_CONTAINER, UP, openable, reachable_addresses, reachable_at

FOUND = [
    ("lo", UP, "127.0.0.1"),
    ("lo", UP, "::1"),
    ("wlan0", UP, "2001:db8::5"),
    ("eth0", UP, "192.168.1.5"),
    ("eth0", UP, "fe80::1"),
    ("eth1", 0, "10.0.0.9"),
    ("en5", UP, "169.254.3.4"),
    ("docker0", UP, "172.17.0.1"),
    ("br-0a1b2c3d4e5f", UP, "172.18.0.1"),
    ("tailscale0", UP, "100.101.102.103"),
]


def test_what_nobody_else_can_open_is_left_out() -> None:
    assert openable(FOUND, ipv6=False) == ["192.168.1.5", "100.101.102.103"]
    assert openable(FOUND, ipv6=True) == ["192.168.1.5", "100.101.102.103", "2001:db8::5"]
    assert openable([], ipv6=True) == []


def test_an_address_on_two_interfaces_is_told_once() -> None:
    assert openable([("eth0", UP, "10.0.0.1"), ("eth0:1", UP, "10.0.0.1")], ipv6=False) == ["10.0.0.1"]


def test_the_systems_addresses_are_this_machines() -> None:
    found = reachable_addresses("::")
    for text in found:
        family = socket.AF_INET6 if ":" in text else socket.AF_INET
        with socket.socket(family, socket.SOCK_STREAM) as probe:
            probe.bind((text, 0))  # which only an address of this machine lets
        assert not ipaddress.ip_address(text).is_loopback
    assert [each for each in found if ":" not in each] == reachable_addresses("0.0.0.0")


def test_the_address_by_which_this_machine_goes_out_is_among_them() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))  # nothing is sent: the system only says where from it would
        except OSError:
            return  # no network here, and nothing to be found
        outward = probe.getsockname()[0]
    if not any(mark.exists() for mark in IN_CONTAINER) and not ipaddress.ip_address(outward).is_loopback:
        assert outward in reachable_addresses("0.0.0.0")


def test_they_are_told_as_urls() -> None:
    urls = reachable_at("http://0.0.0.0:8080")
    assert urls == [f"http://{each}:8080" for each in reachable_addresses("0.0.0.0")]
    assert all(url.startswith("http://[") or url.count(":") == 2 for url in reachable_at("http://[::]:8080"))
