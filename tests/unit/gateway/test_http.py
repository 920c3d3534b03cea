"""The gateway on a real port, on Granian: routes, limits, browsers, stopping."""

import asyncio
import contextlib

import aiohttp
import pytest

from gateway.body import BodyBroken, read_body
from schemas.topics import LARGEST_BODY
from tests.unit.gateway.house import (
    CALLRAIL_KEY,
    FORM_KEY,
    Bus,
    HeldBus,
    build_house,
    callrail_signature,
    lakeside,
    listening,
)

BODY = b'{"resource_id":"CAL1","customer_phone_number":"+13125550142"}'
CALLRAIL = f"/v1/hooks/callrail/{CALLRAIL_KEY}/post_call"
FORM = f"/v1/hooks/form/{FORM_KEY}"


class DownBus(Bus):
    """A bus without its topics."""

    async def ready(self) -> bool:
        return False


async def raw(url: str, *parts: bytes | float) -> bytes:
    """Send bytes as they are, with pauses in seconds; everything that is answered within two seconds."""
    host, _, port = url.removeprefix("http://").partition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    answer = b""
    with contextlib.suppress(TimeoutError, ConnectionError):
        async with asyncio.timeout(2):
            for part in parts:
                if isinstance(part, float):
                    await asyncio.sleep(part)
                else:
                    writer.write(part)
                    await writer.drain()
            while chunk := await reader.read(65_536):
                answer += chunk
    writer.close()
    return answer


def status(answer: bytes) -> int:
    return int(answer.split(b" ", 2)[1])


async def test_a_signed_webhook_over_http_is_accepted() -> None:
    home = await build_house(lakeside())
    async with listening(home.gateway) as (url, _), aiohttp.ClientSession(url) as http:
        headers = {"Signature": callrail_signature(BODY), "Content-Type": "application/json"}
        async with http.post(CALLRAIL, data=BODY, headers=headers) as answer:
            assert answer.status == 202
            assert await answer.json() == {"request_ids": [home.last.envelope.request_id]}
        async with http.post(CALLRAIL + "/", data=BODY, headers=headers) as answer:
            assert answer.status == 202


@pytest.mark.parametrize(
    ("method", "path", "expected"),
    [
        ("GET", CALLRAIL, 405),
        ("PUT", FORM, 405),
        ("POST", "/healthz", 405),
        ("GET", "/healthz", 200),
        ("HEAD", "/healthz", 200),
        ("GET", "/readyz", 200),
        ("GET", "/metrics", 200),
        ("GET", "/", 404),
        ("POST", "/v1/hooks/", 404),
        ("POST", "/v1/hooks/form", 404),
        ("POST", "/v1/hooks/form/x/y/z", 404),
        ("POST", "/v1/hooks/form/%ff%00", 404),
    ],
)
async def test_routes(method: str, path: str, expected: int) -> None:
    home = await build_house(lakeside())
    async with (
        listening(home.gateway) as (url, _),
        aiohttp.ClientSession(url) as http,
        http.request(method, path) as answer,
    ):
        assert answer.status == expected
        if expected >= 400:
            assert answer.content_type == "application/problem+json"
            assert (await answer.json())["status"] == expected
        if expected == 405:
            assert "Allow" in answer.headers


async def test_a_body_over_the_cap_is_413_declared_or_counted() -> None:
    home = await build_house(lakeside())
    async with listening(home.gateway) as (url, _):
        declared = await raw(
            url, f"POST {FORM} HTTP/1.1\r\nHost: x\r\nContent-Length: {LARGEST_BODY + 1}\r\n\r\n".encode()
        )
        assert status(declared) == 413
        chunk = b"%x\r\n" % 65_536 + b"x" * 65_536 + b"\r\n"
        head = f"POST {FORM} HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n".encode()
        assert status(await raw(url, head, *[chunk] * 9)) == 413
        assert status(await raw(url, head, b"8\r\nname=Zoe\r\n0\r\n\r\n")) == 202
    assert len(home.bus.records) == 1


@pytest.mark.parametrize("framing", ["Content-Length: 50", "Transfer-Encoding: chunked"])
async def test_a_body_that_does_not_come_is_408(framing: str) -> None:
    home = await build_house(lakeside())
    async with listening(home.gateway) as (url, _):
        head = f"POST {FORM} HTTP/1.1\r\nHost: x\r\n{framing}\r\n\r\n".encode()
        assert status(await raw(url, head, b"2\r\nna\r\n", 1.0)) == 408
    assert home.bus.records == []


async def test_a_sender_that_hangs_up_leaves_nothing_behind() -> None:
    home = await build_house(lakeside())
    async with listening(home.gateway) as (url, _):
        host, _, port = url.removeprefix("http://").partition(":")
        _, writer = await asyncio.open_connection(host, int(port))
        writer.write(f"POST {FORM} HTTP/1.1\r\nHost: x\r\nContent-Length: 50\r\n\r\nname=Zoe".encode())
        await writer.drain()
        writer.close()
        await asyncio.sleep(0.2)
        assert home.metric("leadbus_gateway_in_flight") == 0
    assert home.bus.records == []


async def test_a_body_shorter_than_declared_is_broken() -> None:
    class Short:
        async def __call__(self) -> bytes:
            return b"abc"

        async def __aiter__(self):  # type: ignore[no-untyped-def]
            yield b"abc"

    with pytest.raises(BodyBroken):
        await read_body(Short(), {"content-length": "5"}, cap=10, seconds=1)


async def test_a_compressed_body_is_refused() -> None:
    home = await build_house(lakeside())
    async with (
        listening(home.gateway) as (url, _),
        aiohttp.ClientSession(url) as http,
        http.post(FORM, data=b"x", headers={"Content-Encoding": "gzip"}) as answer,
    ):
        assert answer.status == 415


async def test_not_ready_without_topics_or_while_draining() -> None:
    home = await build_house(lakeside(), bus=DownBus())
    async with listening(home.gateway) as (url, _), aiohttp.ClientSession(url) as http:
        async with http.get("/readyz") as answer:
            assert answer.status == 503
        async with http.get("/healthz") as answer:
            assert answer.status == 200


async def test_stopping_answers_what_is_under_way_first() -> None:
    bus = HeldBus()
    home = await build_house(lakeside(), bus=bus)
    async with listening(home.gateway) as (url, stop), aiohttp.ClientSession(url) as http:
        async with http.get("/readyz") as answer:
            assert answer.status == 200
        posting = asyncio.create_task(http.post(FORM, data={"name": "Zoe"}))
        await bus.asked.wait()
        stop.set()
        await asyncio.sleep(0.02)
        async with http.get("/readyz") as answer:
            assert answer.status == 503
        await asyncio.sleep(0.2)
        bus.acknowledge.set()
        answered = await posting
        assert answered.status == 202
        answered.release()
    assert len(bus.records) == 1


async def test_metrics_name_sources_and_reasons() -> None:
    home = await build_house(lakeside())
    async with listening(home.gateway) as (url, _), aiohttp.ClientSession(url) as http:
        await http.post(FORM, data={"name": "Zoe"})
        await http.post(CALLRAIL, data=BODY)
        async with http.get("/metrics") as answer:
            text = await answer.text()
    assert 'leadbus_gateway_accepted_total{source="form"} 1.0' in text
    assert 'leadbus_gateway_refused_total{reason="signature_missing",source="callrail"} 1.0' in text
    assert FORM_KEY not in text
