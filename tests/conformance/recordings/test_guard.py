"""Nobody who can post a webhook makes us fetch from somewhere else than the tenant's vendor and the public internet."""

import socket

import pytest
from aiohttp import web
from aiohttp.abc import AbstractResolver, ResolveResult

from connectors.recordings.guard import is_private
from connectors.recordings.seam import RecordingRefused
from tests.conformance.recordings.conftest import Site, Vendor, read, tenant


class Names(AbstractResolver):
    """Resolves every name to the same addresses."""

    def __init__(self, *addresses: str) -> None:
        self._addresses = addresses

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        return [
            ResolveResult(hostname=host, host=address, port=port, family=socket.AF_INET, proto=0, flags=0)
            for address in self._addresses
        ]

    async def close(self) -> None:
        """Nothing is held."""


@pytest.mark.parametrize(
    "url",
    [
        "https://evil.example/recording.mp3",
        "https://api.callrail.com.evil.example/recording.mp3",
        "https://api.callrail.com@evil.example/recording.mp3",
        "https://api.callrail.com:8443/recording.mp3",
        "https://127.0.0.1/recording.mp3",
        "http://api.callrail.com/recording.mp3",
        "ftp://api.callrail.com/recording.mp3",
        "file:///etc/passwd",
        "//api.callrail.com/recording.mp3",
        "http://[::1",
        "",
    ],
)
async def test_a_url_that_is_not_on_the_tenants_list_is_refused(vendor: Vendor, url: str) -> None:
    with pytest.raises(RecordingRefused):
        await read(vendor.fetcher(resolver=lambda: Names("127.0.0.1")), tenant(), url)


async def test_another_port_of_the_sandboxs_host_is_not_the_sandbox(vendor: Vendor, site: Site) -> None:
    with pytest.raises(RecordingRefused):
        await read(vendor.fetcher(), tenant(), f"http://{site.authority}/recording.mp3")

    assert site.asked == []


@pytest.mark.parametrize("addresses", [("127.0.0.1",), ("10.0.0.8",), ("93.184.215.14", "169.254.169.254")])
async def test_a_listed_name_that_stands_for_our_own_network_is_refused(
    vendor: Vendor, addresses: tuple[str, ...]
) -> None:
    fetcher = vendor.fetcher(resolver=lambda: Names(*addresses))

    with pytest.raises(RecordingRefused, match="not public"):
        await read(fetcher, tenant(), "https://app.callrail.com/calls/CAL1/recording?access_key=x")


@pytest.mark.parametrize(
    "target",
    [
        "http://127.0.0.1:{port}/secret",
        "https://127.0.0.1:{port}/secret",
        "https://[::1]/x",
        "https://127.1/x",
        "gopher://x/",
    ],
)
async def test_a_redirect_into_our_own_network_is_not_followed(vendor: Vendor, site: Site, target: str) -> None:
    other = Site()
    await other.start()
    port = other.authority.partition(":")[2]
    site.pages["/recording"] = lambda: web.Response(status=302, headers={"Location": target.format(port=port)})

    with pytest.raises(RecordingRefused):
        await read(vendor.fetcher(site.authority), tenant(), f"http://{site.authority}/recording")

    assert other.asked == []
    await other.stop()


async def test_a_file_url_of_the_api_is_guarded_like_a_redirect(vendor: Vendor, site: Site) -> None:
    api = "/v3/a/ACC1/calls/CAL1/recording.json"
    site.pages[api] = lambda: web.json_response({"url": "https://metadata.internal/computeMetadata/v1/"})
    fetcher = vendor.fetcher(site.authority, resolver=lambda: Names("169.254.169.254"))

    with pytest.raises(RecordingRefused):
        await read(fetcher, tenant(), f"http://{site.authority}{api}")


async def test_a_circle_of_redirects_ends(vendor: Vendor, site: Site) -> None:
    site.pages["/a"] = lambda: web.Response(status=302, headers={"Location": "/a"})

    with pytest.raises(RecordingRefused, match="redirecting"):
        await read(vendor.fetcher(site.authority), tenant(), f"http://{site.authority}/a")

    assert len(site.asked) == 4


@pytest.mark.parametrize(
    ("address", "private"),
    [
        ("127.0.0.1", True),
        ("10.1.2.3", True),
        ("100.64.0.1", True),
        ("169.254.169.254", True),
        ("0.0.0.0", True),  # noqa: S104  an address to refuse
        ("224.0.0.1", True),
        ("::1", True),
        ("fe80::1%eth0", True),
        ("fd00::1", True),
        ("::ffff:127.0.0.1", True),
        ("64:ff9b::7f00:1", True),
        ("2002:7f00:1::", True),
        ("8.8.8.8", False),
        ("2a00:1450:4001:830::200e", False),
        ("::ffff:8.8.8.8", False),
        ("api.callrail.com", False),
    ],
)
def test_which_addresses_are_our_own_network(address: str, private: bool) -> None:
    assert is_private(address) is private
