"""The health port: what it says and why, and that nobody who asks can hurt the work."""

import asyncio
import contextlib
from collections.abc import AsyncIterator

import aiohttp

from consumers.runtime.health import HealthServer


class Patient:
    """Whose health it is."""

    def __init__(self) -> None:
        self.broken: str | None = None
        self.unready: str | None = None
        self.stalled: str | None = None
        self.topics: str | None = None
        self.made = 0

    def why_unhealthy(self) -> str | None:
        return self.broken

    def why_unready(self) -> str | None:
        return self.unready

    def why_stalled(self) -> str | None:
        return self.stalled

    def metrics_text(self) -> bytes:
        self.made += 1
        return b"leadbus_records_total 1\n"


@contextlib.asynccontextmanager
async def served(
    patient: Patient, *, connections: int = 32, connection_seconds: float = 30.0
) -> AsyncIterator[HealthServer]:
    server = HealthServer(
        patient,
        "127.0.0.1",
        0,
        also=(lambda: patient.topics,),
        connections=connections,
        connection_seconds=connection_seconds,
        metrics_seconds=3600.0,
    )
    await server.start()
    try:
        yield server
    finally:
        await server.stop()


async def ask(server: HealthServer, path: str) -> tuple[int, dict[str, object]]:
    async with aiohttp.ClientSession() as http, http.get(f"http://127.0.0.1:{server.port}{path}") as answer:
        return answer.status, await answer.json()


async def test_ready_means_assigned_moving_and_with_topics_and_each_reason_is_said() -> None:
    patient = Patient()
    async with served(patient) as server:
        assert await ask(server, "/readyz") == (200, {"ok": True, "reason": None})
        patient.stalled = "Nothing moved for 200 s."
        assert await ask(server, "/readyz") == (503, {"ok": False, "reason": "Nothing moved for 200 s."})
        patient.unready, patient.topics = "Not assigned.", "Topics are missing: retry.1m."
        status, body = await ask(server, "/readyz")
        assert (status, body["reason"]) == (503, "Not assigned. Nothing moved for 200 s. Topics are missing: retry.1m.")


async def test_healthy_is_another_question_than_ready() -> None:
    patient = Patient()
    patient.unready = patient.stalled = "not now"
    async with served(patient) as server:
        assert (await ask(server, "/healthz"))[0] == 200
        patient.broken = "The commits ended."
        assert await ask(server, "/healthz") == (503, {"ok": False, "reason": "The commits ended."})


async def test_metrics_are_made_once_however_often_they_are_asked_for() -> None:
    patient = Patient()
    async with served(patient) as server, aiohttp.ClientSession() as http:
        for _ in range(5):
            async with http.get(f"http://127.0.0.1:{server.port}/metrics") as answer:
                assert await answer.read() == b"leadbus_records_total 1\n"
                assert answer.headers["Content-Type"].startswith("text/plain")
                assert answer.headers["Connection"] == "close"
    assert patient.made == 1


async def test_who_holds_connections_without_a_word_is_cut_and_others_are_answered_again() -> None:
    patient = Patient()
    async with served(patient, connections=4, connection_seconds=0.2) as server:
        held = [await asyncio.open_connection("127.0.0.1", server.port) for _ in range(4)]
        held[0][1].write(b"GET /readyz HTTP/1.1\r\nX-Slow: ")
        refused, closing = await asyncio.open_connection("127.0.0.1", server.port)
        assert await refused.read() == b""
        closing.close()
        for reader, writer in held:
            async with asyncio.timeout(20):
                assert await reader.read() == b""
            writer.close()
        assert (await ask(server, "/readyz"))[0] == 200


async def test_a_head_without_end_is_refused() -> None:
    async with served(Patient()) as server:
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        writer.write(b"GET /readyz HTTP/1.1\r\nX-Long: " + b"x" * 20_000 + b"\r\n\r\n")
        async with asyncio.timeout(20):
            assert (await reader.readline()).split()[1] == b"400"
        writer.close()


async def test_only_what_there_is_can_be_asked_for() -> None:
    async with served(Patient()) as server, aiohttp.ClientSession() as http:
        async with http.get(f"http://127.0.0.1:{server.port}/") as answer:
            assert answer.status == 404
        async with http.post(f"http://127.0.0.1:{server.port}/readyz", data=b"x") as answer:
            assert answer.status == 405
