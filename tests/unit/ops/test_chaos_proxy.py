"""The proxy of the fault runs refuses commits and passes on everything else, in the order in which it was asked."""

import asyncio
import struct

import pytest

from ops.chaos.runtime.proxy import COORDINATOR_NOT_AVAILABLE, OFFSET_COMMIT, Proxy, refusal

FETCH_METADATA = 3
BY_VERSION = {
    2: {"retention": b"\0" * 8},
    3: {"throttle": b"\0" * 4, "retention": b"\0" * 8},
    5: {"throttle": b"\0" * 4},
    6: {"throttle": b"\0" * 4, "epoch": b"\0" * 4},
    7: {"throttle": b"\0" * 4, "epoch": b"\0" * 4, "instance": struct.pack(">h", -1)},
}


def text(value: str) -> bytes:
    return struct.pack(">h", len(value)) + value.encode()


def commit(version: int, correlation: int = 9) -> bytes:
    """A commit of two partitions of a topic, one of them without metadata."""
    parts = BY_VERSION[version]
    body = (
        text("group") + struct.pack(">i", 4) + text("member") + parts.get("instance", b"") + parts.get("retention", b"")
    )
    body += struct.pack(">i", 1) + text("inbound") + struct.pack(">i", 2)
    body += struct.pack(">iq", 0, 17) + parts.get("epoch", b"") + text("2:bitmap")
    body += struct.pack(">iq", 3, 18) + parts.get("epoch", b"") + struct.pack(">h", -1)
    return struct.pack(">hhi", OFFSET_COMMIT, version, correlation) + text("client") + body


def refused(version: int, correlation: int = 9) -> bytes:
    start = struct.pack(">i", correlation) + BY_VERSION[version].get("throttle", b"")
    topic = struct.pack(">i", 1) + text("inbound") + struct.pack(">i", 2)
    return start + topic + struct.pack(">ihih", 0, COORDINATOR_NOT_AVAILABLE, 3, COORDINATOR_NOT_AVAILABLE)


@pytest.mark.parametrize("version", BY_VERSION)
def test_a_commit_is_answered_with_the_error_for_each_of_its_partitions(version: int) -> None:
    assert refusal(commit(version), COORDINATOR_NOT_AVAILABLE) == refused(version)


def test_other_requests_and_unknown_versions_are_not_answered() -> None:
    assert refusal(struct.pack(">hhi", FETCH_METADATA, 5, 1) + text("client"), COORDINATOR_NOT_AVAILABLE) is None
    assert refusal(struct.pack(">hhi", OFFSET_COMMIT, 8, 1) + text("client"), COORDINATOR_NOT_AVAILABLE) is None


async def test_while_it_refuses_only_commits_do_not_arrive_and_answers_keep_their_order() -> None:
    arrived: list[bytes] = []

    async def broker(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while frame := await received(reader):
            arrived.append(frame)
            send(writer, b"answer to " + frame)
        writer.close()

    server = await asyncio.start_server(broker, "127.0.0.1", 0)
    metadata = struct.pack(">hhi", FETCH_METADATA, 5, 1) + text("client")
    async with server:
        with Proxy() as proxy:
            proxy.target = f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
            reader, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
            send(writer, commit(3))
            assert await received(reader) == b"answer to " + commit(3)
            proxy.error = COORDINATOR_NOT_AVAILABLE
            for frame in (metadata, commit(3), metadata):
                send(writer, frame)
            answers = [await received(reader) for _ in range(3)]
            writer.close()
            await writer.wait_closed()
    assert answers == [b"answer to " + metadata, refused(3), b"answer to " + metadata]
    assert arrived == [commit(3), metadata, metadata]
    assert proxy.refused == 1


async def test_without_a_broker_behind_it_connections_are_closed() -> None:
    with Proxy() as proxy:
        reader, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
        assert await reader.read() == b""
        writer.close()


def send(writer: asyncio.StreamWriter, frame: bytes) -> None:
    writer.write(struct.pack(">i", len(frame)) + frame)


async def received(reader: asyncio.StreamReader) -> bytes | None:
    try:
        (length,) = struct.unpack(">i", await reader.readexactly(4))
        return await reader.readexactly(length)
    except asyncio.IncompleteReadError:
        return None
