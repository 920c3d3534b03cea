"""A daemon as small as one can be, whose records say what is to happen to them; runnable as a process of its own.

The message of a lead is a command: `ok`, `sleep 3`, `retry 0.5`, `park`, `permanent`, `crash`, `publish-nowhere`.
Every start and end of a handler is a line in a journal, written at once, so that it survives a kill.
"""

import argparse
import asyncio
import json
import os
import sys
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from connectors.settings import ConnectionSettings
from connectors.store.seam import Parked
from consumers.runtime.clock import SystemClock
from consumers.runtime.daemon import run_daemon
from consumers.runtime.failpoints import Failpoints
from consumers.runtime.seam import DaemonSpec, Failure, Park, Permanent, Publication, Record, RetryAfter
from consumers.runtime.settings import RuntimeSettings
from schemas import codec
from schemas.documents import Analysis, AnalysisState, Analyzed, Inbound, RawBody, grow
from schemas.envelope import Envelope, Revision
from schemas.headers import document_headers
from schemas.identity import derive
from schemas.lead import Lead, Mode
from schemas.topics import ANALYZED, INBOUND_MESSAGES, OUTCOMES

NAME = "example"
GROUP = f"leadbus.{NAME}"
TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
RECEIVED = datetime(2026, 3, 1, 12, tzinfo=UTC)


class Journal:
    """Lines of JSON in a file, each written whole."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def write(self, event: str, record: Record[Inbound]) -> None:
        line = {
            "event": event,
            "number": record.document.lead.extra["number"],
            "partition": record.place.partition,
            "offset": record.place.offset,
            "attempt": record.attempt,
            "pid": os.getpid(),
            "at": time.time(),
        }
        with self.path.open("ab", buffering=0) as file:
            file.write(json.dumps(line).encode() + b"\n")

    def lines(self, event: str | None = None) -> list[dict[str, Any]]:
        if not self.path.exists():
            return []
        found = [json.loads(line) for line in self.path.read_bytes().splitlines()]
        return [line for line in found if event in (None, line["event"])]

    def numbers(self, event: str) -> list[int]:
        return [line["number"] for line in self.lines(event)]


class ParkingLot:
    """Keeps in memory; refuses as often as it was told to."""

    def __init__(self, refusals: int = 0) -> None:
        self.parked: dict[str, tuple[str, Parked]] = {}
        self.refusals = refusals

    async def park(self, tenant_id: str, parked: Parked) -> None:
        if self.refusals:
            self.refusals -= 1
            raise OSError("the store does not answer")
        self.parked.setdefault(parked.park_id, (tenant_id, parked))


def inbound(number: int, command: str = "ok", tenant: str = "acme") -> dict[str, Any]:
    """The document of a test record, as JSON."""
    event, request = derive("event", tenant, number), derive("request", tenant, number)
    document = Inbound(
        envelope=Envelope(
            tenant_id=tenant,
            endpoint_id="form",
            source="form",
            event_kind="form_submission",
            mode=Mode.FORM,
            event_id=event,
            request_id=request,
            contact_id=derive("contact", tenant, number),
            revision=Revision(received_at=RECEIVED, event_id=event),
            received_at=RECEIVED,
        ),
        lead=Lead(message=command, extra={"number": number}),
        raw=RawBody(content_type="application/json", sha256=codec.sha256(b""), size=0),
    )
    return document.model_dump(mode="json")


def analyzed(number: int, score: int) -> tuple[bytes, list[tuple[str, bytes]]]:
    """A record of `analyzed`: its value and headers."""
    document = grow(inbound(number), analysis=Analysis(state=AnalysisState.DONE, lead_score=score))
    ready = publication(ANALYZED, document)
    return ready.value, list(ready.headers)


def headers_of(document: dict[str, Any], version: str = Inbound.schema_version) -> list[tuple[str, bytes]]:
    envelope = document["envelope"]
    return document_headers(
        tenant=envelope["tenant_id"],
        request_id=envelope["request_id"],
        event_id=envelope["event_id"],
        schema=Inbound.schema_name,
        version=version,
        traceparent=TRACE,
    )


def publication(topic: str, document: dict[str, Any]) -> Publication:
    envelope = document["envelope"]
    headers = document_headers(
        tenant=envelope["tenant_id"],
        request_id=envelope["request_id"],
        event_id=envelope["event_id"],
        schema=Analyzed.schema_name,
        version=Analyzed.schema_version,
    )
    return Publication(topic, envelope["request_id"].encode(), codec.dumps(document), tuple(headers))


def example_spec(journal: Journal, *, slots: int = 500, ordered: bool = False) -> DaemonSpec[Inbound]:
    """The daemon: grows every lead by an analysis, unless its message says otherwise."""

    async def handle(record: Record[Inbound]) -> Sequence[Publication]:
        journal.write("start", record)
        command, _, argument = (record.document.lead.message or "").partition(" ")
        if command == "sleep":
            await asyncio.sleep(float(argument))
        elif command == "retry" and record.attempt == 0:
            raise RetryAfter("vendor_busy", "the vendor asked to wait", delay=float(argument))
        elif command == "retry-always":
            raise RetryAfter("vendor_busy", delay=0.1, give_up_after=float(argument))
        elif command == "park":
            raise Park("connector_broken", "its credential is dead", connector_id="crm")
        elif command == "permanent":
            raise Permanent("refused", "the vendor will never take this")
        elif command == "crash":
            raise KeyError("a name that nobody may read")
        grown = grow(record.json, analysis=Analysis(state=AnalysisState.DONE, lead_score=50))
        journal.write("end", record)
        return [publication("nowhere" if command == "publish-nowhere" else ANALYZED, grown)]

    def on_dead(record: Record[Inbound], failure: Failure) -> Sequence[Publication]:
        return [publication(OUTCOMES, {"envelope": record.json["envelope"], "reason": failure.reason})]

    return DaemonSpec(
        name=NAME,
        description="Scores every lead with 50.",
        topics={INBOUND_MESSAGES: Inbound},
        publishes={ANALYZED: Analyzed},
        handler=handle,
        on_dead=on_dead,
        slots=slots,
        ordered_by_key=ordered,
        handler_timeout=90.0,
    )


def main() -> None:
    """Run it until a signal, printing a line when it is ready."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--journal", type=Path, required=True)
    parser.add_argument("--bootstrap", required=True)
    parser.add_argument("--prefix", default="")
    options = parser.parse_args()
    connections = ConnectionSettings(
        kafka_bootstrap=options.bootstrap, topic_prefix=options.prefix, store_url="unused", objects_url="memory://"
    )

    def ready() -> None:
        sys.stdout.write("ready\n")
        sys.stdout.flush()

    asyncio.run(
        run_daemon(
            example_spec(Journal(options.journal)),
            connections,
            RuntimeSettings(),
            parking=ParkingLot(),
            failpoints=Failpoints.from_environment(os.environ),
            clock=SystemClock(),
            on_ready=ready,
        )
    )


if __name__ == "__main__":
    main()
