"""A proxy before a broker that knows Kafka's frames: it can refuse commits while everything else passes.

A broker that advertises the proxy's address is reached through it only. Requests of a connection are answered in the
order in which they came, as a broker does. What is not understood is passed on, never guessed at.

Frames (kafka.apache.org/protocol): a length of 4 bytes, then for a request its API key (2), version (2), correlation
id (4), client id (text) and body; for an answer its correlation id and body.
"""

import asyncio
import contextlib
import struct
import threading

from ops.stack.places import LOOPBACK

OFFSET_COMMIT = 8
COMMIT_VERSIONS = range(2, 8)
"""Versions whose texts have lengths of two bytes; later ones are written in another way."""

COORDINATOR_LOAD_IN_PROGRESS = 14
COORDINATOR_NOT_AVAILABLE = 15


class Proxy:
    """Listens on loopback in a thread of its own while its block is entered."""

    def __init__(self) -> None:
        self.target = ""
        """host:port to pass on to; until it is set, connections are closed."""
        self.error: int | None = None
        """Error code to answer every commit with, None to pass commits on; may be set at any time."""
        self.refused = 0
        """Commits refused so far."""
        self.port = 0
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="proxy", daemon=True)
        self._connections: set[asyncio.Task[None]] = set()

    def __enter__(self) -> "Proxy":
        self._thread.start()
        self._server = asyncio.run_coroutine_threadsafe(self._listen(), self._loop).result(10)
        return self

    def __exit__(self, *_: object) -> None:
        asyncio.run_coroutine_threadsafe(self._close(), self._loop).result(10)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    async def _listen(self) -> asyncio.Server:
        server = await asyncio.start_server(self._connected, LOOPBACK, 0)
        self.port = server.sockets[0].getsockname()[1]
        return server

    async def _close(self) -> None:
        self._server.close()
        for task in self._connections:
            task.cancel()
        if self._connections:
            await asyncio.wait(self._connections)

    def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = self._loop.create_task(self._serve(reader, writer))
        self._connections.add(task)
        task.add_done_callback(self._connections.discard)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        host, _, port = self.target.partition(":")
        try:
            upstream_reader, upstream_writer = await asyncio.open_connection(host, int(port or 0))
        except OSError:
            writer.close()
            return
        due: asyncio.Queue[bytes | None] = asyncio.Queue()
        ways = [
            asyncio.create_task(self._requests(reader, upstream_writer, due)),
            asyncio.create_task(_answers(upstream_reader, writer, due)),
        ]
        try:
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for way in ways:
                way.cancel()
            await asyncio.gather(*ways, return_exceptions=True)
            for end in (writer, upstream_writer):
                end.close()

    async def _requests(
        self, reader: asyncio.StreamReader, upstream: asyncio.StreamWriter, due: asyncio.Queue[bytes | None]
    ) -> None:
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            while True:
                frame = await _frame(reader)
                answer = None if self.error is None else refusal(frame, self.error)
                if answer is None:
                    upstream.write(struct.pack(">i", len(frame)) + frame)
                    await upstream.drain()
                else:
                    self.refused += 1
                due.put_nowait(answer)


def refusal(request: bytes, error: int) -> bytes | None:
    """The answer that refuses every partition of a commit; None for any other request, or a version not known."""
    key, version, correlation = struct.unpack_from(">hhi", request)
    if key != OFFSET_COMMIT or version not in COMMIT_VERSIONS:
        return None
    at = 8
    _, at = _text(request, at)  # client id
    _, at = _text(request, at)  # group
    at += 4  # generation
    _, at = _text(request, at)  # member
    if version <= 4:
        at += 8  # retention
    if version >= 7:
        _, at = _text(request, at)  # group instance
    (topics,) = struct.unpack_from(">i", request, at)
    at += 4
    answer = struct.pack(">i", correlation) + (struct.pack(">i", 0) if version >= 3 else b"")
    answer += struct.pack(">i", topics)
    for _ in range(topics):
        name, at = _text(request, at)
        (partitions,) = struct.unpack_from(">i", request, at)
        at += 4
        answer += name + struct.pack(">i", partitions)
        for _ in range(partitions):
            (index,) = struct.unpack_from(">i", request, at)
            at += 4 + 8 + (4 if version >= 6 else 0)  # partition, offset, leader epoch
            _, at = _text(request, at)  # metadata
            answer += struct.pack(">ih", index, error)
    return answer


def _text(data: bytes, at: int) -> tuple[bytes, int]:
    """A text with its length before it, as it stands there, and where the next thing begins; -1 is no text."""
    (length,) = struct.unpack_from(">h", data, at)
    end = at + 2 + max(length, 0)
    return data[at:end], end


async def _frame(reader: asyncio.StreamReader) -> bytes:
    (length,) = struct.unpack(">i", await reader.readexactly(4))
    return await reader.readexactly(length)


async def _answers(
    upstream: asyncio.StreamReader, writer: asyncio.StreamWriter, due: asyncio.Queue[bytes | None]
) -> None:
    with contextlib.suppress(OSError, asyncio.IncompleteReadError):
        while True:
            answer = await due.get()
            frame = await _frame(upstream) if answer is None else answer
            writer.write(struct.pack(">i", len(frame)) + frame)
            await writer.drain()
