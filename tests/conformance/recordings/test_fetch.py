"""Fetching recordings the way CallRail hands them out, from the sandbox's CallRail."""

from importlib.resources import files

import pytest
from aiohttp import web

from connectors.recordings.seam import RecordingGone, RecordingRefused, RecordingUnavailable, TooLarge
from ops.sandbox.faults import Fault
from tests.conformance.recordings.conftest import KEY, WRONG_KEY, Site, Vendor, read, tenant

ROOF_LEAK = (files("ops.sandbox") / "calls" / "roof-leak.mp3").read_bytes()
API = "/v3/"
FILE = "/recordings/"


async def test_a_recording_of_the_api_form_is_streamed_in_chunks(vendor: Vendor) -> None:
    async with vendor.fetcher().open(tenant(), vendor.url("roof-leak"), secret=KEY) as recording:
        chunks = [chunk async for chunk in recording.chunks]

    assert b"".join(chunks) == ROOF_LEAK
    assert max(map(len, chunks)) <= 64 * 1024 < len(ROOF_LEAK)
    assert (recording.content_type, recording.size) == ("audio/mpeg", len(ROOF_LEAK))


async def test_the_tenants_own_key_serves_where_the_office_has_none(vendor: Vendor) -> None:
    bundle = tenant()
    bundle = bundle.model_copy(update={"recordings": bundle.recordings.model_copy(update={"secret": KEY})})

    assert await read(vendor.fetcher(), bundle, vendor.url("roof-leak"), secret=None) == ROOF_LEAK


@pytest.mark.parametrize("secret", [WRONG_KEY, "secret://NOT_MAPPED", None])
async def test_a_key_that_does_not_open_the_account_is_refused(vendor: Vendor, secret: str | None) -> None:
    with pytest.raises(RecordingRefused) as refusal:
        await read(vendor.fetcher(), tenant(), vendor.url("roof-leak"), secret=secret)

    assert "revoked-key" not in str(refusal.value)


async def test_a_recording_that_the_vendor_does_not_have_is_gone(vendor: Vendor) -> None:
    with pytest.raises(RecordingGone):
        await read(vendor.fetcher(), tenant(), f"{vendor.base}/v3/a/ACC1/calls/CAL9/recording.json")
    with pytest.raises(RecordingGone):
        await read(vendor.fetcher(), tenant(), vendor.url("gone"))


@pytest.mark.parametrize("path", [API, FILE])
@pytest.mark.parametrize(
    ("status", "error"),
    [
        (410, RecordingGone),
        (403, RecordingRefused),
        (400, RecordingRefused),
        (429, RecordingUnavailable),
        (408, RecordingUnavailable),
        (503, RecordingUnavailable),
    ],
)
async def test_a_status_becomes_the_error_that_says_what_to_do(
    vendor: Vendor, path: str, status: int, error: type[Exception]
) -> None:
    vendor.sandbox.add_fault(Fault(vendor="callrail", kind="status", path_prefix=path, status=status))

    with pytest.raises(error):
        await read(vendor.fetcher(), tenant(), vendor.url("roof-leak"))


async def test_the_pause_that_the_vendor_asks_for_is_passed_on(vendor: Vendor) -> None:
    vendor.sandbox.add_fault(Fault(vendor="callrail", kind="status", status=429, headers={"Retry-After": "17"}))

    with pytest.raises(RecordingUnavailable) as refusal:
        await read(vendor.fetcher(), tenant(), vendor.url("roof-leak"))

    assert refusal.value.delay == 17.0


@pytest.mark.parametrize("path", [API, FILE])
async def test_half_an_answer_is_never_taken_for_a_recording(vendor: Vendor, path: str) -> None:
    vendor.sandbox.add_fault(Fault(vendor="callrail", kind="half_answer", path_prefix=path))
    fetcher, url = vendor.fetcher(), vendor.url("roof-leak")

    with pytest.raises(RecordingUnavailable):
        await read(fetcher, tenant(), url)

    assert await read(fetcher, tenant(), url) == ROOF_LEAK


@pytest.mark.parametrize("path", [API, FILE])
async def test_a_vendor_that_cuts_connections_is_unavailable(vendor: Vendor, path: str) -> None:
    vendor.sandbox.add_fault(Fault(vendor="callrail", kind="reset", path_prefix=path, times=None))

    with pytest.raises(RecordingUnavailable):
        await read(vendor.fetcher(), tenant(), vendor.url("roof-leak"))


async def test_a_vendor_that_does_not_answer_in_time_is_unavailable(vendor: Vendor) -> None:
    vendor.sandbox.add_fault(Fault(vendor="callrail", kind="delay", path_prefix=FILE, seconds=3.0))

    with pytest.raises(RecordingUnavailable):
        await read(vendor.fetcher(), tenant(), vendor.url("roof-leak"))


async def test_more_bytes_than_the_tenants_longest_call_are_refused(vendor: Vendor, site: Site) -> None:
    with pytest.raises(TooLarge):
        await read(vendor.fetcher(), tenant(max_seconds=5), vendor.url("roof-leak"))

    # Without an announced length, the bytes are counted.
    def unmeasured() -> web.Response:
        response = web.Response(body=ROOF_LEAK)
        response.enable_chunked_encoding()
        return response

    site.pages["/call.mp3"] = unmeasured
    with pytest.raises(TooLarge):
        await read(vendor.fetcher(site.authority), tenant(max_seconds=5), f"http://{site.authority}/call.mp3")


async def test_a_link_is_fetched_without_the_key(vendor: Vendor, site: Site) -> None:
    site.pages["/calls/CAL1/recording"] = lambda: web.Response(body=b"ID3 audio", content_type="audio/mpeg")
    url = f"http://{site.authority}/calls/CAL1/recording?access_key=c0ffee"

    assert await read(vendor.fetcher(site.authority), tenant(), url) == b"ID3 audio"
    assert site.asked == [("/calls/CAL1/recording", None)]


async def test_an_api_that_redirects_to_the_file_does_not_pass_the_key_on(vendor: Vendor, site: Site) -> None:
    api = "/v3/a/ACC1/calls/CAL1/recording.json"
    site.pages[api] = lambda: web.Response(status=302, headers={"Location": f"http://{site.authority}/files/1.mp3"})
    site.pages["/files/1.mp3"] = lambda: web.Response(body=b"ID3 audio")

    assert await read(vendor.fetcher(site.authority), tenant(), f"http://{site.authority}{api}") == b"ID3 audio"

    (asked_api, sent_key), (asked_file, sent_nothing) = site.asked
    assert (asked_api, asked_file) == (api, "/files/1.mp3")
    assert sent_key is not None
    assert sent_nothing is None


@pytest.mark.parametrize("body", ["[]", "{}", '{"url": 7}', "not JSON"])
async def test_an_api_answer_without_a_url_is_a_passing_fault(vendor: Vendor, site: Site, body: str) -> None:
    api = "/v3/a/ACC1/calls/CAL1/recording.json"
    site.pages[api] = lambda: web.Response(text=body)

    with pytest.raises(RecordingUnavailable):
        await read(vendor.fetcher(site.authority), tenant(), f"http://{site.authority}{api}")


async def test_what_goes_wrong_is_told_without_the_links_access_key(vendor: Vendor, site: Site) -> None:
    with pytest.raises(RecordingGone) as gone:
        await read(vendor.fetcher(site.authority), tenant(), f"http://{site.authority}/calls/1?access_key=c0ffee")

    assert "c0ffee" not in str(gone.value)
