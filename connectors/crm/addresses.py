"""Which addresses a credential may travel to: global unicast only, whatever name stood in front of it.

The check is made on the address of each connect, so a literal, a redirect or a name that resolves differently the
second time cannot get round it. `is_global` alone is not enough: Python 3.11 calls multicast, NAT64, 6to4 and IPv4-
compatible addresses global, so what is wrapped inside is unwrapped and judged again.
"""

import ipaddress
import socket

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
AddressInfo = tuple[int | socket.AddressFamily, int | socket.SocketKind, int, str, tuple[str, int] | tuple[object, ...]]

_NAT64 = ipaddress.ip_network("64:ff9b::/96")
_NAT64_LOCAL = ipaddress.ip_network("64:ff9b:1::/48")
_COMPATIBLE = ipaddress.ip_network("::/96")


class AddressRefused(OSError):
    """The address is not one of the open internet."""


def is_open_internet(address: Address) -> bool:
    """Whether a connection to the address leaves for the open internet."""
    if address in _NAT64:
        # The way to IPv4 in a network without it: what counts is the address inside.
        return is_open_internet(ipaddress.IPv4Address(int(address) & 0xFFFFFFFF))
    if not address.is_global or address.is_multicast or address.is_reserved or address.is_unspecified:
        return False
    if isinstance(address, ipaddress.IPv4Address):
        return True
    if address.is_site_local or address in _NAT64_LOCAL or address in _COMPATIBLE:
        return False
    return all(is_open_internet(inner) for inner in _wrapped(address))


def guarded_socket(info: AddressInfo) -> socket.socket:
    """A socket for one connect (aiohttp's `socket_factory`); raises AddressRefused for an inner address."""
    family, kind, protocol, _, place = info
    text = str(place[0])
    try:
        address = ipaddress.ip_address(text.split("%", 1)[0])
    except ValueError:
        raise AddressRefused(f"{text} is not an address") from None
    if not is_open_internet(address):
        raise AddressRefused(f"{address} is not an address of the open internet")
    return socket.socket(family, kind, protocol)


def _wrapped(address: ipaddress.IPv6Address) -> list[Address]:
    inner: list[Address] = []
    if address.ipv4_mapped is not None:
        inner.append(address.ipv4_mapped)
    if address.sixtofour is not None:
        inner.append(address.sixtofour)
    if address.teredo is not None:
        inner += address.teredo
    return inner
