"""A credential travels to the open internet only, however the inner address is dressed up."""

import ipaddress
import socket

import pytest

from connectors.crm.addresses import AddressRefused, guarded_socket, is_open_internet


@pytest.mark.parametrize("text", ["8.8.8.8", "104.16.1.1", "2606:4700::1111", "64:ff9b::808:808", "2002:808:808::1"])
def test_the_open_internet(text: str) -> None:
    assert is_open_internet(ipaddress.ip_address(text))


@pytest.mark.parametrize(
    "text",
    [
        "127.0.0.1", "10.1.2.3", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1", "0.0.0.0",  # noqa: S104
        "224.0.0.1", "240.0.0.1", "255.255.255.255", "::1", "::", "fe80::1", "fc00::1", "ff02::1", "fec0::1",
        "::ffff:127.0.0.1", "::127.0.0.1", "64:ff9b::7f00:1", "64:ff9b:1::1", "2002:7f00:1::1", "2002:a01:203::1",
        "::ffff:169.254.169.254", "::ffff:8.8.8.8",
    ],
)  # fmt: skip
def test_inner_addresses_are_refused(text: str) -> None:
    assert not is_open_internet(ipaddress.ip_address(text))


def test_the_guard_judges_the_address_of_the_connect() -> None:
    with pytest.raises(AddressRefused):
        guarded_socket((socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", 443)))
    with pytest.raises(AddressRefused):
        guarded_socket((socket.AF_INET6, socket.SOCK_STREAM, 6, "", ("fe80::1%eth0", 443, 0, 2)))
    guarded_socket((socket.AF_INET, socket.SOCK_STREAM, 6, "", ("8.8.8.8", 443))).close()
