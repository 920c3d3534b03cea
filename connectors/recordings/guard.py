"""Where a recording may be fetched from: the tenant's hosts, and behind them only addresses of the public internet.

A webhook names the recording's URL, so whoever can make one could point us at our own network. The first request goes
to hosts on the tenant's list alone. What that host then refers to (a signed link on a storage host, whose name is not
known beforehand) may be any host, over TLS, whose every address is public: names are resolved here and the checked
addresses are the ones connected to, so a name cannot answer differently the second time. A host:port in the operator's
list stands in for vendors in a sandbox and may be reached over plain HTTP at any address.
"""

import ipaddress
import socket
from collections.abc import Collection, Sequence

from aiohttp.abc import AbstractResolver, ResolveResult
from yarl import URL

from connectors.recordings.seam import RecordingRefused

_NAT64 = ipaddress.ip_network("64:ff9b::/96")


class AddressRefused(OSError):
    """A name stands for an address that is not public."""


class Places:
    """Judges URLs. `sandbox_hosts` are the operator's host[:port], compared literally."""

    def __init__(self, sandbox_hosts: Collection[str] = ()) -> None:
        self._sandbox = frozenset(host.lower() for host in sandbox_hosts)

    def first(self, url: str, allowed: Sequence[str]) -> URL:
        """The URL of a webhook, if it is on the tenant's or the operator's list; else raises `RecordingRefused`."""
        parsed = _parsed(url)
        if self.is_sandbox(parsed):
            return parsed
        if not names_of(parsed) & {host.lower() for host in allowed}:
            raise RecordingRefused(f"recordings are not fetched from {parsed.host}: it is not on recordings.hosts")
        return self.onward(parsed)

    def onward(self, url: URL) -> URL:
        """A URL that an allowed host refers to, if it may be followed; else raises `RecordingRefused`."""
        if self.is_sandbox(url):
            return url
        if url.scheme != "https":
            raise RecordingRefused(f"recordings are not fetched over {url.scheme or 'no scheme'}, only over https")
        if is_private(url.host or ""):
            raise RecordingRefused(f"recordings are not fetched from the address {url.host}")
        return url

    def is_sandbox(self, url: URL) -> bool:
        """Whether the operator named this host[:port]."""
        return url.scheme in ("http", "https") and bool(names_of(url) & self._sandbox)


class PublicResolver(AbstractResolver):
    """Resolves through another resolver and refuses a name as soon as one of its addresses is not public."""

    def __init__(self, resolver: AbstractResolver) -> None:
        self._resolver = resolver

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        found = await self._resolver.resolve(host, port, family)
        for result in found:
            if is_private(result["host"]):
                raise AddressRefused(f"{host} stands for an address that is not public")
        return found

    async def close(self) -> None:
        await self._resolver.close()


def names_of(url: URL) -> set[str]:
    """host:port, and the bare host where the port is the scheme's own."""
    host = (url.host or "").lower()
    return {f"{host}:{url.port}"} | ({host} if url.is_default_port() else set())


def is_private(host: str) -> bool:
    """Whether this is an IP address outside the public internet; False for a name."""
    try:
        address = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return False
    if isinstance(address, ipaddress.IPv6Address):
        # These carry an IPv4 address that the network in between connects to.
        if address in _NAT64:
            return is_private(str(ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)))
        inner = address.ipv4_mapped or address.sixtofour
        if inner is not None:
            return is_private(str(inner))
    return not address.is_global or address.is_multicast


def _parsed(url: str) -> URL:
    try:
        parsed = URL(url)
    except (ValueError, TypeError):
        raise RecordingRefused("the recording's URL cannot be read") from None
    if parsed.scheme not in ("http", "https") or not parsed.host:
        raise RecordingRefused("the recording's URL is not an http address")
    if parsed.user is not None or parsed.password is not None:
        raise RecordingRefused("the recording's URL carries a credential of its own")
    return parsed
